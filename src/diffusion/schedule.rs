//! How noisy each training time step is: the `scheduler_config.json` of a diffusers folder.

use std::path::Path;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::denoiser::PredictionType;
use super::noise_level::NoiseLevel;
use crate::error::{Error, Result};
use crate::files::read;

/// Longest schedule accepted; Stable Diffusion has 1000 time steps.
const MAX_TRAIN_TIMESTEPS: usize = 100_000;
/// Largest `scheduler_config.json` read, in bytes (100,000 `trained_betas` fit).
const MAX_CONFIG_BYTES: u64 = 16 << 20;
/// diffusers' stand-in for a last `alpha²` of 0 in the samplers that divide by it.
const SMALLEST_ALPHA_SQUARED: f64 = 1.0 / (1 << 24) as f64;

/// How the variance added per training time step grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BetaSchedule {
    /// Evenly from `beta_start` to `beta_end` (Ho et al. 2020).
    #[default]
    #[serde(rename = "linear")]
    Linear,
    /// The square roots grow evenly (latent diffusion; all of Stable Diffusion).
    #[serde(rename = "scaled_linear")]
    ScaledLinear,
    /// Squared cosine, betas of at most 0.999 (Nichol & Dhariwal 2021); ignores `beta_start` and `beta_end`.
    #[serde(rename = "squaredcos_cap_v2")]
    SquaredCosine,
}

/// Which training time steps a short run visits (Lin et al. 2023, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimestepSpacing {
    /// Every n-th from `steps_offset` up; may stop short of the noisiest.
    Leading,
    /// Every n-th from the noisiest down.
    Trailing,
    /// Evenly, both ends included.
    Linspace,
}

/// The fields of a diffusers `scheduler_config.json` that matter here; others are ignored, absent ones take
/// diffusers' defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleConfig {
    /// The diffusers class that wrote the file.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Number of training time steps, 2 to 100,000 (default 1000).
    pub num_train_timesteps: usize,
    /// First beta, above 0 and below 1 (default 0.0001).
    pub beta_start: f64,
    /// Last beta, above 0 and below 1 (default 0.02).
    pub beta_end: f64,
    /// How betas grow between the two (default linear).
    pub beta_schedule: BetaSchedule,
    /// The betas themselves, `num_train_timesteps` of them, in place of the three fields above (default none).
    pub trained_betas: Option<Vec<f64>>,
    /// What the network predicts (default epsilon).
    pub prediction_type: PredictionType,
    /// Which time steps a run visits (default: leading for DDIM, linspace for the Euler, DPM++ and UniPC samplers;
    /// LCM has its own).
    pub timestep_spacing: Option<TimestepSpacing>,
    /// Added to every time step of leading spacing (default 0; Stable Diffusion: 1).
    pub steps_offset: usize,
    /// DDIM ends at the clean latent (true, the default) or at the noise level of time step 0.
    pub set_alpha_to_one: bool,
    /// DDIM and LCM clip the predicted clean latent. Absent: no, save for DDIM when the file is of that class or of
    /// none, as that is its default in diffusers.
    pub clip_sample: Option<bool>,
    /// Largest magnitude left by `clip_sample`, above 0 (default 1).
    pub clip_sample_range: f64,
    /// Dynamic thresholding; unfit for latents and refused (default false).
    pub thresholding: bool,
    /// Betas are rescaled so that the last time step is pure noise (Lin et al. 2023; default false).
    pub rescale_betas_zero_snr: bool,
    /// LCM: length of the schedule it was distilled on, 1 to `num_train_timesteps` (default 50; other samplers
    /// ignore it).
    pub original_inference_steps: usize,
    /// LCM: factor on the time step in the boundary condition, above 0 (default 10).
    pub timestep_scaling: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            class_name: None,
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            trained_betas: None,
            prediction_type: PredictionType::Epsilon,
            timestep_spacing: None,
            steps_offset: 0,
            set_alpha_to_one: true,
            clip_sample: None,
            clip_sample_range: 1.0,
            thresholding: false,
            rescale_betas_zero_snr: false,
            original_inference_steps: 50,
            timestep_scaling: 10.0,
        }
    }
}

