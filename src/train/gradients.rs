//! Gradients of all that trains, summed over the parts of a batch.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};

use super::adamw::Parameter;
use crate::error::{Error, Result};

/// Largest norm of all gradients of a step together; larger ones are scaled down to it.
const LARGEST: f64 = 1.0;

/// The sum of the losses of a step's parts, its clipped gradients, and the norm that they had. `loss` is a part's share in the
/// step's loss.
///
/// # Errors
/// Those of `loss`; a parameter that no gradient has reached.
pub fn of_parts<'a, T: 'a>(
    parts: impl Iterator<Item = &'a [T]>,
    parameters: &[Parameter],
    loss: impl Fn(&[T]) -> Result<Tensor>,
) -> Result<(f64, Vec<Tensor>, f64)> {
    let mut gradients = Gradients::default();
    let mut sum = 0.0;
    for part in parts {
        let loss = loss(part)?;
        sum += f64::from(loss.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        gradients.add(&loss.backward()?, parameters)?;
    }
    let (gradients, norm) = gradients.clipped(parameters, LARGEST)?;
    Ok((sum, gradients, norm))
}

/// Gradients, in the order of the parameters: sums, where any has come.
#[derive(Debug, Default)]
pub struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// Adds those that a backward pass found.
    pub fn add(&mut self, found: &GradStore, parameters: &[Parameter]) -> Result<()> {
        self.0.resize(parameters.len(), None);
        for (sum, parameter) in self.0.iter_mut().zip(parameters) {
            let Some(new) = found.get(parameter.variable.as_tensor()) else { continue };
            let new = new.to_dtype(DType::F32)?;
            *sum = Some(match sum {
                Some(sum) => (&*sum + new)?,
                None => new,
            });
        }
        Ok(())
    }

    /// The gradients, scaled down where their norm over all tensors is above `largest`; and the norm that they had
    /// (PyTorch's `clip_grad_norm_`).
    ///
    /// # Errors
    /// A parameter that no gradient has reached: it took no part in the loss.
    pub fn clipped(self, parameters: &[Parameter], largest: f64) -> Result<(Vec<Tensor>, f64)> {
        let missing = |parameter: &Parameter| Error::setting(&parameter.name, "no gradient has reached it");
        let all = self.0.into_iter().zip(parameters);
        let gradients =
            all.map(|(sum, parameter)| sum.ok_or_else(|| missing(parameter))).collect::<Result<Vec<_>>>()?;
        let mut squares = 0.0;
        for gradient in &gradients {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let norm = squares.sqrt();
        let scale = largest / (norm + 1e-6);
        if scale >= 1.0 {
            return Ok((gradients, norm));
        }
        let scaled = gradients.iter().map(|gradient| gradient * scale);
        Ok((scaled.collect::<candle_core::Result<_>>()?, norm))
    }
}
