//! Attention over weighted segments: the mathematics of self-subject-attention (S-S-A).
//!
//! DreamTuner (<https://arxiv.org/abs/2312.13691>), Eq. 3: `softmax(q·[k, k^r]ᵀ/√d + log m) · [v, v^r]` with `m = [1, ω·m^r]`. A
//! weight is thus a bias of `log ω` on a reference's keys, and a key whose mask is zero is left out.

mod gradient;
mod half;
mod kernel;
mod plain;

use candle_core::{DType, Result, Tensor};

use crate::values::{serve, suits};

/// Keys and values that queries attend to, and how much they count.
#[derive(Debug, Clone)]
pub struct Segment {
    /// `(batch, heads, tokens, head width)`.
    pub keys: Tensor,
    /// `(batch, heads, tokens, head width)`.
    pub values: Tensor,
    /// `log(ω·m)` of each token, `(tokens)`, finite; `None` where every token counts once.
    pub log_weights: Option<Tensor>,
}

impl Segment {
    /// [`Self::log_weights`] as values; `None` where every token counts once.
    fn log_weights(&self) -> Result<Option<Vec<f32>>> {
        self.log_weights.as_ref().map(|log| log.to_dtype(DType::F32)?.to_vec1()).transpose()
    }

    /// Of one picture of the batch, where tokens are weighted alike in all.
    pub fn of_picture(&self, picture: usize) -> Result<Self> {
        Ok(Self {
            keys: self.keys.narrow(0, picture, 1)?,
            values: self.values.narrow(0, picture, 1)?,
            log_weights: self.log_weights.clone(),
        })
    }

    /// The segment for each of `batch` pictures, where there is only one of it.
    pub fn for_batch(&self, batch: usize) -> Result<Self> {
        let (own, heads, tokens, width) = self.keys.dims4()?;
        if own == batch {
            return Ok(self.clone());
        }
        let spread = |tensor: &Tensor| tensor.broadcast_as((batch, heads, tokens, width));
        Ok(Self {
            keys: spread(&self.keys)?,
            values: spread(&self.values)?,
            log_weights: self.log_weights.clone(),
        })
    }
}

/// `softmax(q·kᵀ/√d + log m)·v` over all segments together.
///
/// `queries` is `(batch, heads, tokens, head width)`; the result has its shape. In 32 bits on the CPU it runs on a
/// kernel of its own, accurate to 10⁻⁶ of the values' root mean square, and so do gradients through it. The same holds
/// in 16 bits, but for the rounding of what goes in and comes out. Elsewhere it runs on candle's operations, or on
/// flash attention where there is such a device.
///
/// # Errors
/// Segments whose shapes do not fit the queries'.
pub fn weighted_attention(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    let mut tensors = segments.iter().flat_map(|segment| [&segment.keys, &segment.values]).chain([queries]);
    if tensors.clone().all(|tensor| serve(&[tensor])) {
        kernel::attend(queries, segments)
    } else if tensors.clone().all(suits) {
        gradient::attend(queries, segments)
    } else if tensors.all(half::serves) {
        half::attend(queries, segments)
    } else {
        plain::attend(queries, segments)
    }
}
