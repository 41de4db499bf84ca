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
        let hidden = self
            .layers
            .iter()
            .try_fold(self.embed(pictures)?, |hidden, layer| layer.forward(&hidden, None))?;
        let class = hidden.i((.., 0))?.contiguous()?;
        self.projection.forward(&self.final_norm.forward(&class)?)
    }

    /// What the last layer but one makes of pictures, `(batch, 1 + patches, width)`, the token that stands for the whole first.
    pub fn penultimate(&self, pictures: &Tensor) -> Result<Tensor> {
        let layers = &self.layers[..self.layers.len() - 1];
        layers.iter().try_fold(self.embed(pictures)?, |hidden, layer| layer.forward(&hidden, None))
    }

    /// What some layers make of the patches of pictures, each `(batch, patches, width)`. Number 0 is what enters the first layer,
    /// n what leaves the nth (`hidden_states` of transformers, without the token that stands for the whole).
    pub fn hidden_states(&self, pictures: &Tensor, layers: &[usize]) -> Result<Vec<Tensor>> {
        let mut states = vec![self.embed(pictures)?];
        for layer in &self.layers[..layers.iter().copied().max().unwrap_or(0)] {
            states.push(layer.forward(&states[states.len() - 1], None)?);
        }
        let patches = |layer: &usize| states[*layer].narrow(1, 1, states[*layer].dim(1)? - 1);
        layers.iter().map(patches).collect()
    }

    /// What enters the first layer, `(batch, 1 + patches, width)`.
    fn embed(&self, pictures: &Tensor) -> Result<Tensor> {
        let patches = self.patches.forward(pictures)?.flatten_from(2)?.transpose(1, 2)?;
        let (batch, _, width) = patches.dims3()?;
        let class = self.class.broadcast_as((batch, 1, width))?;
        let tokens = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        self.first_norm.forward(&tokens)
    }
}