impl ScheduleConfig {
    /// What Stable Diffusion 1 and 2 were trained with, for weights that come without a `scheduler_config.json`.
    pub fn stable_diffusion(prediction_type: PredictionType) -> Self {
        Self {
            beta_start: 0.00085,
            beta_end: 0.012,
            beta_schedule: BetaSchedule::ScaledLinear,
            prediction_type,
            timestep_spacing: Some(TimestepSpacing::Leading),
            steps_offset: 1,
            set_alpha_to_one: false,
            clip_sample: Some(false),
            ..Self::default()
        }
    }

    /// Reads a `scheduler_config.json` of at most 16 MiB.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Weights`] where it is no such file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = read(path, MAX_CONFIG_BYTES).map_err(Error::of_weights)?;
        // By way of a map, as a JSON list would pass for a structure whose fields may all be absent.
        serde_json::from_slice::<serde_json::Map<_, _>>(&bytes)
            .and_then(|fields| serde_json::from_value(fields.into()))
            .map_err(|error| Error::weights(path, format!("not a scheduler configuration: {error}")))
    }

    /// From the contents of a `scheduler_config.json`.
    ///
    /// # Errors
    /// [`Error::Setting`] for values of the wrong kind.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        serde_json::from_value(json.clone())
            .map_err(|error| Error::setting("scheduler_config.json", error.to_string()))
    }

    fn validate(&self) -> Result<()> {
        let steps = self.num_train_timesteps;
        in_range("num_train_timesteps", steps, 2, MAX_TRAIN_TIMESTEPS)?;
        in_range("steps_offset", self.steps_offset, 0, steps - 1)?;
        positive("clip_sample_range", self.clip_sample_range)?;
        positive("timestep_scaling", self.timestep_scaling)?;
        if self.thresholding {
            return Err(Error::setting("thresholding", "found true; only false is supported for latents"));
        }
        if let Some(betas) = &self.trained_betas {
            if betas.len() != steps {
                let problem = format!("found {} values; allowed {steps} (num_train_timesteps)", betas.len());
                return Err(Error::setting("trained_betas", problem));
            }
            betas.iter().try_for_each(|&beta| fraction("trained_betas", beta))
        } else {
            fraction("beta_start", self.beta_start)?;
            fraction("beta_end", self.beta_end)
        }
    }

    /// Whether a sampler clips the predicted clean latent, where `class` is its name in diffusers and `default` what
    /// that class does when nothing is said.
    pub(super) fn clips(&self, class: &str, default: bool) -> bool {
        let own_default = self.class_name.as_deref().is_none_or(|name| name == class);
        self.clip_sample.unwrap_or(default && own_default)
    }

    fn betas(&self) -> Vec<f64> {
        if let Some(betas) = &self.trained_betas {
            return betas.clone();
        }
        let count = self.num_train_timesteps;
        let between = |start: f64, end: f64, index: usize| {
            start + (end - start) * index as f64 / count.saturating_sub(1).max(1) as f64
        };
        let beta = |index| match self.beta_schedule {
            BetaSchedule::Linear => between(self.beta_start, self.beta_end, index),
            BetaSchedule::ScaledLinear => {
                between(self.beta_start.sqrt(), self.beta_end.sqrt(), index).powi(2)
            }
            BetaSchedule::SquaredCosine => {
                let alpha_bar = |index: usize| {
                    let time = index as f64 / count as f64;
                    ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2)
                };
                (1.0 - alpha_bar(index + 1) / alpha_bar(index)).min(0.999)
            }
        };
        (0..count).map(beta).collect()
    }
}

/// A validated [`ScheduleConfig`] and its noise levels.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    alphas_cumprod: Vec<f64>,
}

