//! CLIP's image encoder (`CLIPVisionModelWithProjection`).
//!
//! Architecture: transformers `models/clip/modeling_clip.py`.

use candle_core::{IndexOp, Result, Tensor};
use candle_nn::{
    Conv2d, Conv2dConfig, LayerNorm, Linear, Module, VarBuilder, conv2d_no_bias, layer_norm, linear_no_bias,
};

use super::config::ImageEncoderConfig;
use super::encoder_layer::EncoderLayer;

/// Turns pictures into vectors.
#[derive(Debug)]
pub struct ImageEncoder {
    class: Tensor,
    patches: Conv2d,
    positions: Tensor,
    first_norm: LayerNorm,
    layers: Vec<EncoderLayer>,
    final_norm: LayerNorm,
    projection: Linear,
}

impl ImageEncoder {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &ImageEncoderConfig, vb: VarBuilder) -> Result<Self> {
        let width = config.encoder.hidden_size;
        let embeddings = vb.pp("embeddings");
        let tokens = (config.image_size / config.patch_size).pow(2) + 1;
        let stride = Conv2dConfig { stride: config.patch_size, ..Default::default() };
        let norm = |name: &str| layer_norm(width, config.encoder.layer_norm_eps, vb.pp(name));
        Ok(Self {
            class: embeddings.get(width, "class_embedding")?,
            patches: conv2d_no_bias(3, width, config.patch_size, stride, embeddings.pp("patch_embedding"))?,
            positions: embeddings.get((tokens, width), "position_embedding.weight")?,
            // The name's spelling is that of the files.
            first_norm: norm("pre_layrnorm")?,
            layers: EncoderLayer::stack(&config.encoder, &vb)?,
            final_norm: norm("post_layernorm")?,
            projection: linear_no_bias(width, config.projection_dim, vb.pp("visual_projection"))?,
        })
    }

    /// The vectors `(batch, projection)` of pictures `(batch, 3, side, side)`, normalised as the network was trained.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        let patches = self.patches.forward(pictures)?.flatten_from(2)?.transpose(1, 2)?;
        let (batch, _, width) = patches.dims3()?;
        let class = self.class.broadcast_as((batch, 1, width))?;
        let tokens = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        let mut hidden = self.first_norm.forward(&tokens)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden, None)?;
        }
        let class = hidden.i((.., 0))?.contiguous()?;
        self.projection.forward(&self.final_norm.forward(&class)?)
    }
}
