//! The layer that CLIP's text and image encoders are stacked from: self-attention and a feed-forward network, each behind a
//! layer norm.

use candle_core::{D, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::config::{Activation, EncoderConfig};
use dreamtuner_kernels::{LayerNorm, Linear};

/// One layer.
#[derive(Debug)]
pub struct EncoderLayer {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
    norm2: LayerNorm,
    fc1: Linear,
    activation: Activation,
    fc2: Linear,
}

impl EncoderLayer {
    /// Builds all layers of an encoder with the weights under `vb`.
    pub fn stack(config: &EncoderConfig, vb: &VarBuilder) -> Result<Vec<Self>> {
        let layer = |index| Self::new(config, vb.pp(format!("encoder.layers.{index}")));
        (0..config.num_hidden_layers).map(layer).collect()
    }

    fn new(config: &EncoderConfig, vb: VarBuilder) -> Result<Self> {
        let (width, inner_width) = (config.hidden_size, config.intermediate_size);
        let projection = |name: &str| Linear::new(width, width, vb.pp("self_attn").pp(name));
        let norm = |name: &str| LayerNorm::new(width, config.layer_norm_eps, vb.pp(name));
        Ok(Self {
            norm1: norm("layer_norm1")?,
            q: projection("q_proj")?,
            k: projection("k_proj")?,
            v: projection("v_proj")?,
            out: projection("out_proj")?,
            heads: config.num_attention_heads,
            norm2: norm("layer_norm2")?,
            fc1: Linear::new(width, inner_width, vb.pp("mlp.fc1"))?,
            activation: config.hidden_act,
            fc2: Linear::new(inner_width, width, vb.pp("mlp.fc2"))?,
        })
    }

    /// Hidden states `(batch, tokens, width)` after the layer. `mask` `(tokens, tokens)` is added to the attention scores.
    pub fn forward(&self, input: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let hidden = (input + self.attend(&self.norm1.forward(input)?, mask)?)?;
        let inner = self.fc1.forward(&self.norm2.forward(&hidden)?)?;
        let inner = match self.activation {
            Activation::QuickGelu => (&inner * candle_nn::ops::sigmoid(&(&inner * 1.702)?)?)?,
            Activation::Gelu => inner.gelu_erf()?,
        };
        hidden + self.fc2.forward(&inner)?
    }

    fn attend(&self, input: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, tokens, width) = input.dims3()?;
        let head = width / self.heads;
        let split = |linear: &Linear| {
            linear.forward(input)?.reshape((batch, tokens, self.heads, head))?.transpose(1, 2)?.contiguous()
        };
        let queries = (split(&self.q)? / (head as f64).sqrt())?;
        let scores = queries.matmul(&split(&self.k)?.transpose(2, 3)?)?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let probabilities = candle_nn::ops::softmax(&scores, D::Minus1)?;
        let attended = probabilities.matmul(&split(&self.v)?)?;
        self.out.forward(&attended.transpose(1, 2)?.reshape((batch, tokens, width))?)
    }
}
