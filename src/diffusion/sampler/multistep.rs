//! Samplers of second order, which also use the prediction before the last.

use candle_core::Tensor;

use super::single_step::{step_noise, with_next};
use crate::diffusion::arithmetic::weighted_sum;
use crate::diffusion::{Denoiser, NoiseLevel, NoiseSource, Step};
use crate::error::Result;

/// DPM-Solver++(2M) (Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, algorithm 2): with `λ = ln(alpha/sigma)`,
/// `h = λ' − λ` and `h₀` the interval before,
/// `x' = (sigma'/sigma)·x + alpha'·(1 − e^−h)·D`, `D = clean + h/(2h₀)·(clean − clean₀)`.
/// The first and the last step are of first order, `D = clean`.
pub(super) fn dpm_plus_plus_2m(
    steps: &[Step],
    mut latent: Tensor,
    denoiser: &mut dyn Denoiser,
) -> Result<Tensor> {
    let mut earlier: Option<(NoiseLevel, Tensor)> = None;
    for (step, next) in with_next(steps) {
        let clean = denoiser.predict(&latent, step)?.clean;
        let level = step.level();
        let interval = next.half_log_snr() - level.half_log_snr();
        let keep = next.sigma / level.sigma;
        let gain = -next.alpha * (-interval).exp_m1();
        latent = match &earlier {
            Some((earlier_level, earlier_clean)) if next != NoiseLevel::CLEAN => {
                let slope = slope(*earlier_level, level, interval);
                weighted_sum(
                    (keep, &latent),
                    [(gain * (1.0 + slope), &clean), (-gain * slope, earlier_clean)],
                )?
            }
            _ => weighted_sum((keep, &latent), [(gain, &clean)])?,
        };
        earlier = Some((level, clean));
    }
    Ok(latent)
}

/// SDE-DPM-Solver++(2M) (Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, appendix; diffusers' `sde-dpmsolver++`): as
/// [`dpm_plus_plus_2m`], with fresh noise `z`,
/// `x' = (sigma'/sigma)·e^−h·x + alpha'·(1 − e^−2h)·D + sigma'·√(1 − e^−2h)·z`.
pub(super) fn dpm_plus_plus_2m_sde(
    steps: &[Step],
    mut latent: Tensor,
    noise: &NoiseSource,
    denoiser: &mut dyn Denoiser,
) -> Result<Tensor> {
    let mut earlier: Option<(NoiseLevel, Tensor)> = None;
    for (step, next) in with_next(steps) {
        let clean = denoiser.predict(&latent, step)?.clean;
        let level = step.level();
        if next == NoiseLevel::CLEAN {
            latent = clean;
            continue;
        }
        let interval = next.half_log_snr() - level.half_log_snr();
        let direction = match &earlier {
            Some((earlier_level, earlier_clean)) => {
                let slope = slope(*earlier_level, level, interval);
                weighted_sum((1.0 + slope, &clean), [(-slope, earlier_clean)])?
            }
            None => clean.clone(),
        };
        let renewed = -(-2.0 * interval).exp_m1();
        let keep = next.sigma / level.sigma * (-interval).exp();
        let fresh = step_noise(noise, step, &latent)?;
        let added = next.sigma * renewed.sqrt();
        latent = weighted_sum((keep, &latent), [(next.alpha * renewed, &direction), (added, &fresh)])?;
        earlier = Some((level, clean));
    }
    Ok(latent)
}

/// `h/(2h₀)`: what the change since the prediction at `earlier` counts in a step of `interval` from `level`.
fn slope(earlier: NoiseLevel, level: NoiseLevel, interval: f64) -> f64 {
    interval / (2.0 * (level.half_log_snr() - earlier.half_log_snr()))
}

