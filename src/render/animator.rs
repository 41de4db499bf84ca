//! The animator: one reference and a stream of control images in, frames out.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use image::RgbImage;

use crate::diffusion::{NoiseSource, Purpose};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::mask::Mask;
use crate::memory;
use crate::model::stable_diffusion::StableDiffusion;
use crate::model::transformer::KeysValues;
use crate::render::attention_maps::{AttentionSource, Watch, Watched};
use crate::render::deep_cache::DeepCache;
use crate::render::denoiser::{FrameControls, SubjectDenoiser};
use crate::render::draft::{DraftFrame, EncodedDraft, composited};
use crate::render::feature_store::{FeatureCache, FeatureStore};
use crate::render::networks::{ControlSource, ControlUnit, GuidanceTexts, Networks, TextKeysValues};
use crate::render::pipeline::Pipeline;
use crate::render::prompts::PromptEmbeddings;
use crate::render::reference::{CachedReference, Reference};
use crate::render::references::{LookBack, References};
use crate::render::sampling::{InitialLatent, SamplingPlan};
use crate::render::settings::{PreviousFeatures, RenderSettings};
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
    /// The prompts.
    pub prompts: PromptEmbeddings,
    /// All randomness.
    pub noise: NoiseSource,
    /// A picture that every frame begins from, in place of noise.
    pub init: Option<InitialLatent>,
}

impl ClipInputs {
    /// Encodes a reference and the prompts of `settings`, whose seed decides all randomness.
    ///
    /// # Errors
    /// A picture of another size than the frames; prompts that are too long or weighted out of range.
    pub fn encode(
        pipeline: &Pipeline,
        reference: ReferencePicture,
        settings: &RenderSettings,
    ) -> Result<Self> {
        Ok(Self {
            reference: reference.encode(&pipeline.model, settings)?,
            prompts: PromptEmbeddings::encode(&pipeline.model, settings)?,
            noise: NoiseSource::new(settings.seed),
            init: None,
        })
    }
}

/// What a frame is made from.
#[derive(Debug, Clone, Copy)]
pub struct FrameInputs<'a> {
    /// Its control image for each ControlNet.
    pub controls: &'a [Option<RgbImage>],
    /// Its draft, where [`RenderSettings::draft`] or a ControlNet asks for one.
    pub draft: Option<&'a DraftFrame>,
}

impl<'a> FrameInputs<'a> {
    /// A frame without a draft.
    pub fn new(controls: &'a [Option<RgbImage>]) -> Self {
        Self { controls, draft: None }
    }
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
    pipeline: &'a Pipeline,
    settings: RenderSettings,
    plan: SamplingPlan,
    texts: GuidanceTexts,
    subject: Option<KeysValues>,
    /// The latent that every frame begins from, if there is one.
    init: Option<Tensor>,
    /// The noise that references carry.
    reference_noise: Tensor,
    references: References,
    /// Number of the next frame.
    next: usize,
    cache: FeatureCache,
    watch: Option<Watch>,
    interrupt: Interrupt,
}

