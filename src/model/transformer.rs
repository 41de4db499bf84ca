//! The attention layers of a U-Net: self-attention with references, S-E-A, cross-attention, feed-forward.
//!
//! Architecture: diffusers `models/transformers/transformer_2d.py`, `models/attention.py`; DreamTuner for the rest.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::attention::{Attention, ReferenceTokens, Strength};
use crate::mask::Mask;
use dreamtuner_kernels::{GroupNorm, LayerNorm, Linear, Segment, feed_forward};

/// What enters one self-attention layer, kept for later use as a reference.
#[derive(Debug, Clone)]
pub struct LayerFeatures {
    /// `(batch, height · width, channels)`.
    pub features: Tensor,
    /// Height of the layer's grid.
    pub height: usize,
    /// Width of the layer's grid.
    pub width: usize,
}

impl LayerFeatures {
    /// What a picture attends to where these features of a single picture are a reference of weight `weight` (ω): the tokens that
    /// the mask leaves, with `log(ω·m)` for each. `None` where it leaves nothing.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn as_reference(self, mask: Option<&Mask>, weight: f64) -> Result<Option<ReferenceTokens>> {
        let Self { features, height, width } = self;
        let Some(mask) = mask else {
            let log_weights = log_weights(&vec![1.0; height * width], weight, features.device())?;
            return Ok(Some(ReferenceTokens { features, log_weights }));
        };
        let (kept, weights): (Vec<u32>, Vec<f32>) = masked_tokens(mask, height, width).unzip();
        if kept.is_empty() {
            return Ok(None);
        }
        let log_weights = log_weights(&weights, weight, features.device())?;
        let features = features.index_select(&Tensor::new(kept, features.device())?, 1)?;
        Ok(Some(ReferenceTokens { features, log_weights }))
    }
}

/// The tokens of a grid that a mask leaves, and how much of each.
pub(crate) fn masked_tokens(mask: &Mask, height: usize, width: usize) -> impl Iterator<Item = (u32, f32)> {
    (0..).zip(mask.pool(height, width)).filter(|(_, share)| *share > 0.0)
}

fn log_weights(mask: &[f32], weight: f64, device: &Device) -> Result<Option<Tensor>> {
    if weight == 1.0 && mask.iter().all(|&value| value == 1.0) {
        return Ok(None);
    }
    let logs: Vec<f32> = mask.iter().map(|&value| (weight * f64::from(value)).ln() as f32).collect();
    Tensor::new(logs, device).map(Some)
}

/// One reference for a whole pass: what each self-attention layer, by its place in the forward pass, attends to. Layers where
/// the mask leaves nothing lack.
pub type ReferencePass = BTreeMap<usize, ReferenceTokens>;

/// Keys and values of a text in one network's cross-attention layers, or of a subject in its S-E-A layers, in the order of the
/// forward pass.
#[derive(Debug, Clone)]
pub struct KeysValues {
    layers: Vec<Segment>,
    dtype: DType,
}

impl KeysValues {
    /// Those of `text` `(batch, tokens, context width)` in a network's `transformers`.
    pub(super) fn of_text<'a>(
        text: &Tensor,
        transformers: impl Iterator<Item = &'a Transformer>,
    ) -> Result<Self> {
        let blocks = transformers.flat_map(|transformer| &transformer.blocks);
        let layers = blocks.map(|block| block.cross_attention.keys_values(text)).collect::<Result<_>>()?;
        Ok(Self { layers, dtype: text.dtype() })
    }

    /// Those of `subject` `(batch, tokens, context width)` in a network's `transformers`.
    pub(super) fn of_subject<'a>(
        subject: &Tensor,
        transformers: impl Iterator<Item = &'a Transformer>,
    ) -> Result<Self> {
        let blocks = transformers.flat_map(|transformer| &transformer.blocks);
        let keys_values = |block: &'a TransformerBlock| match &block.subject_attention {
            Some(SubjectAttention::Own(_, attention)) => attention.keys_values(subject),
            Some(SubjectAttention::BesideText { keys, values }) => {
                block.cross_attention.keys_values_by(keys, values, subject)
            }
            None => Err(candle_core::Error::Msg("this U-Net has no subject-encoder-attention".into())),
        };
        Ok(Self { layers: blocks.map(keys_values).collect::<Result<_>>()?, dtype: subject.dtype() })
    }

    /// Their type, in which the network computes.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    fn layer(&self, layer: usize) -> Result<&Segment> {
        let problem = || candle_core::Error::Msg("keys and values of another network".into());
        self.layers.get(layer).ok_or_else(problem)
    }
}

/// One picture of a pass's batch.
#[derive(Debug, Clone, Default)]
pub struct PassPicture<'a> {
    /// Number of its frame in the clip, from 0.
    pub frame: usize,
    /// Whether it does not see the subject.
    pub without_subject: bool,
    /// References that its self-attention layers attend to.
    pub references: Vec<&'a ReferencePass>,
}

