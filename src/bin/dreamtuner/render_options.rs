//! Options that say with which weights and how pictures are rendered: those of `animate`, `image` and `eval`.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use dreamtuner::Result;
use dreamtuner::diffusion::{Guidance, GuidanceInterval, PredictionType, Sampler};
use dreamtuner::model::weights::ModelDefaults;
use dreamtuner::render::feature_store::FeatureCache;
use dreamtuner::render::settings::{PreviousFeatures, RenderSettings};
use dreamtuner::render::weights::{SubjectUse, WeightFiles};
use dreamtuner::video::DecodeSettings;
use serde::{Serialize, Serializer};

use crate::device::DeviceArgs;
use crate::parse::{ControlNetOption, LoraOption, count};

/// Most memory for features, in MiB: a terabyte.
const MOST_FEATURE_MEMORY: u64 = 1 << 20;

/// Weights, likeness, sampling and machine.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RenderArgs {
    /// What it must not show; nothing in particular where absent
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true, help_heading = "Text")]
    negative_prompt: String,
    /// Layer of the text encoder that is used, counted from the last
    #[arg(long, default_value_t = 1, value_name = "LAYER", help_heading = "Text", value_parser = count)]
    clip_skip: usize,

    /// `mini` (inside the program), a diffusers folder, or a .safetensors file of SD 1.x or 2.x
    #[arg(long, default_value = "mini", value_name = "PATH", help_heading = "Weights")]
    model: String,
    /// Folder in the diffusers layout whose config.json files and tokenizer replace the model's own: for single files of
    /// unusual sizes
    #[arg(long, value_name = "FOLDER", help_heading = "Weights")]
    model_config: Option<PathBuf>,
    /// A VAE in place of the model's own
    #[arg(long, value_name = "PATH", help_heading = "Weights")]
    vae: Option<PathBuf>,
    /// A tiny decoder (TAESD) that decodes in its place: faster, with less memory and a little less detail
    #[arg(long, value_name = "PATH", help_heading = "Weights")]
    tiny_vae: Option<PathBuf>,
    /// A ControlNet: PATH or `model` (the model's own); can be repeated. Then if needed ,strength=1,start=0,end=1
    /// (fractions of the steps),video=FILE (in place of the dance),reference=FILE (the reference's control image),source=draft
    /// (for tile and the like: it is shown the draft) or source=draft-inpaint (for inpaint: the draft where it is sure)
    #[arg(long, value_name = "CONTROLNET", default_value = "model", help_heading = "Weights")]
    #[serde(skip_serializing_if = "is_models_own")]
    pub controlnet: Vec<ControlNetOption>,
    /// A LoRA: PATH or PATH:WEIGHT, 1 where no weight is given; can be repeated
    #[arg(long, value_name = "PATH:WEIGHT", help_heading = "Weights")]
    lora: Vec<LoraOption>,
    /// A textual-inversion file; can be repeated
    #[arg(long, value_name = "PATH", help_heading = "Weights")]
    embedding: Vec<PathBuf>,
    /// A subject that `dreamtuner tune` has made; what stands for it comes first in the prompt, unless its word is there
    #[arg(long, value_name = "FILE", help_heading = "Weights")]
    subject: Option<PathBuf>,
    /// A subject encoder in place of the model's own: its folder, with image_encoder in it or beside it
    #[arg(long, value_name = "PATH", help_heading = "Weights")]
    subject_encoder: Option<PathBuf>,
    /// What the U-Net predicts; as the model says where absent
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Weights")]
    prediction: Option<PredictionType>,

    /// Strength of the subject encoder (β), where there is one; 0 leaves it out, 1 is what it was trained with [default: the
    /// model's own, else 0.2]
    #[arg(long, value_name = "0-2", help_heading = "Likeness")]
    beta: Option<f64>,
    /// How much the reference counts in self-subject-attention; 0 leaves it out [default: the model's own, else 10 in clips, 3 in
    /// stills]
    #[arg(long, value_name = "WEIGHT", help_heading = "Likeness")]
    pub reference_weight: Option<f64>,
    /// Steps of each frame [default: the model's own, else 20]
    #[arg(long, value_name = "NUMBER", help_heading = "Sampling", value_parser = count)]
    steps: Option<usize>,
    /// How the steps are taken
    #[arg(long, default_value = "ddim", value_name = "NAME", help_heading = "Sampling",
        value_parser = PossibleValuesParser::new(Sampler::names()).try_map(|name| name.parse::<Sampler>()))]
    sampler: Sampler,
    /// Seed of all randomness
    #[arg(long, default_value_t = 0, value_name = "NUMBER", help_heading = "Sampling")]
    #[serde(serialize_with = "as_text")]
    pub seed: u64,
    /// DreamTuner's interleaved guidance, or plain classifier-free guidance [default: the model's own with drafts, else interleaved]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Sampling")]
    guidance: Option<GuidanceOption>,
    /// The part of the steps that is guided, as fractions; the others take one pass instead of two
    #[arg(long, default_value_t, value_name = "START:END", help_heading = "Sampling")]
    guidance_interval: GuidanceInterval,
    /// Compute the U-Net's deep layers in one of so many steps only (DeepCache): faster, not quite the same
    #[arg(long, default_value_t = 1, value_name = "STEPS", help_heading = "Sampling", value_parser = count)]
    deep_cache: usize,
    /// Guidance scale towards the text (ω_c) [default: the model's own, else 7.5]
    #[arg(long, value_name = "SCALE", help_heading = "Sampling")]
    guidance_scale: Option<f64>,
    /// Guidance scale towards the reference (ω_r), interleaved only [default: the model's own, else 2]
    #[arg(long, value_name = "SCALE", help_heading = "Sampling")]
    reference_scale: Option<f64>,
    /// How often a step follows the reference rather than the text (p_r), interleaved only [default: the model's own, else 0.9]
    #[arg(long, value_name = "0-1", help_heading = "Sampling")]
    reference_probability: Option<f64>,
    /// How much less noise the reference carries than the frame (Δt), interleaved only [default: the model's own, else 10]
    #[arg(long, value_name = "TIMESTEPS", help_heading = "Sampling")]
    less_noise: Option<f64>,
    /// How much more noise it carries in the negative pass (Δt'), interleaved only [default: the model's own, else 10]
    #[arg(long, value_name = "TIMESTEPS", help_heading = "Sampling")]
    more_noise: Option<f64>,

    #[command(flatten)]
    #[serde(flatten)]
    pub device: DeviceArgs,
    /// Memory for the features of the reference, and again for those of the first frame if it counts, in MiB. What
    /// exceeds it goes to a temporary file, with --low-memory everything
    #[arg(long, default_value_t = 256, value_name = "MIB", help_heading = "Machine",
        value_parser = clap::value_parser!(u64).range(..=MOST_FEATURE_MEMORY))]
    feature_memory: u64,
    /// Compute the reference's features again for every frame: slow, for comparison
    #[arg(long, help_heading = "Machine")]
    recompute_features: bool,
}

