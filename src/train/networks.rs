//! The networks of a training, and the loss of a batch that passes them.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use super::{loss, native_side};
use crate::diffusion::{NoiseLevel, ReferenceNoise, Schedule};
use crate::error::{Error, Result};
use crate::frame::image_to_tensor;
use crate::mask::Mask;
use crate::model::Tokenizer;
use crate::model::controlnet::ControlNet;
use crate::model::text::TextEncoder;
use crate::model::transformer::{AttentionContext, LayerFeatures, PassPicture, ReferencePass};
use crate::model::unet::{ControlResiduals, UNet};
use crate::model::vae::VaeEncoder;
use crate::model::weights::{ModelDefaults, ModelFiles};
use crate::render::settings::RenderSettings;

/// What every training keeps frozen.
pub struct Frozen {
    vae: VaeEncoder,
    controlnet: Option<ControlNet>,
    schedule: Schedule,
    latent_channels: usize,
    /// Side of the pictures in pixels.
    pub side: u32,
    device: Device,
}

/// The networks that a batch passes, some of which train.
#[derive(Clone, Copy)]
pub struct Passed<'a> {
    /// The denoising network.
    pub unet: &'a UNet,
    /// What is frozen.
    pub frozen: &'a Frozen,
    /// γ of min-SNR weighting, where it is wanted.
    pub min_snr: Option<f64>,
}

/// Pictures on their way through the networks.
pub struct Batch<'a> {
    /// Latents without noise, `(batch, channels, height, width)`.
    pub clean: Tensor,
    /// Noise of the same shape.
    pub noise: Tensor,
    /// A time step for each picture.
    pub timesteps: Vec<f64>,
    /// CaptionEncoder, `(batch, tokens, context width)`.
    pub text: Tensor,
    /// What the ControlNet is shown, where all pictures have it.
    pub controls: Option<Vec<&'a RgbImage>>,
    /// The subject's tokens, `(1 or batch, tokens, context width)`, and β.
    pub subject: Option<(Tensor, f64)>,
}

/// One picture of a batch.
pub struct BatchPicture<'a> {
    /// Its latent without noise, `(1, channels, height, width)`.
    pub latent: Tensor,
    /// Its text, `(1, tokens, context width)`.
    pub text: Tensor,
    /// What the ControlNet is shown.
    pub control: Option<&'a RgbImage>,
    /// Its time step.
    pub timestep: f64,
    /// Noise, as many values as the latent has.
    pub noise: &'a [f32],
}

impl<'a> Batch<'a> {
    /// Of some pictures, with the subject that they show.
    ///
    /// # Errors
    /// Latents or texts of several shapes.
    pub fn of(pictures: &[BatchPicture<'a>], subject: Option<(Tensor, f64)>) -> Result<Self> {
        let together = |part: fn(&BatchPicture) -> Tensor| {
            Tensor::cat(&pictures.iter().map(part).collect::<Vec<_>>(), 0)
        };
        let clean = together(|picture| picture.latent.clone())?;
        let noise: Vec<f32> = pictures.iter().flat_map(|picture| picture.noise.iter().copied()).collect();
        Ok(Self {
            noise: Tensor::from_vec(noise, clean.shape(), clean.device())?,
            clean,
            timesteps: pictures.iter().map(|picture| picture.timestep).collect(),
            text: together(|picture| picture.text.clone())?,
            controls: pictures.iter().map(|picture| picture.control).collect(),
            subject,
        })
    }
}

/// Pictures that those of a batch look at through S-S-A while they train, as they do in a render.
pub struct References<'a> {
    /// The references, with their own noise, time steps, texts and control images.
    pub pictures: Batch<'a>,
    /// Where the subject of each is.
    pub masks: Vec<&'a Mask>,
    /// ω.
    pub weight: f64,
    /// Which pictures of the batch have one, in their order.
    pub looking: Vec<bool>,
}

impl Frozen {
    /// Loads the networks. `side` is the pictures' in pixels; the model's native one where absent.
    ///
    /// # Errors
    /// Configurations and weights that cannot be used; a side that the VAE does not divide.
    pub fn load(files: &ModelFiles, side: Option<u32>, device: &Device) -> Result<Self> {
        let config = &files.vae.config;
        let (vae, _) = files.vae.build(DType::F32, device, &[], |vb| VaeEncoder::new(config, vb))?;
        let controlnet = files.controlnet.as_ref().map(|part| {
            Ok::<_, Error>(part.build(DType::F32, device, &[], |vb| ControlNet::new(&part.config, vb))?.0)
        });
        let (side, factor) = (side.unwrap_or_else(|| native_side(files)), vae.factor() as u32);
        if side == 0 || !side.is_multiple_of(factor) {
            return Err(Error::setting("size", format!("{side}; multiples of {factor} are allowed")));
        }
        Ok(Self {
            vae,
            controlnet: controlnet.transpose()?,
            schedule: Schedule::new(files.scheduler.config.clone())?,
            latent_channels: config.latent_channels,
            side,
            device: device.clone(),
        })
    }

    /// Side of a picture's latent.
    pub fn latent_side(&self) -> usize {
        self.side as usize / self.vae.factor()
    }

    /// Values of a picture's latent.
    pub fn latent_values(&self) -> usize {
        self.latent_channels * self.latent_side().pow(2)
    }

    /// The latent of a picture, `(1, channels, height, width)`.
    pub fn latent(&self, picture: &RgbImage) -> Result<Tensor> {
        let pixels = ((image_to_tensor(picture, &self.device)? * 2.0)? - 1.0)?;
        Ok(self.vae.encode(&pixels)?)
    }

