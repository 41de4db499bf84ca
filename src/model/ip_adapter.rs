//! IP-Adapter (Ye et al. 2023, <https://arxiv.org/abs/2308.06721>): a public stand-in for the subject encoder. A picture becomes a few
//! tokens, which cross-attention attends to beside the text.
//!
//! Architecture: diffusers `models/embeddings.py`, `ImageProjection` (base) and `IPAdapterPlusImageProjection` (plus).

use candle_core::{D, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::subject_config::IpAdapterConfig;
use dreamtuner_kernels::{LayerNorm, Linear};
use dreamtuner_kernels::{Segment, weighted_attention};

/// Width of the resampler's heads.
const HEAD_WIDTH: usize = 64;

/// Turns what the image encoder says of a picture into tokens.
#[derive(Debug)]
pub enum ImageProjection {
    /// The picture's vector through one layer (base).
    Linear {
        /// To all tokens, one after the other.
        projection: Linear,
        /// Over each token.
        norm: LayerNorm,
        /// Number of tokens.
        tokens: usize,
    },
    /// Learned queries that look at the picture's patches (plus).
    Resampler(Box<Resampler>),
}

impl ImageProjection {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &IpAdapterConfig, vb: VarBuilder) -> Result<Self> {
        let vb = vb.pp("image_proj");
        if config.layers > 0 {
            return Ok(Self::Resampler(Box::new(Resampler::new(config, vb)?)));
        }
        let (tokens, width) = (config.tokens, config.context_width);
        Ok(Self::Linear {
            projection: Linear::new(config.image_width, tokens * width, vb.pp("proj"))?,
            norm: LayerNorm::new(width, 1e-5, vb.pp("norm"))?,
            tokens,
        })
    }

    /// Tokens `(batch, tokens, context width)` of pictures: of their vectors `(batch, image width)` (base), or of their patches
    /// `(batch, patches, image width)` (plus).
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        match self {
            Self::Resampler(resampler) => resampler.forward(pictures),
            Self::Linear { projection, norm, tokens } => {
                let projected = projection.forward(pictures)?;
                norm.forward(&projected.reshape((pictures.dim(0)?, *tokens, ()))?)
            }
        }
    }
}

/// A perceiver resampler.
#[derive(Debug)]
pub struct Resampler {
    queries: Tensor,
    proj_in: Linear,
    layers: Vec<ResamplerLayer>,
    proj_out: Linear,
    norm_out: LayerNorm,
}

impl Resampler {
    fn new(config: &IpAdapterConfig, vb: VarBuilder) -> Result<Self> {
        let width = config.width;
        let layer = |index: usize| ResamplerLayer::new(config, vb.pp(format!("layers.{index}")));
        Ok(Self {
            queries: vb.get((1, config.tokens, width), "latents")?,
            proj_in: Linear::new(config.image_width, width, vb.pp("proj_in"))?,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            proj_out: Linear::new(width, config.context_width, vb.pp("proj_out"))?,
            norm_out: LayerNorm::new(config.context_width, 1e-5, vb.pp("norm_out"))?,
        })
    }

    fn forward(&self, patches: &Tensor) -> Result<Tensor> {
        let patches = self.proj_in.forward(patches)?;
        let (_, tokens, width) = self.queries.dims3()?;
        let first = self.queries.broadcast_as((patches.dim(0)?, tokens, width))?.contiguous()?;
        let hidden = self.layers.iter().try_fold(first, |hidden, layer| layer.forward(&hidden, &patches))?;
        self.norm_out.forward(&self.proj_out.forward(&hidden)?)
    }
}

/// Attention from the queries to the patches and to themselves, then a feed-forward network.
#[derive(Debug)]
struct ResamplerLayer {
    norm_patches: LayerNorm,
    norm_queries: LayerNorm,
    to_q: Linear,
    to_kv: Linear,
    to_out: Linear,
    norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
}

impl ResamplerLayer {
    fn new(config: &IpAdapterConfig, vb: VarBuilder) -> Result<Self> {
        let (width, inner) = (config.width, config.heads * HEAD_WIDTH);
        let (attention, feed_forward) = (vb.pp("0"), vb.pp("1"));
        Ok(Self {
            norm_patches: LayerNorm::new(width, 1e-5, attention.pp("norm1"))?,
            norm_queries: LayerNorm::new(width, 1e-5, attention.pp("norm2"))?,
            to_q: Linear::no_bias(width, inner, attention.pp("to_q"))?,
            to_kv: Linear::no_bias(width, 2 * inner, attention.pp("to_kv"))?,
            to_out: Linear::no_bias(inner, width, attention.pp("to_out"))?,
            norm: LayerNorm::new(width, 1e-5, feed_forward.pp("0"))?,
            wide: Linear::no_bias(width, config.inner_width, feed_forward.pp("1"))?,
            narrow: Linear::no_bias(config.inner_width, width, feed_forward.pp("3"))?,
        })
    }

    fn forward(&self, queries: &Tensor, patches: &Tensor) -> Result<Tensor> {
        let normed = self.norm_queries.forward(queries)?;
        let seen = Tensor::cat(&[&self.norm_patches.forward(patches)?, &normed], 1)?;
        let halves = self.to_kv.forward(&seen)?.chunk(2, D::Minus1)?;
        let segment = Segment { keys: heads(&halves[0])?, values: heads(&halves[1])?, log_weights: None };
        let attended = weighted_attention(&heads(&self.to_q.forward(&normed)?)?, &[segment])?;
        let hidden = (self.to_out.forward(&attended.transpose(1, 2)?.flatten_from(2)?)? + queries)?;
        let inner = self.wide.forward(&self.norm.forward(&hidden)?)?.gelu_erf()?;
        hidden + self.narrow.forward(&inner)?
    }
}

/// `(batch, tokens, width)` to `(batch, heads, tokens, head width)`.
fn heads(tensor: &Tensor) -> Result<Tensor> {
    let (batch, tokens, width) = tensor.dims3()?;
    tensor.reshape((batch, tokens, width / HEAD_WIDTH, HEAD_WIDTH))?.transpose(1, 2)
}
