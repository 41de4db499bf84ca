//! What a sampler asks of a network, and the one place that knows what networks predict.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::arithmetic::weighted_sum;
use super::noise_level::NoiseLevel;
use crate::error::{Error, Result};

/// One step of a sampler, as the network sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Position in the sampler's list, from 0 (the noisiest).
    pub index: usize,
    /// Length of the sampler's whole list.
    pub count: usize,
    /// Training time step given to the network, 0 to `num_train_timesteps − 1`; Euler samplers may use fractions.
    pub timestep: f64,
    /// Share of the clean latent in the noisy one, 0 to 1.
    pub alpha: f64,
    /// Share of the noise in the noisy latent, 0 to 1; `alpha² + sigma² = 1`.
    pub sigma: f64,
}

impl Step {
    /// `alpha` and `sigma` together.
    pub fn level(&self) -> NoiseLevel {
        NoiseLevel { alpha: self.alpha, sigma: self.sigma }
    }

    /// Whether all of the step lies between two fractions of the sampler's steps, 0 to 1: diffusers' rule for ControlNets.
    pub fn lies_within(&self, start: f64, end: f64) -> bool {
        let count = self.count as f64;
        self.index as f64 / count >= start && (self.index + 1) as f64 / count <= end
    }
}

/// What a network says about a noisy latent `(batch, channels, height, width)`.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The clean latent, same shape.
    pub clean: Tensor,
    /// The noise in the latent, same shape: `latent = alpha·clean + sigma·noise`.
    pub noise: Tensor,
}

/// Something that can tell picture from noise: a network with its conditions and guidance.
pub trait Denoiser {
    /// Splits `latent` `(batch, channels, height, width)`, always in variance-preserving coordinates
    /// (`step.alpha·clean + step.sigma·noise`; diffusers calls it the scaled model input), into picture and noise.
    fn predict(&mut self, latent: &Tensor, step: &Step) -> Result<Prediction>;
}

/// What the output of a network means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum), value(rename_all = "snake_case"))]
pub enum PredictionType {
    /// The noise ε (Stable Diffusion 1).
    #[default]
    #[serde(rename = "epsilon")]
    Epsilon,
    /// The velocity `v = alpha·noise − sigma·clean` (Stable Diffusion 2; Salimans & Ho 2022, appendix D).
    #[serde(rename = "v_prediction")]
    #[cfg_attr(feature = "cli", value(name = "v_prediction"))]
    Velocity,
    /// The clean latent itself.
    #[serde(rename = "sample")]
    Sample,
}

impl PredictionType {
    /// Turns a network's `output` for `latent` (same shapes) into picture and noise.
    ///
    /// # Errors
    /// [`Error::Setting`] where the step leaves no way to do so (see [`PredictionType::check`]).
    pub fn interpret(self, output: &Tensor, latent: &Tensor, step: &Step) -> Result<Prediction> {
        self.check(step)?;
        let (alpha, sigma) = (step.alpha, step.sigma);
        Ok(match self {
            Self::Epsilon => Prediction {
                clean: weighted_sum((1.0, latent), [(-sigma, output)])?.affine(1.0 / alpha, 0.0)?,
                noise: output.clone(),
            },
            Self::Velocity => Prediction {
                clean: weighted_sum((alpha, latent), [(-sigma, output)])?,
                noise: weighted_sum((alpha, output), [(sigma, latent)])?,
            },
            Self::Sample => Prediction {
                clean: output.clone(),
                noise: weighted_sum((1.0, latent), [(-alpha, output)])?.affine(1.0 / sigma, 0.0)?,
            },
        })
    }

    /// Whether this kind of output can be read at `step`. The noise alone says nothing about the picture where
    /// `alpha` is 0 (first step of a zero-terminal-SNR schedule). The picture alone says nothing about the noise
    /// where `sigma` is 0.
    ///
    /// # Errors
    /// [`Error::Setting`] that names the step.
    pub fn check(self, step: &Step) -> Result<()> {
        let problem = match self {
            Self::Epsilon if step.alpha <= 0.0 => {
                "\"epsilon\" cannot be used where nothing of the picture is left (alpha = 0, allowed above 0; \
                 zero terminal SNR); \"v_prediction\" and \"sample\" can"
            }
            Self::Sample if step.sigma <= 0.0 => {
                "\"sample\" cannot be used where there is no noise (sigma = 0, allowed above 0)"
            }
            _ => return Ok(()),
        };
        Err(Error::setting("prediction_type", format!("{problem} (time step {})", step.timestep)))
    }
}