    /// The last (noisiest) time step.
    pub fn last_timestep(&self) -> usize {
        self.schedule.last_timestep()
    }

    /// The time step of what a picture at `timestep` looks at through S-S-A: that of a render's unguided pass.
    pub fn reference_timestep(&self, defaults: &ModelDefaults, timestep: f64) -> f64 {
        let guidance = RenderSettings::square(defaults, self.side).guidance;
        guidance.reference_time(ReferenceNoise::Less, timestep, self.last_timestep())
    }

    fn control(&self, batch: &Batch, noisy: &Tensor) -> Result<Option<ControlResiduals>> {
        let (Some(controlnet), Some(images)) = (&self.controlnet, &batch.controls) else { return Ok(None) };
        let images = images.iter().map(|image| image_to_tensor(image, &self.device));
        let embedded = controlnet.embed(&Tensor::cat(&images.collect::<Result<Vec<_>>>()?, 0)?)?;
        // Gradients do not go through what is frozen to the text: the ControlNet stays what it is for texts that train.
        let text = controlnet.keys_values(&batch.text.detach())?;
        Ok(Some(controlnet.forward(noisy, &batch.timesteps, &text, &embedded)?))
    }
}

impl Passed<'_> {
    /// The loss of each picture, times its weight, `(batch)`. Gradients do not flow through the references' own passes.
    ///
    /// # Errors
    /// Shapes that do not fit, failures of the networks.
    pub fn losses(self, batch: &Batch, references: Option<&References>) -> Result<Tensor> {
        let seen = references.map(|references| self.seen(references)).transpose()?.unwrap_or_default();
        let looking = references.map_or(&[][..], |references| &references.looking);
        let mut next = seen.iter();
        let mut references = |looks: &bool| next.by_ref().take(usize::from(*looks)).collect();
        let pictures: Vec<PassPicture> = looking
            .iter()
            .map(|looks| PassPicture { references: references(looks), ..PassPicture::default() })
            .collect();
        let levels = self.levels(batch);
        let (output, _) = self.output(batch, &levels, &pictures, false)?;
        let prediction = self.frozen.schedule.config().prediction_type;
        let target = loss::target(prediction, &batch.clean, &batch.noise, &levels)?;
        let weights = Tensor::new(loss::weights(prediction, &levels, self.min_snr), &self.frozen.device)?;
        Ok((loss::errors(&output, &target)? * weights.to_dtype(output.dtype())?)?)
    }

    fn levels(self, batch: &Batch) -> Vec<NoiseLevel> {
        batch.timesteps.iter().map(|&timestep| self.frozen.schedule.level(timestep)).collect()
    }

    /// What the U-Net says to a batch, and, if asked to, what entered its self-attention layers.
    fn output(
        self,
        batch: &Batch,
        levels: &[NoiseLevel],
        pictures: &[PassPicture],
        capture: bool,
    ) -> Result<(Tensor, BTreeMap<usize, LayerFeatures>)> {
        let Self { unet, frozen, .. } = self;
        let noisy = loss::noisy(&batch.clean, &batch.noise, levels)?;
        let control = frozen.control(batch, &noisy)?;
        let text = unet.keys_values(&batch.text)?;
        let subject =
            batch.subject.as_ref().map(|(tokens, beta)| Ok((unet.subject_keys_values(tokens)?, *beta)));
        let subject = subject.transpose().map_err(|error: candle_core::Error| error)?;
        let mut context = AttentionContext::new(&text);
        context.subject = subject.as_ref().map(|(keys_values, beta)| (keys_values, *beta));
        context.pictures = pictures;
        context.captured = capture.then(BTreeMap::new);
        let output = unet.forward(&noisy, &batch.timesteps, &mut context, control.as_ref())?;
        Ok((output, context.captured.unwrap_or_default()))
    }

    /// What each reference shows.
    fn seen(self, references: &References) -> Result<Vec<ReferencePass>> {
        let pictures = &references.pictures;
        let (_, layers) = self.output(pictures, &self.levels(pictures), &[], true)?;
        let mut passes = vec![ReferencePass::new(); references.masks.len()];
        for (layer, seen) in layers {
            for (place, (pass, mask)) in passes.iter_mut().zip(&references.masks).enumerate() {
                let features = seen.features.narrow(0, place, 1)?.detach();
                let seen = LayerFeatures { features, ..seen };
                pass.extend(seen.as_reference(Some(mask), references.weight)?.map(|tokens| (layer, tokens)));
            }
        }
        Ok(passes)
    }
}

/// Captions as the U-Net reads them.
pub struct CaptionEncoder {
    tokenizer: Tokenizer,
    encoder: TextEncoder,
}

impl CaptionEncoder {
    /// With a model's tokenizer.
    ///
    /// # Errors
    /// A tokenizer that cannot be read.
    pub fn new(files: &ModelFiles, encoder: TextEncoder) -> Result<Self> {
        Ok(Self { tokenizer: Tokenizer::open(&files.tokenizer)?, encoder })
    }

    /// Lets `word` stand for the text encoder's first concept.
    ///
    /// # Errors
    /// A word that the vocabulary has, or that cannot be added.
    pub fn add_word(&mut self, word: &str) -> Result<()> {
        self.tokenizer.add_concept(word, 1).map(drop)
    }

    /// The context of a caption, `(1, tokens, context width)`. Of one too long for a chunk only the first chunk counts, so that the
    /// texts of a batch are of one length.
    ///
    /// # Errors
    /// A caption with malformed emphasis.
    pub fn context(&self, caption: &str) -> Result<Tensor> {
        let chunks = self.tokenizer.chunks(caption)?;
        Ok(self.encoder.encode(&chunks[..1], 1)?)
    }
}
