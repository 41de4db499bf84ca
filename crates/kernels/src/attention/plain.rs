//! Weighted attention by candle's own operations, for any device and type.

use candle_core::{D, Result, Tensor};

use super::Segment;

/// Scores computed at once, per segment of queries: bounds the memory of attention to 256 MB in 32 bits.
const SCORES_AT_ONCE: usize = 1 << 26;

/// The bias travels as one more coordinate of the keys, against a one in the queries:
/// `[q/√d, 1]·[k, log m] = q·k/√d + log m`. So any kernel for plain attention serves; `log m` is rounded to the keys' type.
pub(super) fn attend(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    let width = queries.dim(3)?;
    let weighted = segments.iter().any(|segment| segment.log_weights.is_some());
    let scaled = (queries.contiguous()? / (width as f64).sqrt())?;
    let queries = if weighted { with_coordinate(&scaled, 1.0)? } else { scaled };
    let keys: Vec<Tensor> = segments
        .iter()
        .map(|segment| if weighted { biased_keys(segment) } else { Ok(segment.keys.clone()) })
        .collect::<Result<_>>()?;
    let values: Vec<&Tensor> = segments.iter().map(|segment| &segment.values).collect();
    let (keys, values) = (Tensor::cat(&keys, 2)?, Tensor::cat(&values, 2)?);
    #[cfg(feature = "flash-attn")]
    if queries.device().is_cuda()
        && matches!(queries.dtype(), candle_core::DType::F16 | candle_core::DType::BF16)
    {
        return flash_attention(&queries, &keys, &values);
    }
    attention_by_rows(&queries, &keys, &values)
}

/// `softmax(q·kᵀ)·v`, a few rows of queries at a time.
fn attention_by_rows(queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
    let (batch, heads, tokens, _) = queries.dims4()?;
    let keys = keys.transpose(2, 3)?.contiguous()?;
    let values = values.contiguous()?;
    let rows = (SCORES_AT_ONCE / (batch * heads * keys.dim(3)?).max(1)).clamp(1, tokens.max(1));
    let parts: Vec<Tensor> = (0..tokens)
        .step_by(rows)
        .map(|start| {
            let some = queries.narrow(2, start, rows.min(tokens - start))?.contiguous()?;
            softmax(&some.matmul(&keys)?)?.matmul(&values)
        })
        .collect::<Result<_>>()?;
    Tensor::cat(&parts, 2)
}

/// candle's fused softmax has no gradient.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    if scores.track_op() {
        return candle_nn::ops::softmax(scores, D::Minus1);
    }
    candle_nn::ops::softmax_last_dim(scores)
}

/// `softmax(q·kᵀ)·v` by the flash-attention kernel, which never stores the scores. It wants head widths in multiples
/// of 8: zeros fill them up and change nothing.
#[cfg(feature = "flash-attn")]
fn flash_attention(queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
    let width = queries.dim(3)?.next_multiple_of(8);
    let laid_out =
        |tensor: &Tensor| tensor.pad_with_zeros(3, 0, width - tensor.dim(3)?)?.transpose(1, 2)?.contiguous();
    let attended =
        candle_flash_attn::flash_attn(&laid_out(queries)?, &laid_out(keys)?, &laid_out(values)?, 1.0, false)?;
    attended.transpose(1, 2)?.narrow(3, 0, values.dim(3)?)
}

fn biased_keys(segment: &Segment) -> Result<Tensor> {
    match &segment.log_weights {
        None => with_coordinate(&segment.keys, 0.0),
        Some(log_weights) => {
            let (batch, heads, tokens, _) = segment.keys.dims4()?;
            let bias = log_weights.to_dtype(segment.keys.dtype())?.reshape((1, 1, tokens, 1))?;
            Tensor::cat(
                &[&segment.keys, &bias.broadcast_as((batch, heads, tokens, 1))?.contiguous()?],
                D::Minus1,
            )
        }
    }
}

fn with_coordinate(tensor: &Tensor, value: f64) -> Result<Tensor> {
    let (batch, heads, tokens, _) = tensor.dims4()?;
    let column =
        Tensor::full(value as f32, (batch, heads, tokens, 1), tensor.device())?.to_dtype(tensor.dtype())?;
    Tensor::cat(&[tensor, &column], D::Minus1)
}
