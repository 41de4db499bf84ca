//! Attention over weighted segments: the mathematics of self-subject-attention (S-S-A), and the layer that uses it.
//!
//! DreamTuner, Eq. 3: `softmax(q·[k, k^r]ᵀ/√d + log m) · [v, v^r]` with `m = [1, ω·m^r]`. A weight is thus a bias of
//! `log ω` on a reference's keys, and a key whose mask is zero is left out.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use crate::kernels::{self, Linear};

/// Scores computed at once, per segment of queries: bounds the memory of attention to 256 MB in 32 bits.
const SCORES_AT_ONCE: usize = 1 << 26;

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
    /// Of one picture of the batch, where tokens are weighted alike in all.
    fn of_picture(&self, picture: usize) -> Result<Self> {
        Ok(Self {
            keys: self.keys.narrow(0, picture, 1)?,
            values: self.values.narrow(0, picture, 1)?,
            log_weights: self.log_weights.clone(),
        })
    }

    /// The segment for each of `batch` pictures, where there is only one of it.
    fn for_batch(&self, batch: usize) -> Result<Self> {
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
/// [kernel](kernels::attention) of its own.
pub fn weighted_attention(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    let pairs = segments.iter().map(|segment| (&segment.keys, &segment.values));
    if !kernels::attention::serves(queries, pairs) {
        let tensors = segments.iter().flat_map(|segment| [&segment.keys, &segment.values]);
        if kernels::attention_gradient::serves(tensors.chain([queries])) {
            return tracked_attention(queries, segments);
        }
        return biased_attention(queries, segments);
    }
    let segments = segments
        .iter()
        .map(|Segment { keys, values, log_weights }| {
            let log_weights =
                log_weights.as_ref().map(|log| log.to_dtype(DType::F32)?.to_vec1()).transpose()?;
            Ok((keys, values, log_weights))
        })
        .collect::<Result<Vec<_>>>()?;
    kernels::attention::attend(queries, &segments)
}

/// All segments as one, with a gradient.
fn tracked_attention(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    if let [Segment { keys, values, log_weights: None }] = segments {
        return kernels::attention_gradient::attend_tracked(queries, keys, values, None);
    }
    let joined =
        |part: fn(&Segment) -> &Tensor| Tensor::cat(&segments.iter().map(part).collect::<Vec<_>>(), 2);
    let mut log_weights = Vec::new();
    for Segment { keys, log_weights: log, .. } in segments {
        log_weights.extend(match log {
            Some(log) => log.to_dtype(DType::F32)?.to_vec1()?,
            None => vec![0.0; keys.dim(2)?],
        });
    }
    let (keys, values) = (joined(|segment| &segment.keys)?, joined(|segment| &segment.values)?);
    kernels::attention_gradient::attend_tracked(queries, &keys, &values, Some(log_weights))
}

/// The bias travels as one more coordinate of the keys, against a one in the queries:
/// `[q/√d, 1]·[k, log m] = q·k/√d + log m`. So any kernel for plain attention serves; `log m` is rounded to the keys' type.
fn biased_attention(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
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

/// How much an attention's result counts.
#[derive(Debug, Clone)]
pub enum Strength {
    /// Alike in all pictures of a batch.
    Same(f64),
    /// For each picture its own, `(batch, 1, 1)`.
    OfPictures(Tensor),
}

impl Strength {
    /// `attended`, `(batch, tokens, channels)`, so many times.
    pub fn times(&self, attended: &Tensor) -> Result<Tensor> {
        match self {
            Self::Same(strength) => attended * *strength,
            Self::OfPictures(strengths) => attended.broadcast_mul(&strengths.to_dtype(attended.dtype())?),
        }
    }
}

/// One reference as one self-attention layer sees it.
#[derive(Debug, Clone)]
pub struct ReferenceTokens {
    /// The reference's features as they entered this layer, `(1, tokens, channels)`, in any type.
    pub features: Tensor,
    /// `log(ω·m)` of each token, `(tokens)`; `None` where every token counts once.
    pub log_weights: Option<Tensor>,
}

/// Multi-head attention with its four projections (diffusers `Attention`): self-attention where the context is the
/// input itself, cross-attention otherwise.
#[derive(Debug)]
pub struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: usize,
    upcast: bool,
}

impl Attention {
    /// `channels` in and out, keys and values from a context of `context_width`. With `upcast`, scores are formed in
    /// 32 bits whatever the type of the weights.
    pub fn new(
        channels: usize,
        context_width: usize,
        heads: usize,
        upcast: bool,
        vb: VarBuilder,
    ) -> Result<Self> {
        Ok(Self {
            to_q: Linear::no_bias(channels, channels, vb.pp("to_q"))?,
            to_k: Linear::no_bias(context_width, channels, vb.pp("to_k"))?,
            to_v: Linear::no_bias(context_width, channels, vb.pp("to_v"))?,
            to_out: Linear::new(channels, channels, vb.pp("to_out.0"))?,
            heads,
            upcast,
        })
    }

    /// Keys and values of `context` `(1 or batch, context tokens, context width)`.
    pub fn read(&self, context: &Tensor) -> Result<Segment> {
        self.segment(context, None)
    }

    /// Keys and values of `context` by other layers than the attention's own.
    pub fn read_by(&self, keys: &Linear, values: &Linear, context: &Tensor) -> Result<Segment> {
        let (keys, values) = (keys.forward(context)?, values.forward(context)?);
        Ok(Segment { keys: self.split_heads(&keys)?, values: self.split_heads(&values)?, log_weights: None })
    }

    /// [`Self::cross`] added to `residual`, where `other`, times its strength, is attended to beside the context, each with a
    /// softmax of its own (IP-Adapter).
    pub fn cross_both_onto(
        &self,
        residual: &Tensor,
        input: &Tensor,
        context: &Segment,
        (other, strength): (&Segment, &Strength),
    ) -> Result<Tensor> {
        let (queries, batch) = (self.queries(input)?, input.dim(0)?);
        let text = attend(&queries, &[context.for_batch(batch)?])?;
        let other = attend(&queries, &[other.for_batch(batch)?])?;
        self.to_out.forward_onto(residual, &(text + strength.times(&other)?)?.to_dtype(input.dtype())?)
    }

    /// Attends from `input` `(batch, tokens, channels)` to what [`Self::read`] made of a context.
    pub fn cross(&self, input: &Tensor, context: &Segment) -> Result<Tensor> {
        self.to_out.forward(&self.attend_to(input, context)?)
    }

    /// [`Self::cross`] added to `residual`.
    pub fn cross_onto(&self, residual: &Tensor, input: &Tensor, context: &Segment) -> Result<Tensor> {
        self.to_out.forward_onto(residual, &self.attend_to(input, context)?)
    }

    /// Self-subject-attention: each picture of `input` `(batch, tokens, channels)` attends to itself and to its own references;
    /// pictures beyond the end of `references` have none.
    pub fn with_references(&self, input: &Tensor, references: &[Vec<&ReferenceTokens>]) -> Result<Tensor> {
        self.to_out.forward(&self.attend_to_references(input, references)?)
    }

    /// [`Self::with_references`] added to `residual`.
    pub fn with_references_onto(
        &self,
        residual: &Tensor,
        input: &Tensor,
        references: &[Vec<&ReferenceTokens>],
    ) -> Result<Tensor> {
        self.to_out.forward_onto(residual, &self.attend_to_references(input, references)?)
    }

    /// How some tokens of a single picture attend: for the picture itself and then for each reference `(heads, queries, tokens)` in 32
    /// bits. The weights of a query add up to 1 over all of them together. This forms every score, as [`Self::with_references`] never
    /// does.
    ///
    /// # Errors
    /// Queries that are no tokens of `input` `(1, tokens, channels)`.
    pub fn weights(
        &self,
        input: &Tensor,
        references: &[&ReferenceTokens],
        queries: &[u32],
    ) -> Result<Vec<Tensor>> {
        let chosen = input.index_select(&Tensor::new(queries, input.device())?, 1)?;
        let queries = self.queries(&chosen)?.squeeze(0)?.to_dtype(DType::F32)?;
        let scale = 1.0 / (queries.dim(2)? as f64).sqrt();
        let mut segments = vec![self.segment(input, None)?];
        for reference in references {
            let features = reference.features.to_dtype(input.dtype())?;
            segments.push(self.segment(&features, reference.log_weights.clone())?);
        }
        let scores = segments.iter().map(|Segment { keys, log_weights, .. }| {
            let keys = keys.squeeze(0)?.to_dtype(DType::F32)?.transpose(1, 2)?.contiguous()?;
            let scores = (queries.contiguous()?.matmul(&keys)? * scale)?;
            match log_weights {
                Some(log) => scores.broadcast_add(&log.to_dtype(DType::F32)?),
                None => Ok(scores),
            }
        });
        let scores = scores.collect::<Result<Vec<_>>>()?;
        let weights = candle_nn::ops::softmax_last_dim(&Tensor::cat(&scores, 2)?)?;
        let mut start = 0;
        let parts = scores.iter().map(|scores| {
            let tokens = scores.dim(2)?;
            start += tokens;
            weights.narrow(2, start - tokens, tokens)
        });
        parts.collect()
    }

    fn attend_to(&self, input: &Tensor, context: &Segment) -> Result<Tensor> {
        attend(&self.queries(input)?, &[context.for_batch(input.dim(0)?)?])?.to_dtype(input.dtype())
    }

    fn attend_to_references(&self, input: &Tensor, references: &[Vec<&ReferenceTokens>]) -> Result<Tensor> {
        let (queries, own) = (self.queries(input)?, self.segment(input, None)?);
        if references.iter().all(Vec::is_empty) {
            return attend(&queries, &[own])?.to_dtype(input.dtype());
        }
        let attended = |picture: usize| {
            let mut segments = vec![own.of_picture(picture)?];
            for reference in references.get(picture).into_iter().flatten() {
                let features = reference.features.to_dtype(input.dtype())?;
                segments.push(self.segment(&features, reference.log_weights.clone())?);
            }
            attend(&queries.narrow(0, picture, 1)?, &segments)
        };
        let pictures = (0..input.dim(0)?).map(attended).collect::<Result<Vec<_>>>()?;
        Tensor::cat(&pictures, 0)?.to_dtype(input.dtype())
    }

    /// The queries of `input` `(batch, tokens, channels)`: `(batch, heads, tokens, head width)`.
    pub fn queries(&self, input: &Tensor) -> Result<Tensor> {
        self.split_heads(&self.to_q.forward(input)?)
    }

    fn segment(&self, context: &Tensor, log_weights: Option<Tensor>) -> Result<Segment> {
        let keys = self.split_heads(&self.to_k.forward(context)?)?;
        let values = self.split_heads(&self.to_v.forward(context)?)?;
        Ok(Segment { keys, values, log_weights })
    }

    /// `(batch, tokens, channels)` to `(batch, heads, tokens, head width)`.
    fn split_heads(&self, tensor: &Tensor) -> Result<Tensor> {
        let (batch, tokens, channels) = tensor.dims3()?;
        let split = tensor.reshape((batch, tokens, self.heads, channels / self.heads))?.transpose(1, 2)?;
        if self.upcast { split.to_dtype(DType::F32) } else { Ok(split) }
    }
}

/// [`weighted_attention`] with its heads side by side, `(batch, tokens, channels)`.
fn attend(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    weighted_attention(queries, segments)?.transpose(1, 2)?.flatten_from(2)
}
