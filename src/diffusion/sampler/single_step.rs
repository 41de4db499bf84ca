//! Samplers that look at one prediction at a time.

use candle_core::Tensor;

use crate::diffusion::arithmetic::weighted_sum;
use crate::diffusion::{Denoiser, NoiseLevel, NoiseSource, Prediction, Purpose, Schedule, Step};
use crate::error::Result;

/// LCM's assumed standard deviation of clean latents.
const LCM_SIGMA_DATA: f64 = 0.5;

/// DDIM with η = 0 (Song et al. 2021, <https://arxiv.org/abs/2010.02502>, equation 12):
/// `x' = alpha'·clean + sigma'·noise`.
///
/// As in diffusers the primed level is `num_train_timesteps / count` time steps below, wherever the next step is.
pub(super) fn ddim(
    schedule: &Schedule,
    steps: &[Step],
    mut latent: Tensor,
    denoiser: &mut dyn Denoiser,
) -> Result<Tensor> {
    let config = schedule.config();
    let clips = config.clips("DDIMScheduler", true);
    for step in steps {
        let prediction = denoiser.predict(&latent, step)?;
        let clean = clip(prediction.clean, clips, config.clip_sample_range)?;
        let target = step.timestep - (config.num_train_timesteps / step.count.max(1)) as f64;
        let level = match target {
            target if target >= 0.0 => schedule.level(target),
            _ if config.set_alpha_to_one => NoiseLevel::CLEAN,
            _ => schedule.level(0.0),
        };
        latent = level.mix(&clean, &prediction.noise)?;
    }
    Ok(latent)
}

/// Euler's method on `dx/ds = noise` for `x = clean + s·noise`, `s = sigma / alpha` (Karras et al. 2022,
/// <https://arxiv.org/abs/2206.00364>, algorithm 2 without churn): `x' = x + (s' − s)·noise = clean + s'·noise`,
/// written here as `alpha'·x'`.
pub(super) fn euler(steps: &[Step], mut latent: Tensor, denoiser: &mut dyn Denoiser) -> Result<Tensor> {
    for (step, next) in with_next(steps) {
        let prediction = denoiser.predict(&latent, step)?;
        latent = next.mix(&prediction.clean, &prediction.noise)?;
    }
    Ok(latent)
}

/// Ancestral Euler (k-diffusion `sample_euler_ancestral`): an Euler step below the next level `s'`, to `s_down`, then
/// fresh noise `z` up to it: `x' = clean + s_down·noise + s_up·z` with
/// `s_up² = s'²(s² − s'²)/s²` and `s_down² = s'² − s_up²`.
pub(super) fn euler_ancestral(
    steps: &[Step],
    mut latent: Tensor,
    noise: &NoiseSource,
    denoiser: &mut dyn Denoiser,
) -> Result<Tensor> {
    for (step, next) in with_next(steps) {
        let Prediction { clean, noise: old } = denoiser.predict(&latent, step)?;
        if next == NoiseLevel::CLEAN {
            latent = clean;
            continue;
        }
        let (from, to) = (step.level().ratio(), next.ratio());
        let up = to * (1.0 - (to / from).powi(2)).max(0.0).sqrt();
        let down = (to * to - up * up).max(0.0).sqrt();
        let fresh = step_noise(noise, step, &latent)?;
        let alpha = next.alpha;
        latent = weighted_sum((alpha, &clean), [(alpha * down, &old), (alpha * up, &fresh)])?;
    }
    Ok(latent)
}

/// Multistep consistency sampling (Luo et al. 2023, <https://arxiv.org/abs/2310.04378>, algorithm 3). The consistency
/// function `f = c_skip·x + c_out·clean` jumps to a clean latent, which fresh noise takes back to the next level.
pub(super) fn lcm(
    schedule: &Schedule,
    steps: &[Step],
    mut latent: Tensor,
    noise: &NoiseSource,
    denoiser: &mut dyn Denoiser,
) -> Result<Tensor> {
    let config = schedule.config();
    let clips = config.clips("LCMScheduler", false);
    for (step, next) in with_next(steps) {
        let prediction = denoiser.predict(&latent, step)?;
        let clean = clip(prediction.clean, clips, config.clip_sample_range)?;
        let time = step.timestep * config.timestep_scaling;
        let variance = time * time + LCM_SIGMA_DATA * LCM_SIGMA_DATA;
        let (skip, out) = (LCM_SIGMA_DATA * LCM_SIGMA_DATA / variance, time / variance.sqrt());
        let denoised = weighted_sum((out, &clean), [(skip, &latent)])?;
        latent = match next {
            NoiseLevel::CLEAN => denoised,
            next => next.mix(&denoised, &step_noise(noise, step, &latent)?)?,
        };
    }
    Ok(latent)
}

/// Each step with the noise level it leads to: that of the next step, at the end none.
pub(super) fn with_next(steps: &[Step]) -> impl Iterator<Item = (&Step, NoiseLevel)> {
    let next = steps.iter().skip(1).map(Step::level).chain([NoiseLevel::CLEAN]);
    steps.iter().zip(next)
}

pub(super) fn step_noise(noise: &NoiseSource, step: &Step, like: &Tensor) -> Result<Tensor> {
    noise.normal(Purpose::Ancestral, step.index as u64, like.shape(), like.dtype(), like.device())
}

fn clip(clean: Tensor, clips: bool, range: f64) -> Result<Tensor> {
    Ok(if clips { clean.clamp(-range, range)? } else { clean })
}
