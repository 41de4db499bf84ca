//! What a render is told: everything that decides what its frames look like.

use serde::{Deserialize, Serialize};

use crate::diffusion::{Guidance, GuidanceInterval, PredictionType, Sampler, Schedule, ScheduleConfig};
use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;
use crate::model::weights::{ModelDefaults, SubjectPhrase};
use crate::render::draft::DraftSettings;

/// Settings of a render. Together with the inputs and the weights they decide every byte of every frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderSettings {
    /// Width of the frames in pixels, a multiple of the VAE's factor.
    pub width: usize,
    /// Height of the frames in pixels, a multiple of the VAE's factor.
    pub height: usize,
    /// What the frames show.
    pub prompt: String,
    /// What they must not show.
    pub negative_prompt: String,
    /// What the reference shows; the prompt where absent.
    pub reference_prompt: Option<String>,
    /// Which of the text encoder's layers is used, counted from the last: 1.
    pub clip_skip: usize,
    /// Seed of all randomness.
    pub seed: u64,
    /// Number of steps, 1 to the number of training timesteps.
    pub steps: usize,
    /// How the steps are taken.
    pub sampler: Sampler,
    /// How the passes of a step are combined.
    pub guidance: Guidance,
    /// In which steps they are combined.
    #[serde(default)]
    pub guidance_interval: GuidanceInterval,
    /// In one of how many steps the U-Net's deep layers are computed ([`crate::render::deep_cache`]).
    #[serde(default = "every_step")]
    pub deep_cache: usize,
    /// What the U-Net predicts; as the model's files say where absent.
    pub prediction: Option<PredictionType>,
    /// β: strength of subject-encoder-attention, where the model has a subject encoder.
    #[serde(default)]
    pub beta: f64,
    /// ω of the reference picture.
    pub reference_weight: f64,
    /// ω of the previous frame.
    pub previous_weight: f64,
    /// Where the previous frame's features come from.
    #[serde(default)]
    pub previous_features: PreviousFeatures,
    /// ω of the first frame.
    pub first_weight: f64,
    /// Side in pixels of the tiles that the VAE works in; whole pictures where absent.
    pub vae_tile: Option<usize>,
    /// What frames take from their drafts.
    #[serde(default, skip_serializing_if = "DraftSettings::are_unused")]
    pub draft: DraftSettings,
}

/// Where the features of the previous frame come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PreviousFeatures {
    /// The finished frame is noised again and passes through the network at each step, as published.
    Renoise,
    /// Those that the frame had while it was made, at the same step: no pass through the network.
    #[default]
    Trajectory,
}

fn every_step() -> usize {
    1
}

/// Largest weight of a reference.
const LARGEST_WEIGHT: f64 = 10_000.0;
/// Largest β: 1 is what subject encoders are trained with.
const LARGEST_BETA: f64 = 2.0;
/// Most steps that share deep features: after as many, nothing of them is true any more.
const LARGEST_DEEP_CACHE: usize = 20;

impl RenderSettings {
    /// Those that suit a model, for frames of `side` × `side` pixels without texts.
    pub fn square(defaults: &ModelDefaults, side: u32) -> Self {
        Self {
            width: side as usize,
            height: side as usize,
            prompt: String::new(),
            negative_prompt: String::new(),
            reference_prompt: None,
            clip_skip: 1,
            seed: 0,
            steps: defaults.steps,
            sampler: Sampler::Ddim,
            guidance: Guidance::Interleaved {
                reference_probability: defaults.reference_probability,
                reference_scale: defaults.reference_scale,
                text_scale: defaults.guidance_scale,
                less_noise: defaults.less_noise,
                more_noise: defaults.more_noise,
            },
            guidance_interval: GuidanceInterval::ALL,
            deep_cache: 1,
            prediction: None,
            beta: defaults.beta,
            reference_weight: defaults.reference_weight,
            previous_weight: defaults.previous_weight,
            previous_features: PreviousFeatures::default(),
            first_weight: 0.0,
            vae_tile: None,
            draft: defaults.draft.into(),
        }
    }

    /// These settings where frames have drafts, or have none.
    pub fn with_drafts(self, there: bool) -> Self {
        if !there {
            return Self { draft: DraftSettings::default(), ..self };
        }
        let guidance = match self.draft.guidance_scale {
            Some(scale) => Guidance::ClassifierFree { scale },
            None => self.guidance,
        };
        Self {
            guidance,
            draft: DraftSettings { guidance_scale: None, if_possible: false, ..self.draft },
            ..self
        }
    }

    /// These settings, with texts that speak of a tuned subject.
    pub fn with_subject(self, phrase: Option<&SubjectPhrase>) -> Self {
        let Some(phrase) = phrase else { return self };
        Self {
            prompt: phrase.in_text(&self.prompt),
            reference_prompt: self.reference_prompt.map(|text| phrase.in_text(&text)),
            ..self
        }
    }

    /// The noise schedule of a model that was trained with `config`, with the prediction type asked for.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub fn schedule(&self, config: &ScheduleConfig) -> Result<Schedule> {
        let prediction_type = self.prediction.unwrap_or(config.prediction_type);
        Schedule::new(ScheduleConfig { prediction_type, ..config.clone() })
    }

    /// Refuses values outside their ranges, as far as they can be told without a model.
    ///
    /// # Errors
    /// [`Error::Setting`] with the value and the allowed range.
    pub fn check_values(&self) -> Result<()> {
        for (name, weight) in [
            ("reference-weight", self.reference_weight),
            ("previous-weight", self.previous_weight),
            ("first-weight", self.first_weight),
            ("draft-weight", self.draft.weight),
        ] {
            if !(0.0..=LARGEST_WEIGHT).contains(&weight) {
                return Err(Error::setting(name, format!("{weight}; 0 to {LARGEST_WEIGHT} is allowed")));
            }
        }
        if let Some(strength) = self.draft.strength.filter(|strength| !(0.0..=1.0).contains(strength)) {
            return Err(Error::setting("strength", format!("{strength}; 0 to 1 is allowed")));
        }
        if !(0.0..=LARGEST_BETA).contains(&self.beta) {
            return Err(Error::setting("beta", format!("{}; 0 to {LARGEST_BETA} is allowed", self.beta)));
        }
        for (name, value) in [("steps", self.steps), ("clip-skip", self.clip_skip)] {
            if value == 0 {
                return Err(Error::setting(name, "0; 1 or more is allowed"));
            }
        }
        let largest = LARGEST_DEEP_CACHE;
        if !(1..=largest).contains(&self.deep_cache) {
            let problem = format!("{}; 1 to {largest} steps are allowed", self.deep_cache);
            return Err(Error::setting("deep-cache", problem));
        }
        self.guidance.check()
    }

    /// Refuses values outside their ranges. `factor` is the VAE's.
    ///
    /// # Errors
    /// [`Error::Setting`] with the value and the allowed range.
    pub fn check(&self, factor: usize) -> Result<()> {
        self.check_values()?;
        for (name, side) in [("width", self.width), ("height", self.height)] {
            if side == 0 || side > MAX_SIDE as usize || !side.is_multiple_of(factor) {
                let problem = format!("{name} {side}; multiples of {factor} up to {MAX_SIDE} are allowed");
                return Err(Error::setting("size", problem));
            }
        }
        if let Some(tile) = self.vae_tile
            && (tile < 8 * factor || !tile.is_multiple_of(4 * factor))
        {
            let problem = format!("{tile}; multiples of {} from {} are allowed", 4 * factor, 8 * factor);
            return Err(Error::setting("vae-tile", problem));
        }
        Ok(())
    }
}