/// What flows through the attention layers besides the pictures themselves.
#[derive(Debug)]
pub struct AttentionContext<'a> {
    /// The text in the same network.
    pub text: &'a KeysValues,
    /// The subject in the same network, and the strength β of S-E-A (Eq. 1).
    pub subject: Option<(&'a KeysValues, f64)>,
    /// The pictures of the batch. Those beyond the end see the subject and have no references.
    pub pictures: &'a [PassPicture<'a>],
    /// Keeps the features that enter each self-attention layer, if asked to.
    pub captured: Option<BTreeMap<usize, LayerFeatures>>,
    layer: usize,
}

impl<'a> AttentionContext<'a> {
    /// Plain attention: text alone.
    pub fn new(text: &'a KeysValues) -> Self {
        Self { text, subject: None, pictures: &[], captured: None, layer: 0 }
    }

    /// The subject as the next layer sees it in `batch` pictures; `None` where it counts for nothing.
    fn subject_at_layer(&self, batch: usize, like: &Tensor) -> Result<Option<(&'a Segment, Strength)>> {
        let Some((subject, beta)) = self.subject.filter(|(_, beta)| *beta != 0.0) else { return Ok(None) };
        let sees =
            |picture: usize| !self.pictures.get(picture).is_some_and(|picture| picture.without_subject);
        let segment = subject.layer(self.layer)?;
        if (0..batch).all(sees) {
            return Ok(Some((segment, Strength::Same(beta))));
        }
        if !(0..batch).any(sees) {
            return Ok(None);
        }
        let betas: Vec<f64> = (0..batch).map(|picture| if sees(picture) { beta } else { 0.0 }).collect();
        let betas = Tensor::from_vec(betas, (batch, 1, 1), like.device())?.to_dtype(like.dtype())?;
        Ok(Some((segment, Strength::OfPictures(betas))))
    }

    /// Leaves out the layers before the last `count`.
    pub(super) fn go_to_last(&mut self, count: usize) {
        self.layer = self.text.layers.len().saturating_sub(count);
    }

    fn self_attention(
        &mut self,
        attention: &Attention,
        residual: &Tensor,
        input: &Tensor,
        grid: (usize, usize),
    ) -> Result<Tensor> {
        if let Some(captured) = &mut self.captured {
            let features = LayerFeatures { features: input.clone(), height: grid.0, width: grid.1 };
            captured.insert(self.layer, features);
        }
        let of_layer = |picture: &PassPicture<'a>| {
            picture.references.iter().filter_map(|pass| pass.get(&self.layer)).collect::<Vec<_>>()
        };
        let references: Vec<_> = self.pictures.iter().map(of_layer).collect();
        attention.with_references_onto(residual, input, &references)
    }
}

/// Sizes of one attention layer.
#[derive(Debug, Clone, Copy)]
pub struct TransformerSettings {
    /// Channels in and out.
    pub channels: usize,
    /// Width of the text context.
    pub context_width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Transformer blocks.
    pub blocks: usize,
    /// Groups of the group norm.
    pub groups: usize,
    /// Linear projections around the blocks; 1×1 convolutions otherwise.
    pub linear_projection: bool,
    /// Attention scores in 32 bits.
    pub upcast: bool,
}

/// Transformer blocks between two projections, with a skip (`Transformer2DModel`).
#[derive(Debug)]
pub struct Transformer {
    norm: GroupNorm,
    project_in: Linear,
    blocks: Vec<TransformerBlock>,
    project_out: Linear,
}

impl Transformer {
    /// Builds the layer with the weights under `vb`.
    pub fn new(settings: TransformerSettings, vb: VarBuilder) -> Result<Self> {
        let channels = settings.channels;
        let blocks = (0..settings.blocks)
            .map(|block| TransformerBlock::new(settings, vb.pp(format!("transformer_blocks.{block}"))))
            .collect::<Result<_>>()?;
        Ok(Self {
            norm: GroupNorm::new(settings.groups, channels, 1e-6, vb.pp("norm"))?,
            project_in: projection(settings, vb.pp("proj_in"))?,
            blocks,
            project_out: projection(settings, vb.pp("proj_out"))?,
        })
    }

    /// Number of attention layers.
    pub fn layers(&self) -> usize {
        self.blocks.len()
    }

    /// The self-attention of each layer.
    pub(super) fn self_attentions(&self) -> impl Iterator<Item = &Attention> {
        self.blocks.iter().map(|block| &block.self_attention)
    }

