//! A vision transformer (`ViTModel`): Dosovitskiy et al. 2021, arXiv 2010.11929.
//!
//! Architecture: transformers `models/vit/modeling_vit.py`.

use candle_core::{IndexOp, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, LayerNorm, Module, VarBuilder, conv2d, layer_norm};

use super::config::VisionTransformerConfig;
use super::encoder_layer::EncoderLayer;

/// Turns pictures into vectors.
#[derive(Debug)]
pub struct VisionTransformer {
    class: Tensor,
    patches: Conv2d,
    positions: Tensor,
    layers: Vec<EncoderLayer>,
    norm: LayerNorm,
}

impl VisionTransformer {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &VisionTransformerConfig, vb: VarBuilder) -> Result<Self> {
        let width = config.encoder.hidden_size;
        let embeddings = vb.pp("embeddings");
        let tokens = (config.image_size / config.patch_size).pow(2) + 1;
        let stride = Conv2dConfig { stride: config.patch_size, ..Default::default() };
        let patches = embeddings.pp("patch_embeddings.projection");
        Ok(Self {
            class: embeddings.get((1, 1, width), "cls_token")?,
            patches: conv2d(3, width, config.patch_size, stride, patches)?,
            positions: embeddings.get((1, tokens, width), "position_embeddings")?,
            layers: EncoderLayer::stack(&config.encoder, &vb)?,
            norm: layer_norm(width, config.encoder.layer_norm_eps, vb.pp("layernorm"))?,
        })
    }

    /// The vectors `(batch, width)` of pictures `(batch, 3, side, side)`, normalised as the network was trained: what the last norm
    /// makes of the token that stands for the whole.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        let patches = self.patches.forward(pictures)?.flatten_from(2)?.transpose(1, 2)?;
        let (batch, _, width) = patches.dims3()?;
        let class = self.class.broadcast_as((batch, 1, width))?;
        let tokens = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        let hidden = self.layers.iter().try_fold(tokens, |hidden, layer| layer.forward(&hidden, None))?;
        self.norm.forward(&hidden.i((.., 0))?.contiguous()?)
    }
}
