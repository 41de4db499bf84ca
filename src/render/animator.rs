//! The animator: one reference and a stream of control images in, frames out.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use image::RgbImage;

use crate::diffusion::{Guidance, NoiseSource, Purpose, Schedule, Step, sample, sample_from};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::mask::Mask;
use crate::memory;
use crate::model::stable_diffusion::StableDiffusion;
use crate::model::transformer::Reading;
use crate::render::attention_maps::{Seen, Watch, Watched};
use crate::render::deep_cache::DeepCache;
use crate::render::denoiser::SubjectDenoiser;
use crate::render::feature_store::{FeatureCache, FeatureStore};
use crate::render::networks::{ControlUnit, Networks, TextReadings};
use crate::render::reference::{CachedReference, Reference};
use crate::render::settings::{PreviousFeatures, RenderSettings};
use crate::render::texts::Texts;
use crate::render::trajectory::{Trajectory, TrajectoryTensors};

/// The character: a picture of the size of the frames.
#[derive(Debug, Clone)]
pub struct ReferencePicture {
    /// The picture.
    pub image: RgbImage,
    /// Where the character is; `None` for the whole picture.
    pub mask: Option<Mask>,
    /// The picture's own control image for each ControlNet, where there is one.
    pub controls: Vec<Option<RgbImage>>,
}

impl ReferencePicture {
    /// Encodes the picture.
    ///
    /// # Errors
    /// A picture of another size than the frames.
    pub fn encode(self, model: &StableDiffusion, settings: &RenderSettings) -> Result<EncodedReference> {
        check_size("reference", &self.image, settings)?;
        let latent = model.encode_image(&self.image, settings.vae_tile)?;
        let subject = match settings.beta {
            0.0 => None,
            _ => model.encode_subject(&self.image, self.mask.as_ref())?,
        };
        Ok(EncodedReference { latent, subject, mask: self.mask, controls: self.controls })
    }
}

/// The character, encoded.
#[derive(Debug, Clone)]
pub struct EncodedReference {
    /// The picture's latent, `(1, channels, height, width)`.
    pub latent: Tensor,
    /// Its subject, `(1, tokens, context width)`; `None` without a subject encoder, or where β is 0.
    pub subject: Option<Tensor>,
    /// Where the character is; `None` for the whole picture.
    pub mask: Option<Mask>,
    /// The picture's own control image for each ControlNet, where there is one.
    pub controls: Vec<Option<RgbImage>>,
}

/// What a clip is made from, besides its settings and control images.
#[derive(Debug, Clone)]
pub struct ClipInputs {
    /// The character.
    pub reference: EncodedReference,
    /// The texts.
    pub texts: Texts,
    /// All randomness.
    pub noise: NoiseSource,
}

/// A finished frame.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The picture.
    pub image: RgbImage,
    /// Its latent without noise, `(1, channels, height, width)`: what the next frame looks back at.
    pub latent: Tensor,
    /// What entered its self-attention layers at each step, where the next frame looks back at that.
    pub trajectory: Option<TrajectoryTensors>,
}

/// Renders the frames of one clip, one after the other.
///
/// All randomness is drawn once a clip: a frame depends on its control images, the previous frame and the settings,
/// on nothing else. The reference's features depend on the step alone and are computed once.
#[derive(Debug)]
pub struct Animator<'a> {
    model: &'a StableDiffusion,
    controls: &'a [ControlUnit],
    settings: RenderSettings,
    cache: FeatureCache,
    interrupt: Interrupt,
    schedule: Schedule,
    steps: Vec<Step>,
    noise: NoiseSource,
    start: Tensor,
    /// Steps before the first one, where [`Self::start`] is a picture with noise rather than noise alone.
    skipped: Option<usize>,
    reference_noise: Tensor,
    lambdas: Vec<f64>,
    prompt: Arc<TextReadings>,
    negative: TextReadings,
    subject: Option<Reading>,
    reference: CachedReference,
    first: Option<CachedReference>,
    previous: Option<CachedReference>,
    trajectory: Option<Trajectory>,
    watch: Option<Watch>,
}

