//! The one tensor operation that samplers need.

use candle_core::Tensor;

use crate::error::Result;

/// `Σ weight·tensor` over tensors of one shape and type, which the result keeps.
pub(super) fn weighted_sum<const N: usize>(
    first: (f64, &Tensor),
    others: [(f64, &Tensor); N],
) -> Result<Tensor> {
    let (weight, tensor) = first;
    let mut sum = (tensor * weight)?;
    for (weight, tensor) in others {
        sum = (sum + (tensor * weight)?)?;
    }
    Ok(sum)
}
