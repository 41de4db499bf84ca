//! All the networks of one Stable Diffusion model on one device, and the way from text and pictures to tensors.

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use super::conditioning::Conditioning;
use super::config::{TinyVaeConfig, UNetConfig, VaeConfig};
use super::controlnet::ControlNet;
use super::load::{DeviceSettings, LoadOptions};
use super::on_demand::OnDemand;
use super::prompt_encoder::PromptEncoder;
use super::subject_encoder::SubjectReader;
use super::tiny_vae::TinyVae;
use super::unet::UNet;
use super::vae::{Vae, VaeDecoder, VaeEncoder};
use super::weights::{LoadReport, Lora, ModelFiles, NetworkFiles, PartFiles};
use crate::error::{Error, Result};
use crate::frame::{image_to_tensor, tensor_to_image};
use crate::mask::Mask;
use dreamtuner_kernels::in_pool;

/// A loaded model. Nothing changes it: any number of renders share it.
#[derive(Debug)]
pub struct StableDiffusion {
    /// The denoising network.
    pub unet: UNet,
    /// From prompts to what the U-Net is told.
    pub prompt_encoder: PromptEncoder,
    vae_encoder: OnDemand<VaeEncoder>,
    vae_decoder: VaeDecoder,
    /// What decodes in the autoencoder's place.
    tiny_vae: Option<TinyVae>,
    /// Tells the U-Net who a picture shows.
    subject_reader: Option<OnDemand<SubjectReader>>,
    /// Channels of the latent.
    pub latent_channels: usize,
    /// Side in pixels of the pictures that the U-Net was trained on; 512 where the files do not say.
    pub native_side: usize,
    /// Frame sizes in multiples of this many pixels are halved evenly at every resolution of the U-Net.
    pub size_step: usize,
    /// Where the networks run.
    pub device: Device,
    /// Type of the U-Net's activations.
    pub dtype: DType,
    /// Type of the weights of U-Net and ControlNets.
    pub weight_dtype: DType,
    unet_config: UNetConfig,
}

/// What is told of a network's files as they are loaded.
type OnReport<'a> = &'a mut dyn FnMut(&PartFiles, &LoadReport);

impl StableDiffusion {
    /// Loads every network of `files`. `on_report` is handed what each one lacked or left unused.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, values that are not finite, LoRA keys that match nothing, embeddings of another
    /// width.
    pub fn load(files: &ModelFiles, options: &LoadOptions, on_report: OnReport) -> Result<Self> {
        let DeviceSettings { device, dtype: weight_dtype, .. } = &options.device;
        let loras: Vec<(&Lora, f64)> = options.loras.iter().map(|(lora, weight)| (lora, *weight)).collect();
        let dtype = match *weight_dtype {
            DType::F16 | DType::BF16 if device.is_cpu() => DType::F32,
            dtype => dtype,
        };

        let unet_config = files.unet.config.clone();
        let (unet, report) =
            files
                .unet_with(files.subject_encoder.as_ref())
                .build(*weight_dtype, device, &loras, |vb| UNet::new(&unet_config, vb))?;
        on_report(&files.unet, &report);
        let subject_reader = load_subject_reader(files, options, on_report)?;
        let vae_config = &files.vae.config;
        let (vae_encoder, vae_decoder) = load_vae(&files.vae, options, on_report)?;
        let (prompt_encoder, report) = PromptEncoder::load(files, options, dtype)?;
        on_report(&files.text_encoder, &report);
        check_fit(files)?;

        Ok(Self {
            unet,
            prompt_encoder,
            vae_encoder,
            vae_decoder,
            tiny_vae: None,
            subject_reader,
            latent_channels: vae_config.latent_channels,
            native_side: unet_config.native_side(vae_config),
            size_step: unet_config.size_step(vae_config),
            device: device.clone(),
            dtype,
            weight_dtype: *weight_dtype,
            unet_config,
        })
    }

    /// Loads a ControlNet that belongs to this model.
    ///
    /// # Errors
    /// Those of [`Self::load`], and [`Error::Weights`] for a ControlNet made for another kind of model.
    pub fn load_controlnet(&self, files: &NetworkFiles<UNetConfig>) -> Result<(ControlNet, LoadReport)> {
        self.check_controlnet(&files.config).map_err(|problem| Error::weights(files.path(), problem))?;
        files.build(self.weight_dtype, &self.device, &[], |vb| ControlNet::new(&files.config, vb))
    }

    /// Lets a tiny decoder decode in the autoencoder's place.
    ///
    /// # Errors
    /// Those of [`Self::load`], and [`Error::Weights`] for one made for other latents.
    pub fn use_tiny_vae(&mut self, files: &NetworkFiles<TinyVaeConfig>) -> Result<LoadReport> {
        let (tiny, report) =
            files.build(DType::F32, &self.device, &[], |vb| TinyVae::new(&files.config, vb))?;
        for (what, found, own) in [
            ("latents of channels", tiny.latent_channels(), self.latent_channels),
            ("pictures enlarged by", tiny.factor(), self.factor()),
        ] {
            if found != own {
                return Err(Error::weights(files.path(), format!("{what}: {found}, the model's are {own}")));
            }
        }
        self.tiny_vae = Some(tiny);
        Ok(report)
    }