impl Animator<'_> {
    /// Prepares a clip: checks the settings, draws the noise. Frames have drafts where [`RenderSettings::with_drafts`] says so, not where
    /// they are only possible.
    ///
    /// # Errors
    /// A setting out of range, a control image of another size than the frames, noise of the wrong shape.
    pub fn new(
        pipeline: &Pipeline,
        inputs: ClipInputs,
        settings: RenderSettings,
        cache: FeatureCache,
        interrupt: Interrupt,
    ) -> Result<Animator<'_>> {
        let Pipeline { model, controls, .. } = pipeline;
        settings.check(model.factor())?;
        // Whoever makes drafts has said so by then.
        let settings = if settings.draft.if_possible { settings.with_drafts(false) } else { settings };
        let ClipInputs { reference, prompts, noise, init } = inputs;
        let (height, width) = (settings.height / model.factor(), settings.width / model.factor());
        let shape = [1, model.latent_channels, height, width];
        let schedule = pipeline.weights.schedule(&settings)?;
        let place = (&shape[..], &model.device);
        let strength = init.as_ref().map(|init| init.strength).or(settings.draft.strength);
        let plan = SamplingPlan::new(&settings, schedule, noise.clone(), place, strength)?;
        let reference_noise = noise.normal(Purpose::Reference, 0, &shape, DType::F32, &model.device)?;

        let keys_values = |text| TextKeysValues::new(text, &model.unet, controls);
        let texts = GuidanceTexts {
            prompt: Arc::new(keys_values(&prompts.prompt)?),
            negative: keys_values(&prompts.negative)?,
        };
        let subject = reference.subject.filter(|_| settings.beta > 0.0);
        let subject = subject.map(|tokens| model.unet.subject_keys_values(&tokens)).transpose()?;
        let reference = Reference {
            source: AttentionSource::Reference,
            latent: reference.latent,
            noise: reference_noise.clone(),
            mask: reference.mask,
            text: Arc::new(keys_values(&prompts.reference)?),
            controls: embed(pipeline, FrameInputs::new(&reference.controls), &settings)?,
            weight: settings.reference_weight,
        };
        let reference = CachedReference::new(reference, FeatureStore::new(cache));
        let look_back = match (settings.previous_weight, settings.previous_features) {
            (0.0, _) => LookBack::Nothing,
            (weight, PreviousFeatures::Trajectory) => LookBack::Trajectory(Trajectory::new(weight)),
            (_, PreviousFeatures::Renoise) => LookBack::Renoised(None),
        };
        Ok(Animator {
            pipeline,
            settings,
            plan,
            texts,
            subject,
            init: init.map(|init| init.latent),
            reference_noise,
            references: References::new(vec![reference], look_back),
            next: 0,
            cache,
            watch: None,
            interrupt,
        })
    }

    /// Keeps what attention sees in the next frames, which changes nothing of them.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// What attention saw since [`Self::watch`].
    pub fn take_watched(&mut self) -> Watched {
        self.watch.take().map(Watch::into_watched).unwrap_or_default()
    }

    /// The steps that each frame takes.
    pub fn steps(&self) -> usize {
        self.plan.steps()
    }

    /// Renders the next frame. `after_step` is called with the number of steps done.
    ///
    /// # Errors
    /// [`Error::Interrupted`], images of the wrong size, no draft where one is needed, failures of the networks. Unless decoding
    /// failed, the animator then stands where it stood before the call.
    pub fn render(&mut self, frame: FrameInputs, after_step: &mut dyn FnMut(usize)) -> Result<Rendered> {
        // 1. What the ControlNets see, embedded once a frame; its draft.
        let embedded = embed(self.pipeline, frame, &self.settings)?;
        let draft = self.encoded_draft(frame)?;
        let keep = |draft: &EncodedDraft| draft.keep(self.plan.start());
        let kept = draft.as_ref().filter(|_| self.settings.draft.keep_sure).map(keep).transpose()?;
        // 2. Sampling with every reference.
        let looked_at = draft.as_ref().filter(|_| self.settings.draft.weight > 0.0);
        let looked_at = looked_at.map(|draft| self.draft_reference(draft, &embedded));
        self.references.begin_frame(looked_at);
        let mut denoiser = SubjectDenoiser {
            networks: Networks {
                unet: &self.pipeline.model.unet,
                controls: &self.pipeline.controls,
                schedule: self.plan.schedule(),
                subject: self.subject.as_ref().map(|subject| (subject, self.settings.beta)),
                interrupt: &self.interrupt,
            },
            plan: &self.plan,
            deep_cache: DeepCache::new(self.settings.deep_cache),
            texts: &self.texts,
            frame: FrameControls { index: self.next, controls: &embedded },
            references: &mut self.references,
            kept,
            watch: self.watch.as_mut(),
            after_step: Some(after_step),
        };
        let begin = self.init.as_ref().or(draft.as_ref().map(|draft| &draft.latent));
        let mut latent = self.plan.sample(begin, &mut denoiser)?;
        if let Some(kept) = &denoiser.kept {
            latent = kept.apply_at_end(&latent)?;
        }
        // 3. This frame is the previous one; then the picture, which takes the memory that frame before gave back.
        self.look_back_at(latent.clone(), embedded);
        self.references.end_frame();
        memory::give_back();
        let mut image = self.pipeline.model.decode(&latent, self.settings.vae_tile)?;
        if let Some(draft) = frame.draft.filter(|_| self.settings.draft.keep_sure) {
            image = composited(&image, draft);
        }
        Ok(Rendered { image, latent, trajectory: self.references.trajectory().map(Trajectory::tensors) })
    }

    /// Whether the next frame looks back at [`Rendered::trajectory`].
    pub fn wants_trajectory(&self) -> bool {
        self.references.trajectory().is_some()
    }

    /// Takes up a clip after frame `index`, which was rendered before: `latent`, `frame` and `trajectory` are that frame's.
    /// To be called for the clip's first frame, then for the last one that is finished; only there a trajectory is wanted.
    ///
    /// # Errors
    /// Tensors that are no trajectory of this model and these settings.
    pub fn resume_after(
        &mut self,
        index: usize,
        latent: Tensor,
        frame: FrameInputs,
        trajectory: Option<TrajectoryTensors>,
    ) -> Result<()> {
        let device = &self.pipeline.model.device;
        if let Some(tensors) = trajectory {
            self.references.resume(tensors, device)?;
        }
        let embedded = embed(self.pipeline, frame, &self.settings)?;
        self.next = index;
        self.look_back_at(latent.to_device(device)?, embedded);
        Ok(())
    }

    /// Leaves the previous frame out of the next one's references, as at a cut.
    pub fn forget_previous(&mut self) {
        self.references.forget_previous();
    }

    /// The draft of a frame, where it is more than shown to a ControlNet.
    fn encoded_draft(&self, frame: FrameInputs) -> Result<Option<EncodedDraft>> {
        if !self.settings.draft.are_used() {
            return Ok(None);
        }
        let draft = frame.draft.ok_or_else(|| Error::setting("draft", "the frame has none"))?;
        check_size("draft", &draft.image, &self.settings)?;
        EncodedDraft::new(draft, &self.pipeline.model, self.settings.vae_tile).map(Some)
    }

    /// The draft as a reference in the frame's own pose.
    fn draft_reference(&self, draft: &EncodedDraft, controls: &[Option<Tensor>]) -> CachedReference {
        let reference = Reference {
            source: AttentionSource::Draft,
            latent: draft.latent.clone(),
            noise: self.reference_noise.clone(),
            mask: Some(draft.mask.clone()),
            text: self.texts.prompt.clone(),
            controls: controls.to_vec(),
            weight: self.settings.draft.weight,
        };
        CachedReference::new(reference, FeatureStore::new(FeatureCache::Recompute))
    }

    /// Lets the frames after this one, the next, look back at it.
    fn look_back_at(&mut self, latent: Tensor, controls: Vec<Option<Tensor>>) {
        let reference = |source, weight, cache| {
            let (latent, controls) = (latent.clone(), controls.clone());
            let (noise, text) = (self.reference_noise.clone(), self.texts.prompt.clone());
            let reference = Reference { source, latent, noise, mask: None, text, controls, weight };
            CachedReference::new(reference, FeatureStore::new(cache))
        };
        let RenderSettings { first_weight, previous_weight, .. } = self.settings;
        if self.next == 0 && first_weight > 0.0 {
            let first = reference(AttentionSource::First, first_weight, self.cache);
            self.references.lasting.push(first);
        }
        if let LookBack::Renoised(previous) = &mut self.references.look_back {
            let cache = FeatureCache::Recompute;
            *previous = Some(reference(AttentionSource::Previous, previous_weight, cache));
        }
        self.next += 1;
    }
}