/// The default is not saved: options that can be repeated add up.
fn is_models_own(controlnets: &Vec<ControlNetOption>) -> bool {
    matches!(controlnets.as_slice(), [only] if only.is_models_own())
}

/// For types that are read from their text.
pub fn as_text<S: Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Which part of a dance is used.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TimeArgs {
    /// First second of the dance that is used; its beginning where absent
    #[arg(long, value_name = "SECONDS", help_heading = "Input")]
    start: Option<f64>,
    /// The dance is used up to this second; its end where absent
    #[arg(long, value_name = "SECONDS", help_heading = "Input")]
    end: Option<f64>,
    /// Frames a second, 0.01 to 1000; the dance's own where absent, 24 where it has none
    #[arg(long, value_name = "NUMBER", help_heading = "Input")]
    fps: Option<f64>,
}

impl TimeArgs {
    /// Whether any of them is given.
    pub fn are_given(&self) -> bool {
        self.start.or(self.end).or(self.fps).is_some()
    }

    /// How the dance is decoded.
    pub fn decode(&self) -> DecodeSettings {
        DecodeSettings { start: self.start, end: self.end, frames_per_second: self.fps }
    }
}

/// How frames hold together.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CoherenceArgs {
    /// How much the previous frame counts [default: the model's own, else 1]
    #[arg(long, value_name = "WEIGHT", help_heading = "Coherence")]
    previous_weight: Option<f64>,
    /// Whether the previous frame is noised again and passes through the network at each step, as published, or its own
    /// steps are looked back at, which takes no pass
    #[arg(long, value_enum, default_value_t, value_name = "KIND", help_heading = "Coherence")]
    previous_features: PreviousFeatures,
    /// How much the first frame counts
    #[arg(long, default_value_t = 0.0, value_name = "WEIGHT", help_heading = "Coherence")]
    first_weight: f64,
}

impl CoherenceArgs {
    /// Whether a weight is given.
    pub fn is_given(&self) -> bool {
        self.previous_weight.is_some() || self.first_weight != 0.0
    }

