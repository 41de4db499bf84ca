//! Attention of tensors of 16 bits on the CPU. Few processors compute in 16 bits: values become 32 for the time of the call, and
//! the result is rounded once.

use candle_core::{DType, Result, Tensor};

use super::{Segment, kernel};
use crate::values::OTHER_LIBRARY;

/// Whether this kernel can work with a tensor.
pub(super) fn serves(tensor: &Tensor) -> bool {
    let is_half = matches!(tensor.dtype(), DType::F16 | DType::BF16);
    !OTHER_LIBRARY && tensor.device().is_cpu() && is_half && !tensor.track_op()
}

/// [`weighted_attention`](super::weighted_attention) of tensors that it [`serves`].
pub(super) fn attend(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    let wide = |segment: &Segment| {
        let (keys, values) = (segment.keys.to_dtype(DType::F32)?, segment.values.to_dtype(DType::F32)?);
        Ok(Segment { keys, values, log_weights: segment.log_weights.clone() })
    };
    let segments = segments.iter().map(wide).collect::<Result<Vec<_>>>()?;
    kernel::attend(&queries.to_dtype(DType::F32)?, &segments)?.to_dtype(queries.dtype())
}
