//! How noisy a latent is.

use candle_core::Tensor;

use super::arithmetic::weighted_sum;
use crate::error::Result;

/// How much of a latent is picture and how much is noise: `alpha·clean + sigma·noise`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevel {
    /// Share of the clean latent, 0 to 1.
    pub alpha: f64,
    /// Share of the noise, 0 to 1; `alpha² + sigma² = 1`.
    pub sigma: f64,
}

impl NoiseLevel {
    /// No noise at all.
    pub const CLEAN: Self = Self { alpha: 1.0, sigma: 0.0 };

    /// The level with this `alpha²` (diffusers' `alphas_cumprod`), 0 to 1.
    pub fn from_alpha_squared(alpha_squared: f64) -> Self {
        Self { alpha: alpha_squared.sqrt(), sigma: (1.0 - alpha_squared).sqrt() }
    }

    /// The level with this `sigma / alpha`, 0 or more.
    pub fn from_ratio(ratio: f64) -> Self {
        let alpha = (ratio * ratio + 1.0).sqrt().recip();
        Self { alpha, sigma: ratio * alpha }
    }

    /// `sigma / alpha`, which k-diffusion and diffusers' Euler samplers call sigma; infinite for pure noise.
    pub fn ratio(self) -> f64 {
        self.sigma / self.alpha
    }

    /// `λ = ln(alpha / sigma)`, the time of DPM-Solver and UniPC; infinite for the clean latent.
    pub fn half_log_snr(self) -> f64 {
        (self.alpha / self.sigma).ln()
    }

    /// `alpha·clean + sigma·noise`, for tensors of one shape and type.
    pub fn mix(self, clean: &Tensor, noise: &Tensor) -> Result<Tensor> {
        weighted_sum((self.alpha, clean), [(self.sigma, noise)])
    }
}
