//! Gradients of all that trains, summed over the parts of a batch.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};

use super::adamw::Parameter;
use crate::error::{Error, Result};

/// Gradients, in the order of the parameters.
#[derive(Debug, Default)]
pub struct Gradients(Vec<Tensor>);

impl Gradients {
    /// Adds those that a backward pass found.
    ///
    /// # Errors
    /// A parameter that no gradient has reached: it took no part in the loss.
    pub fn add(&mut self, found: &GradStore, parameters: &[Parameter]) -> Result<()> {
        let gradient = |parameter: &Parameter| {
            let problem = || Error::setting(&parameter.name, "no gradient has reached it");
            Ok(found.get(parameter.variable.as_tensor()).ok_or_else(problem)?.to_dtype(DType::F32)?)
        };
        let new = parameters.iter().map(gradient).collect::<Result<Vec<_>>>()?;
        self.0 = if self.0.is_empty() {
            new
        } else {
            let sums = self.0.iter().zip(&new).map(|(sum, new)| sum + new);
            sums.collect::<candle_core::Result<_>>()?
        };
        Ok(())
    }

    /// The gradients, scaled down where their norm over all tensors is above `largest`; and the norm that they had
    /// (PyTorch's `clip_grad_norm_`).
    pub fn clipped(self, largest: f64) -> Result<(Vec<Tensor>, f64)> {
        let mut squares = 0.0;
        for gradient in &self.0 {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let norm = squares.sqrt();
        let scale = largest / (norm + 1e-6);
        if scale >= 1.0 {
            return Ok((self.0, norm));
        }
        let scaled = self.0.iter().map(|gradient| gradient * scale);
        Ok((scaled.collect::<candle_core::Result<_>>()?, norm))
    }
}