/// Each ControlNet's view of its image.
fn embed(
    Pipeline { model, controls: units, .. }: &Pipeline,
    FrameInputs { controls: images, draft }: FrameInputs,
    settings: &RenderSettings,
) -> Result<Vec<Option<Tensor>>> {
    if images.len() != units.len() {
        let problem = format!("{} for {} ControlNets", images.len(), units.len());
        return Err(Error::setting("control images", problem));
    }
    let embed = |(unit, image): (&ControlUnit, &Option<RgbImage>)| {
        let Some(image) = image else { return Ok(None) };
        check_size("control image", image, settings)?;
        let mut pixels = crate::frame::image_to_tensor(image, &model.device)?;
        if let (ControlSource::DraftInpaint, Some(draft)) = (unit.source, draft) {
            pixels = draft.without_unsure(&pixels)?;
        }
        if unit.network.sees_draft() {
            pixels = with_draft(&pixels, draft, settings)?;
        }
        Ok(Some(unit.network.embed(&pixels.to_dtype(model.dtype)?)?))
    };
    units.iter().zip(images).map(embed).collect()
}

/// A control image `(1, 3, height, width)`, and below it the frame's draft and how sure it is, `(1, 7, height, width)`.
fn with_draft(pixels: &Tensor, draft: Option<&DraftFrame>, settings: &RenderSettings) -> Result<Tensor> {
    let Some(draft) = draft else { return Ok(pixels.pad_with_zeros(1, 0, 4)?) };
    check_size("draft", &draft.image, settings)?;
    let image = crate::frame::image_to_tensor(&draft.image, pixels.device())?;
    Ok(Tensor::cat(&[pixels, &image, &draft.confidence_tensor(pixels.device())?], 1)?)
}

fn check_size(name: &str, image: &RgbImage, settings: &RenderSettings) -> Result<()> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if (width, height) == (settings.width, settings.height) {
        return Ok(());
    }
    let problem = format!("is {width}×{height}, the frames are {}×{}", settings.width, settings.height);
    Err(Error::setting(name, problem))
}