/// UniPC-2 with B₂(h) = e^h − 1 on clean latents (Zhao et al. 2023, <https://arxiv.org/abs/2302.04867>, algorithms
/// 5 and 6): UniP predicts the next latent from two predictions; once the network has seen it, UniC corrects it with
/// what the network said, at no further call. The first and the last step are of first order.
pub(super) fn unipc(steps: &[Step], mut latent: Tensor, denoiser: &mut dyn Denoiser) -> Result<Tensor> {
    let mut last: Option<Interval> = None;
    for (step, next) in with_next(steps) {
        let clean = denoiser.predict(&latent, step)?.clean;
        let start = step.level();
        let mut earlier = None;
        if let Some(last) = last {
            latent = last.correct(start, &clean)?;
            earlier = (next != NoiseLevel::CLEAN).then_some((last.start, last.clean));
        }
        let interval = Interval { start, latent, clean, earlier };
        latent = interval.predict(next)?;
        last = Some(interval);
    }
    Ok(latent)
}

/// One step of UniPC: where it starts, and what is known there.
struct Interval {
    start: NoiseLevel,
    latent: Tensor,
    /// The prediction at `start`.
    clean: Tensor,
    /// Level and prediction before it; none makes the step one of first order.
    earlier: Option<(NoiseLevel, Tensor)>,
}

impl Interval {
    /// UniP: `x' = (sigma'/sigma)·x + g·(clean + ½·D₁)`, `D₁ = (clean₀ − clean)/r`.
    fn predict(&self, end: NoiseLevel) -> Result<Tensor> {
        let (keep, gain) = self.first_order(end);
        let Some((earlier_level, earlier_clean)) = &self.earlier else {
            return weighted_sum((keep, &self.latent), [(gain, &self.clean)]);
        };
        let slope = 0.5 * gain / self.relative_position(*earlier_level, end);
        weighted_sum((keep, &self.latent), [(gain - slope, &self.clean), (slope, earlier_clean)])
    }

    /// UniC: `x' = (sigma'/sigma)·x + g·(clean + ρ₁·D₁ + ρ₂·(end_clean − clean))`, where the ρ solve
    /// `ρ₁ + ρ₂ = b₁`, `r·ρ₁ + ρ₂ = b₂` (equation 11); in first order `ρ₂ = ½` alone.
    fn correct(&self, end: NoiseLevel, end_clean: &Tensor) -> Result<Tensor> {
        let (keep, gain) = self.first_order(end);
        let Some((earlier_level, earlier_clean)) = &self.earlier else {
            let half = 0.5 * gain;
            return weighted_sum((keep, &self.latent), [(half, &self.clean), (half, end_clean)]);
        };
        let position = self.relative_position(*earlier_level, end);
        let minus_h = self.start.half_log_snr() - end.half_log_snr();
        let growth = minus_h.exp_m1();
        let phi_2 = growth / minus_h - 1.0;
        let phi_3 = phi_2 / minus_h - 0.5;
        let (b_1, b_2) = (phi_2 / growth, 2.0 * phi_3 / growth);
        let rho_1 = (b_1 - b_2) / (1.0 - position);
        let rho_2 = b_1 - rho_1;
        let slope = gain * rho_1 / position;
        weighted_sum(
            (keep, &self.latent),
            [(gain * (1.0 - rho_2) - slope, &self.clean), (slope, earlier_clean), (gain * rho_2, end_clean)],
        )
    }

    /// `sigma'/sigma` and `g = alpha'·(1 − e^−h)`.
    fn first_order(&self, end: NoiseLevel) -> (f64, f64) {
        let interval = end.half_log_snr() - self.start.half_log_snr();
        (end.sigma / self.start.sigma, -end.alpha * (-interval).exp_m1())
    }

    /// `r`: where `level` lies on the λ axis, with the start at 0 and `end` at 1 (so below 0 for an earlier one).
    fn relative_position(&self, level: NoiseLevel, end: NoiseLevel) -> f64 {
        let start = self.start.half_log_snr();
        (level.half_log_snr() - start) / (end.half_log_snr() - start)
    }
}
