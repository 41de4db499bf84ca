//! The choice of a sampler by name, and its one entry point.

use std::fmt;
use std::str::FromStr;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::multistep::{dpm_plus_plus_2m, dpm_plus_plus_2m_sde, unipc};
use super::single_step::{ddim, euler, euler_ancestral, lcm};
use super::steps::{StepList, list_steps};
use crate::diffusion::{Denoiser, NoiseSource, Schedule, Step, TimestepSpacing};
use crate::error::{Error, Result};

/// A way of walking from noise to a clean latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sampler {
    /// `ddim`: Song et al. 2021, without added noise.
    Ddim,
    /// `euler`: Euler's method in k-diffusion's coordinates (Karras et al. 2022, algorithm 2 without churn).
    Euler,
    /// `euler-ancestral`: Euler's method, with part of the noise renewed at every step.
    EulerAncestral,
    /// `dpm++-2m`: DPM-Solver++, second order, multistep (Lu et al. 2022).
    DpmPlusPlus2M,
    /// `dpm++-2m-karras`: the same on the noise levels of Karras et al. 2022.
    DpmPlusPlus2MKarras,
    /// `dpm++-2m-sde`: the same with part of the noise renewed at every step.
    DpmPlusPlus2MSde,
    /// `unipc`: UniPC, second order, B₂(h) (Zhao et al. 2023).
    UniPc,
    /// `lcm`: multistep consistency sampling (Luo et al. 2023), for models or LoRAs distilled for it.
    Lcm,
}

impl Sampler {
    /// All samplers.
    pub const ALL: [Self; 8] = [
        Self::Ddim,
        Self::Euler,
        Self::EulerAncestral,
        Self::DpmPlusPlus2M,
        Self::DpmPlusPlus2MKarras,
        Self::DpmPlusPlus2MSde,
        Self::UniPc,
        Self::Lcm,
    ];

    /// The name in settings and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-ancestral",
            Self::DpmPlusPlus2M => "dpm++-2m",
            Self::DpmPlusPlus2MKarras => "dpm++-2m-karras",
            Self::DpmPlusPlus2MSde => "dpm++-2m-sde",
            Self::UniPc => "unipc",
            Self::Lcm => "lcm",
        }
    }

    /// The names of all samplers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::name)
    }

    /// The steps that [`sample`] will take, noisiest first: `count` of them, 1 to the schedule's
    /// `num_train_timesteps` (LCM: to its `original_inference_steps`).
    ///
    /// # Errors
    /// [`Error::Setting`] where `count` is out of range, or so large that steps would coincide or leave the schedule.
    /// Also where the schedule's prediction type cannot be read at one of the steps.
    pub fn steps(self, schedule: &Schedule, count: usize) -> Result<Vec<Step>> {
        let steps = list_steps(self, schedule, count)?;
        steps.iter().try_for_each(|step| schedule.config().prediction_type.check(step))?;
        Ok(steps)
    }

    /// How its time steps are chosen.
    pub(super) fn step_list(self) -> StepList {
        match self {
            Self::Ddim => StepList::Spaced,
            Self::Euler | Self::EulerAncestral => StepList::Euler,
            Self::DpmPlusPlus2M | Self::DpmPlusPlus2MSde | Self::UniPc => StepList::Multistep,
            Self::DpmPlusPlus2MKarras => StepList::Karras,
            Self::Lcm => StepList::Consistency,
        }
    }

    /// Which time steps are visited: as the schedule says, else diffusers' default for this sampler.
    pub(super) fn spacing(self, schedule: &Schedule) -> TimestepSpacing {
        schedule.config().timestep_spacing.unwrap_or(match self {
            Self::Ddim | Self::Lcm => TimestepSpacing::Leading,
            _ => TimestepSpacing::Linspace,
        })
    }

    /// What unit noise is multiplied by to start at the first step: diffusers' Euler samplers start at
    /// `sigma·noise` unless the spacing is leading, all others at the noise itself.
    fn initial_scale(self, schedule: &Schedule, first: &Step) -> f64 {
        match self {
            Self::Euler | Self::EulerAncestral if self.spacing(schedule) != TimestepSpacing::Leading => {
                first.sigma
            }
            _ => 1.0,
        }
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Sampler {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|sampler| sampler.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::names().collect();
            Error::setting("sampler", format!("found {text:?}; allowed {}", names.join(", ")))
        })
    }
}

impl TryFrom<String> for Sampler {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Sampler> for String {
    fn from(sampler: Sampler) -> Self {
        sampler.name().to_owned()
    }
}

/// Makes a clean latent from `initial_noise` (unit normal, `(batch, channels, height, width)`), calling `denoiser`
/// once for each of `steps` (the whole list from [`Sampler::steps`]). The result has the shape and type of the noise.
///
/// # Errors
/// Those of `denoiser` and of `noise` (asked by the samplers that add noise only); [`Error::Setting`] for no steps.
pub fn sample(
    sampler: Sampler,
    schedule: &Schedule,
    steps: &[Step],
    initial_noise: &Tensor,
    noise: &NoiseSource,
    denoiser: &mut dyn Denoiser,
) -> Result<Tensor> {
    let first = steps.first().ok_or_else(no_steps)?;
    let latent = (initial_noise * sampler.initial_scale(schedule, first))?;
    sample_from(sampler, schedule, steps, &latent, noise, denoiser)
}

/// As [`sample`], from a latent already noised to the level of the first of `steps` (`alpha·clean + sigma·noise`);
/// `steps` may be any tail of the sampler's list.
///
/// # Errors
/// As [`sample`].
pub fn sample_from(
    sampler: Sampler,
    schedule: &Schedule,
    steps: &[Step],
    latent: &Tensor,
    noise: &NoiseSource,
    denoiser: &mut dyn Denoiser,
) -> Result<Tensor> {
    if steps.is_empty() {
        return Err(no_steps());
    }
    let latent = latent.clone();
    match sampler {
        Sampler::Ddim => ddim(schedule, steps, latent, denoiser),
        Sampler::Euler => euler(steps, latent, denoiser),
        Sampler::EulerAncestral => euler_ancestral(steps, latent, noise, denoiser),
        Sampler::DpmPlusPlus2M | Sampler::DpmPlusPlus2MKarras => dpm_plus_plus_2m(steps, latent, denoiser),
        Sampler::DpmPlusPlus2MSde => dpm_plus_plus_2m_sde(steps, latent, noise, denoiser),
        Sampler::UniPc => unipc(steps, latent, denoiser),
        Sampler::Lcm => lcm(schedule, steps, latent, noise, denoiser),
    }
}

fn no_steps() -> Error {
    Error::setting("steps", "found 0; allowed 1 or more")
}