    fn check_controlnet(&self, config: &UNetConfig) -> std::result::Result<(), String> {
        let (own, widths) = (&self.unet_config.block_out_channels, &config.block_out_channels);
        if own != widths {
            return Err(format!("has {widths:?} channels at its resolutions, the U-Net {own:?}"));
        }
        let context = |config: &UNetConfig| config.context_width(0).map_err(|error| error.to_string());
        let (own, width) = (context(&self.unet_config)?, context(config)?);
        if own != width {
            return Err(format!("reads a context of width {width}, the U-Net {own}"));
        }
        let halvings = config.conditioning_embedding_out_channels.len().saturating_sub(1) as u32;
        let (own, factor) = (self.factor(), 2usize.saturating_pow(halvings));
        if own != factor {
            return Err(format!("scales control images down by {factor}, the VAE pictures by {own}"));
        }
        Ok(())
    }

    /// Pixels of a picture per value of its latent, along each side.
    pub fn factor(&self) -> usize {
        self.vae_decoder.factor()
    }

    /// What the U-Net is told of one prompt; its context is `(1, tokens, context width)`, in the U-Net's type.
    ///
    /// # Errors
    /// Those of [`PromptEncoder::with`]; a prompt that is too long or weighted out of range.
    pub fn encode_prompt(&self, prompt: &str, clip_skip: usize) -> Result<Conditioning> {
        self.prompt_encoder.with(clip_skip, |encoder| encoder.encode("prompt", prompt))
    }

    /// The subject of a picture as tokens `(1, tokens, context width)` in the U-Net's type; `None` without a subject encoder.
    ///
    /// # Errors
    /// A mask without a subject.
    pub fn encode_subject(&self, image: &RgbImage, mask: Option<&Mask>) -> Result<Option<Tensor>> {
        let Some(reader) = &self.subject_reader else { return Ok(None) };
        let tokens = reader.with(|reader| in_pool(|| reader.read(image, mask)))?;
        Ok(Some(tokens.to_dtype(self.dtype)?))
    }

    /// The latent of a picture, `(1, channels, height / factor, width / factor)`, 32 bits. `tile` is the side of the
    /// VAE's tiles in pixels.
    pub fn encode_image(&self, image: &RgbImage, tile: Option<usize>) -> Result<Tensor> {
        let pixels = ((image_to_tensor(image, &self.device)? * 2.0)? - 1.0)?;
        self.vae_encoder.with(|encoder| {
            let latent = in_pool(|| match tile {
                Some(tile) => encoder.encode_tiled(&pixels, tile),
                None => encoder.encode(&pixels),
            });
            Ok(latent?)
        })
    }

    /// The picture of a latent `(1, channels, height, width)`. `tile` is the side of the VAE's tiles in pixels; a tiny decoder
    /// needs none.
    pub fn decode(&self, latent: &Tensor, tile: Option<usize>) -> Result<RgbImage> {
        let pixels = in_pool(|| match (&self.tiny_vae, tile) {
            (Some(tiny), _) => tiny.decode(latent),
            (None, Some(tile)) => self.vae_decoder.decode_tiled(latent, tile),
            (None, None) => self.vae_decoder.decode(latent),
        })?;
        tensor_to_image(&((pixels + 1.0)? / 2.0)?)
    }
}

fn load_subject_reader(
    files: &ModelFiles,
    options: &LoadOptions,
    on_report: OnReport,
) -> Result<Option<OnDemand<SubjectReader>>> {
    let Some(subject) = files.subject_encoder.clone() else { return Ok(None) };
    let (reader, report) = SubjectReader::load(&subject, &options.device.device)?;
    on_report(&subject.encoder, &report);
    let device = options.device.device.clone();
    let read = move || Ok(SubjectReader::load(&subject, &device)?.0);
    Ok(Some(OnDemand::new(reader, options.device.low_memory, read)))
}

fn load_vae(
    files: &NetworkFiles<VaeConfig>,
    options: &LoadOptions,
    on_report: OnReport,
) -> Result<(OnDemand<VaeEncoder>, VaeDecoder)> {
    let (Vae { encoder, decoder }, report) =
        files.build(DType::F32, &options.device.device, &[], |vb| Vae::new(&files.config, vb))?;
    on_report(files, &report);
    let (part, device) = (files.clone(), options.device.device.clone());
    let read = move || Ok(part.build(DType::F32, &device, &[], |vb| VaeEncoder::new(&part.config, vb))?.0);
    Ok((OnDemand::new(encoder, options.device.low_memory, read), decoder))
}

/// Refuses parts that do not belong together.
fn check_fit(files: &ModelFiles) -> Result<()> {
    let (unet, vae, text) = (&files.unet.config, &files.vae.config, &files.text_encoder.config);
    let context = unet.context_width(0)?;
    if context != text.encoder.hidden_size {
        let problem = format!(
            "reads a context of width {context}, the text encoder gives {}",
            text.encoder.hidden_size
        );
        return Err(Error::weights(files.unet.path(), problem));
    }
    if unet.in_channels != vae.latent_channels {
        let problem = format!("reads {} channels, the VAE gives {}", unet.in_channels, vae.latent_channels);
        return Err(Error::weights(files.unet.path(), problem));
    }
    Ok(())
}