    /// `(batch, channels, height, width)` to the same.
    pub fn forward(&self, input: &Tensor, context: &mut AttentionContext) -> Result<Tensor> {
        let (batch, channels, height, width) = input.dims4()?;
        let tokens = self.norm.forward(input)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let mut hidden = self.project_in.forward(&tokens)?;
        for block in &self.blocks {
            hidden = block.forward(&hidden, (height, width), context)?;
        }
        let hidden =
            self.project_out.forward(&hidden)?.transpose(1, 2)?.reshape((batch, channels, height, width))?;
        input + hidden
    }
}

/// A 1×1 convolution over the grid is a linear layer over its tokens, so that both kinds are held as one.
fn projection(settings: TransformerSettings, vb: VarBuilder) -> Result<Linear> {
    let channels = settings.channels;
    if settings.linear_projection {
        return Linear::new(channels, channels, vb);
    }
    let weight = vb.get((channels, channels, 1, 1), "weight")?.reshape((channels, channels))?;
    Linear::from_weights(weight, Some(vb.get(channels, "bias")?))
}

/// Self-attention, subject-encoder-attention, cross-attention and feed-forward (`BasicTransformerBlock`).
#[derive(Debug)]
struct TransformerBlock {
    norm1: LayerNorm,
    self_attention: Attention,
    subject_attention: Option<SubjectAttention>,
    norm2: LayerNorm,
    cross_attention: Attention,
    norm3: LayerNorm,
    feed_forward: FeedForward,
}

/// How a block looks at the subject.
#[derive(Debug)]
enum SubjectAttention {
    /// By an attention layer of its own, behind a norm: DreamTuner's S-E-A.
    Own(LayerNorm, Attention),
    /// By cross-attention, with keys and values of its own: an IP-Adapter.
    BesideText { keys: Linear, values: Linear },
}

impl TransformerBlock {
    fn new(settings: TransformerSettings, vb: VarBuilder) -> Result<Self> {
        let TransformerSettings { channels, context_width, heads, upcast, .. } = settings;
        let norm = |name: &str| LayerNorm::new(channels, 1e-5, vb.pp(name));
        let subject_attention = if vb.contains_tensor("attn_subject.to_q.weight") {
            let attention = Attention::new(channels, context_width, heads, upcast, vb.pp("attn_subject"))?;
            Some(SubjectAttention::Own(norm("norm_subject")?, attention))
        } else if vb.contains_tensor("attn2.to_k_ip.weight") {
            let layer = |name: &str| Linear::no_bias(context_width, channels, vb.pp("attn2").pp(name));
            Some(SubjectAttention::BesideText { keys: layer("to_k_ip")?, values: layer("to_v_ip")? })
        } else {
            None
        };
        Ok(Self {
            norm1: norm("norm1")?,
            self_attention: Attention::new(channels, channels, heads, upcast, vb.pp("attn1"))?,
            subject_attention,
            norm2: norm("norm2")?,
            cross_attention: Attention::new(channels, context_width, heads, upcast, vb.pp("attn2"))?,
            norm3: norm("norm3")?,
            feed_forward: FeedForward::new(channels, vb.pp("ff.net"))?,
        })
    }

    fn forward(
        &self,
        input: &Tensor,
        grid: (usize, usize),
        context: &mut AttentionContext,
    ) -> Result<Tensor> {
        let mut hidden =
            context.self_attention(&self.self_attention, input, &self.norm1.forward(input)?, grid)?;
        let subject = context.subject_at_layer(input.dim(0)?, input)?;
        let subject = self.subject_attention.as_ref().zip(subject.as_ref());
        if let Some((SubjectAttention::Own(norm, attention), (subject, beta))) = subject {
            let seen = attention.cross(&norm.forward(&hidden)?, subject)?;
            hidden = (&hidden + beta.times(&seen)?)?;
        }
        let text = context.text.layer(context.layer)?;
        context.layer += 1;
        let normed = self.norm2.forward(&hidden)?;
        let hidden = match subject {
            Some((SubjectAttention::BesideText { .. }, (subject, strength))) => {
                self.cross_attention.cross_both_onto(&hidden, &normed, text, (subject, strength))?
            }
            _ => self.cross_attention.cross_onto(&hidden, &normed, text)?,
        };
        self.feed_forward.forward_onto(&hidden, &self.norm3.forward(&hidden)?)
    }
}

/// A linear layer gated by the exact gelu of another, then a linear layer (`FeedForward` with `GEGLU`).
#[derive(Debug)]
struct FeedForward {
    gated: Linear,
    out: Linear,
}

impl FeedForward {
    fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        let inner = 4 * channels;
        Ok(Self {
            gated: Linear::new(channels, 2 * inner, vb.pp("0.proj"))?,
            out: Linear::new(inner, channels, vb.pp("2"))?,
        })
    }

    fn forward_onto(&self, residual: &Tensor, input: &Tensor) -> Result<Tensor> {
        feed_forward(residual, input, &self.gated, &self.out)
    }
}