impl Animator<'_> {
    /// Prepares a clip: checks the settings, draws the noise.
    ///
    /// # Errors
    /// A setting out of range, a control image of another size than the frames, noise of the wrong shape.
    pub fn new<'a>(
        model: &'a StableDiffusion,
        controls: &'a [ControlUnit],
        inputs: ClipInputs,
        settings: RenderSettings,
        cache: FeatureCache,
        interrupt: Interrupt,
    ) -> Result<Animator<'a>> {
        settings.check(model.vae.factor())?;
        let ClipInputs { reference, texts, noise } = inputs;
        let schedule = settings.schedule(&model.scheduler)?;
        let steps = settings.sampler.steps(&schedule, settings.steps)?;
        let lambdas = match settings.guidance {
            Guidance::ClassifierFree { .. } => vec![0.0; steps.len()],
            Guidance::Interleaved { .. } => noise.uniform(Purpose::Guidance, 0, steps.len())?,
        };
        let factor = model.vae.factor();
        let shape = [1, model.latent_channels, settings.height / factor, settings.width / factor];
        let draw = |purpose| noise.normal(purpose, 0, &shape, DType::F32, &model.device);
        let (start, reference_noise) = (draw(Purpose::Latent)?, draw(Purpose::Reference)?);

        let read = |text| TextReadings::new(text, &model.unet, controls);
        let (prompt, negative) = (Arc::new(read(&texts.prompt)?), read(&texts.negative)?);
        let subject = reference.subject.filter(|_| settings.beta > 0.0);
        let subject = subject.map(|tokens| model.unet.read_subject(&tokens)).transpose()?;
        let reference = Reference {
            seen: Seen::Reference,
            latent: reference.latent,
            noise: reference_noise.clone(),
            mask: reference.mask,
            text: Arc::new(read(&texts.reference)?),
            controls: embed(model, controls, &reference.controls, &settings)?,
            weight: settings.reference_weight,
        };
        let reference = CachedReference::new(reference, FeatureStore::new(cache));
        let trajectory = (settings.previous_features == PreviousFeatures::Trajectory
            && settings.previous_weight > 0.0)
            .then(|| Trajectory::new(settings.previous_weight));
        Ok(Animator {
            model,
            controls,
            settings,
            cache,
            interrupt,
            schedule,
            steps,
            noise,
            start,
            skipped: None,
            reference_noise,
            lambdas,
            prompt,
            negative,
            subject,
            reference,
            first: None,
            previous: None,
            trajectory,
            watch: None,
        })
    }

    /// Lets frames begin from a picture's `latent` in place of noise. `strength`, 0 to 1, says how much of it may change: so large a
    /// share of the steps is taken, from the latent with as much noise as belongs to the first of them (Meng et al. 2022, SDEdit;
    /// diffusers' image-to-image pipeline).
    ///
    /// # Errors
    /// [`Error::Setting`] for a strength out of range or so small that no step is left; a latent of another shape.
    pub fn begin_from(&mut self, latent: &Tensor, strength: f64) -> Result<()> {
        let count = self.steps.len();
        if !(0.0..=1.0).contains(&strength) {
            return Err(Error::setting("strength", format!("{strength}; 0 to 1 is allowed")));
        }
        let left = (count as f64 * strength) as usize;
        let Some(first) = self.steps.get(count - left) else {
            let problem = format!(
                "{strength} leaves none of {count} steps; {:.3} or more is needed",
                1.0 / count as f64
            );
            return Err(Error::setting("strength", problem));
        };
        self.start = first.level().mix(&latent.to_dtype(DType::F32)?, &self.start)?;
        self.steps.drain(..count - left);
        self.skipped = Some(count - left);
        Ok(())
    }

    /// Keeps what attention sees in the next frames, which changes nothing of them.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// What was seen since [`Self::watch`].
    pub fn seen(&mut self) -> Watched {
        self.watch.take().map(Watch::into_watched).unwrap_or_default()
    }

    /// The steps that each frame takes.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Renders the next frame. `controls` holds its control image for each ControlNet; `after_step` is called with the
    /// number of steps done.
    ///
    /// # Errors
    /// [`Error::Interrupted`], images of the wrong size, failures of the networks. Unless decoding failed, the animator then
    /// stands where it stood before the call.
    pub fn render(
        &mut self,
        controls: &[Option<RgbImage>],
        after_step: &mut dyn FnMut(usize),
    ) -> Result<Rendered> {
        // 1. What the ControlNets see, embedded once a frame.
        let embedded = embed(self.model, self.controls, controls, &self.settings)?;
        // 2. Sampling with every reference.
        let mut references = vec![&mut self.reference];
        references.extend(self.first.as_mut());
        references.extend(self.previous.as_mut());
        if let Some(trajectory) = &mut self.trajectory {
            trajectory.begin();
        }
        let skipped = self.skipped.unwrap_or(0);
        let mut denoiser = SubjectDenoiser {
            networks: Networks {
                unet: &self.model.unet,
                controls: self.controls,
                schedule: &self.schedule,
                subject: self.subject.as_ref().map(|subject| (subject, self.settings.beta)),
                interrupt: &self.interrupt,
            },
            prediction: self.schedule.config().prediction_type,
            guidance: self.settings.guidance,
            guidance_interval: self.settings.guidance_interval,
            deep_cache: DeepCache::new(self.settings.deep_cache),
            lambdas: &self.lambdas,
            prompt: &self.prompt,
            negative: &self.negative,
            controls: &embedded,
            references,
            trajectory: self.trajectory.as_mut(),
            watch: self.watch.as_mut(),
            after_step: Some(&mut |done| after_step(done - skipped)),
        };
        let sample = if self.skipped.is_some() { sample_from } else { sample };
        let latent = sample(
            self.settings.sampler,
            &self.schedule,
            &self.steps,
            &self.start,
            &self.noise,
            &mut denoiser,
        )?;
        // 3. This frame is the previous one; then the picture, which takes the memory that frame before gave back.
        self.look_back_at(latent.clone(), embedded);
        if let Some(trajectory) = &mut self.trajectory {
            trajectory.advance();
        }
        memory::give_back();
        let image = self.model.decode(&latent, self.settings.vae_tile)?;
        Ok(Rendered { image, latent, trajectory: self.trajectory.as_ref().map(Trajectory::tensors) })
    }

    /// Whether the next frame looks back at [`Rendered::trajectory`].
    pub fn wants_trajectory(&self) -> bool {
        self.trajectory.is_some()
    }

    /// Takes up a clip after a frame that was rendered before: `latent`, `controls` and `trajectory` are that frame's.
    /// To be called for the clip's first frame, then for the last one that is finished; only there a trajectory is wanted.
    ///
    /// # Errors
    /// Tensors that are no trajectory of this model and these settings.
    pub fn resume_after(
        &mut self,
        latent: Tensor,
        controls: &[Option<RgbImage>],
        trajectory: Option<TrajectoryTensors>,
    ) -> Result<()> {
        if let (Some(own), Some(tensors)) = (&mut self.trajectory, trajectory) {
            own.resume(tensors, &self.model.device)?;
        }
        let embedded = embed(self.model, self.controls, controls, &self.settings)?;
        self.look_back_at(latent.to_device(&self.model.device)?, embedded);
        Ok(())
    }

    /// Leaves the previous frame out of the next one's references, as at a cut.
    pub fn forget_previous(&mut self) {
        self.previous = None;
        if let Some(trajectory) = &mut self.trajectory {
            trajectory.forget();
        }
    }

    fn look_back_at(&mut self, latent: Tensor, controls: Vec<Option<Tensor>>) {
        let reference = |seen, weight, cache| {
            let (latent, controls) = (latent.clone(), controls.clone());
            let (noise, text) = (self.reference_noise.clone(), self.prompt.clone());
            let reference = Reference { seen, latent, noise, mask: None, text, controls, weight };
            CachedReference::new(reference, FeatureStore::new(cache))
        };
        if self.first.is_none() {
            self.first = Some(reference(Seen::First, self.settings.first_weight, self.cache));
        }
        if self.trajectory.is_none() {
            let weight = self.settings.previous_weight;
            self.previous = Some(reference(Seen::Previous, weight, FeatureCache::Recompute));
        }
    }
}

/// Each ControlNet's view of its image.
fn embed(
    model: &StableDiffusion,
    units: &[ControlUnit],
    images: &[Option<RgbImage>],
    settings: &RenderSettings,
) -> Result<Vec<Option<Tensor>>> {
    if images.len() != units.len() {
        let problem = format!("{} for {} ControlNets", images.len(), units.len());
        return Err(Error::setting("control images", problem));
    }
    let embed = |(unit, image): (&ControlUnit, &Option<RgbImage>)| {
        let Some(image) = image else { return Ok(None) };
        check_size("control image", image, settings)?;
        let pixels = crate::frame::image_to_tensor(image, &model.device)?.to_dtype(model.dtype)?;
        Ok(Some(unit.network.embed(&pixels)?))
    };
    units.iter().zip(images).map(embed).collect()
}

fn check_size(name: &str, image: &RgbImage, settings: &RenderSettings) -> Result<()> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if (width, height) == (settings.width, settings.height) {
        return Ok(());
    }
    let problem = format!("is {width}×{height}, the frames are {}×{}", settings.width, settings.height);
    Err(Error::setting(name, problem))
}
