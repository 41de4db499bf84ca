//! The attention layer, with self-subject-attention (S-S-A; DreamTuner, Eq. 3) by [`weighted_attention`].

use candle_core::{DType, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use dreamtuner_kernels::{Linear, Segment, weighted_attention};

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
    pub fn keys_values(&self, context: &Tensor) -> Result<Segment> {
        self.segment(context, None)
    }

    /// Keys and values of `context` by other layers than the attention's own.
    pub fn keys_values_by(&self, keys: &Linear, values: &Linear, context: &Tensor) -> Result<Segment> {
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

    /// Attends from `input` `(batch, tokens, channels)` to what [`Self::keys_values`] made of a context.
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
