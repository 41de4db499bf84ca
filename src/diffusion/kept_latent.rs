//! Places of a latent that stay while all else is sampled.

use candle_core::Tensor;

use super::Prediction;
use super::arithmetic::weighted_sum;
use crate::error::Result;

/// A latent that stays in places (Lugmayr et al. 2022, RePaint; diffusers' inpainting pipelines, which after each step lay it, with
/// noise, over what the sampler has made: there, what is predicted is the latent and its noise).
#[derive(Debug)]
pub struct KeptLatent {
    latent: Tensor,
    noise: Tensor,
    share: Tensor,
}

impl KeptLatent {
    /// Keeps `latent` `(1, channels, height, width)`, with the `noise` that sampling begins with, of the same shape and type; as much of
    /// it as `share` says, `(1, 1, height, width)`, 0 to 1.
    pub fn new(latent: Tensor, noise: Tensor, share: Tensor) -> Self {
        Self { latent, noise, share }
    }

    /// A prediction in which it stays.
    ///
    /// # Errors
    /// A prediction of another shape.
    pub fn apply(&self, prediction: &Prediction) -> Result<Prediction> {
        Ok(Prediction {
            clean: self.over(&self.latent, &prediction.clean)?,
            noise: self.over(&self.noise, &prediction.noise)?,
        })
    }

    /// What sampling has left, with it: some samplers leave a little noise.
    ///
    /// # Errors
    /// A latent of another shape.
    pub fn apply_at_end(&self, latent: &Tensor) -> Result<Tensor> {
        self.over(&self.latent, latent)
    }

    fn over(&self, kept: &Tensor, sampled: &Tensor) -> Result<Tensor> {
        let change = weighted_sum((1.0, kept), [(-1.0, sampled)])?.broadcast_mul(&self.share)?;
        weighted_sum((1.0, sampled), [(1.0, &change)])
    }
}