    /// Settings of a clip.
    pub fn on(&self, settings: RenderSettings) -> RenderSettings {
        RenderSettings {
            previous_weight: self.previous_weight.unwrap_or(settings.previous_weight),
            previous_features: self.previous_features,
            first_weight: self.first_weight,
            ..settings
        }
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum GuidanceOption {
    /// DreamTuner, Eq. 4-6
    #[default]
    Interleaved,
    /// Two passes a step, with prompt and negative prompt
    ClassifierFree,
}

impl RenderArgs {
    /// Whether a ControlNet is shown drafts.
    pub fn shows_drafts(&self) -> bool {
        self.controlnet.iter().any(ControlNetOption::is_shown_draft)
    }

    /// The files of the weights.
    pub fn weights(&self) -> WeightFiles {
        WeightFiles {
            model: (self.model != "mini").then(|| self.model.clone().into()),
            model_config: self.model_config.clone(),
            vae: self.vae.clone(),
            tiny_vae: self.tiny_vae.clone(),
            loras: self.lora.iter().map(|option| (option.path.clone(), option.weight)).collect(),
            textual_inversions: self.embedding.clone(),
            controlnets: self.controlnet.iter().map(|option| option.file.clone()).collect(),
            subject_encoder: self.subject_encoder.clone(),
            subject: self.subject.clone(),
            subject_use: match self.beta {
                None if self.subject_encoder.is_none() => SubjectUse::IfThere,
                Some(0.0) => SubjectUse::Never,
                _ => SubjectUse::Needed,
            },
        }
    }

    /// The same, without ControlNets where nothing is `shown` to them: a model need not have one then.
    ///
    /// # Errors
    /// Weights and strengths outside their ranges, also of ControlNets that are left out.
    pub fn weights_where(&self, shown: bool) -> Result<WeightFiles> {
        let weights = self.weights();
        weights.check()?;
        Ok(if shown { weights } else { WeightFiles { controlnets: Vec::new(), ..weights } })
    }

    /// What the model is called.
    pub fn model_name(&self) -> String {
        let name = Path::new(&self.model).file_stem();
        name.map_or_else(|| self.model.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// What happens to the reference's features.
    pub fn cache(&self) -> FeatureCache {
        if self.recompute_features {
            return FeatureCache::Recompute;
        }
        let budget = if self.device.low_memory { 0 } else { self.feature_memory as usize };
        FeatureCache::Keep { bytes: budget.saturating_mul(1 << 20) }
    }

    /// What suits the model.
    ///
    /// # Errors
    /// Defaults of the model that cannot be read.
    pub fn defaults(&self) -> Result<ModelDefaults> {
        ModelDefaults::of(self.weights().model.as_deref())
    }

    /// Whether an option says how passes are combined.
    pub fn chooses_guidance(&self) -> bool {
        let scales = [self.guidance_scale, self.reference_scale, self.reference_probability];
        self.guidance.is_some() || scales.iter().any(Option::is_some)
    }

    /// What the frames look like, but for the texts. The size, and with it the tile, is chosen once model and dance are known.
    ///
    /// # Errors
    /// Defaults of the model that cannot be read.
    pub fn settings(&self) -> Result<RenderSettings> {
        let defaults = self.defaults()?;
        Ok(RenderSettings {
            negative_prompt: self.negative_prompt.clone(),
            clip_skip: self.clip_skip,
            seed: self.seed,
            steps: self.steps.unwrap_or(defaults.steps),
            sampler: self.sampler,
            guidance: self.guidance(&defaults),
            guidance_interval: self.guidance_interval,
            deep_cache: self.deep_cache,
            prediction: self.prediction,
            beta: self.beta.unwrap_or(defaults.beta),
            reference_weight: self.reference_weight.unwrap_or(defaults.reference_weight),
            ..RenderSettings::square(&defaults, 0)
        })
    }

    fn guidance(&self, defaults: &ModelDefaults) -> Guidance {
        let text_scale = self.guidance_scale.unwrap_or(defaults.guidance_scale);
        match self.guidance.unwrap_or_default() {
            GuidanceOption::ClassifierFree => Guidance::ClassifierFree { scale: text_scale },
            GuidanceOption::Interleaved => Guidance::Interleaved {
                reference_probability: self.reference_probability.unwrap_or(defaults.reference_probability),
                reference_scale: self.reference_scale.unwrap_or(defaults.reference_scale),
                text_scale,
                less_noise: self.less_noise.unwrap_or(defaults.less_noise),
                more_noise: self.more_noise.unwrap_or(defaults.more_noise),
            },
        }
    }
}