impl Schedule {
    /// Computes the noise levels.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first field out of its range.
    pub fn new(config: ScheduleConfig) -> Result<Self> {
        config.validate()?;
        let mut alphas_cumprod: Vec<f64> = config
            .betas()
            .iter()
            .scan(1.0, |product, beta| {
                *product *= 1.0 - beta;
                Some(*product)
            })
            .collect();
        let starts_below_one = alphas_cumprod.first().is_some_and(|&first| first < 1.0);
        if !starts_below_one || !alphas_cumprod.is_sorted_by(|earlier, later| earlier > later && *later > 0.0)
        {
            let problem = "too small or too large: neighbouring time steps must differ in noise, and the last \
                           must keep some of the picture";
            return Err(Error::setting("trained_betas, beta_start, beta_end", problem));
        }
        if config.rescale_betas_zero_snr {
            rescale_to_zero_terminal_snr(&mut alphas_cumprod);
        }
        Ok(Self { config, alphas_cumprod })
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &ScheduleConfig {
        &self.config
    }

    /// `alpha²` of every training time step, decreasing; exactly 0 at the end with zero terminal SNR.
    pub fn alphas_cumprod(&self) -> &[f64] {
        &self.alphas_cumprod
    }

    /// The last (noisiest) training time step.
    pub fn last_timestep(&self) -> usize {
        self.alphas_cumprod.len().saturating_sub(1)
    }

    /// `alpha` of `timestep`; see [`Schedule::level`].
    pub fn alpha(&self, timestep: f64) -> f64 {
        self.level(timestep).alpha
    }

    /// `sigma` of `timestep`; see [`Schedule::level`].
    pub fn sigma(&self, timestep: f64) -> f64 {
        self.level(timestep).sigma
    }

    /// The noise level of `timestep`, clamped to 0 ..= `last_timestep`; between whole ones `sigma / alpha` is
    /// interpolated, as diffusers' Euler samplers do.
    pub fn level(&self, timestep: f64) -> NoiseLevel {
        let timestep = timestep.clamp(0.0, self.last_timestep() as f64);
        if timestep.fract() == 0.0 {
            return NoiseLevel::from_alpha_squared(self.alpha_squared(timestep as usize));
        }
        let (low, high) = (timestep.floor(), timestep.ceil());
        let (low_ratio, high_ratio) = (self.finite_level(low).ratio(), self.finite_level(high).ratio());
        NoiseLevel::from_ratio(low_ratio + (high_ratio - low_ratio) * (timestep - low))
    }

    /// As [`Schedule::level`], but `alpha²` is never below 2⁻²⁴ with zero terminal SNR: what diffusers does in the
    /// samplers that need a finite `sigma / alpha`.
    pub fn finite_level(&self, timestep: f64) -> NoiseLevel {
        let level = self.level(timestep);
        if self.config.rescale_betas_zero_snr && level.alpha * level.alpha < SMALLEST_ALPHA_SQUARED {
            return NoiseLevel::from_alpha_squared(SMALLEST_ALPHA_SQUARED);
        }
        level
    }

    /// The clean latent noised to `timestep`: `alpha·clean + sigma·noise`, same shapes and types.
    pub fn add_noise(&self, clean: &Tensor, noise: &Tensor, timestep: f64) -> Result<Tensor> {
        self.level(timestep).mix(clean, noise)
    }

    fn alpha_squared(&self, timestep: usize) -> f64 {
        self.alphas_cumprod.get(timestep).copied().unwrap_or_default()
    }
}

/// Shifts and scales `alpha` so that it keeps its first value and ends at 0 (Lin et al. 2023, algorithm 1).
fn rescale_to_zero_terminal_snr(alphas_cumprod: &mut [f64]) {
    let (Some(first), Some(last)) =
        (alphas_cumprod.first().map(|a| a.sqrt()), alphas_cumprod.last().map(|a| a.sqrt()))
    else {
        return;
    };
    for alpha_squared in alphas_cumprod {
        *alpha_squared = ((alpha_squared.sqrt() - last) * first / (first - last)).powi(2);
    }
}

pub(super) fn in_range(name: &str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::setting(name, format!("found {value}; allowed {least} to {most}")))
}

fn positive(name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::setting(name, format!("found {value}; allowed above 0")))
}

fn fraction(name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Error::setting(name, format!("found {value}; allowed above 0 and below 1")))
}
