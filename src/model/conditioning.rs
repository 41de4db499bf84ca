//! What the denoising networks are told besides the noisy latent.

use candle_core::Tensor;

/// A text as networks are told of it: the embeddings of its tokens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Conditioning {
    /// What cross-attention attends to, `(batch, tokens, context width)`: diffusers' `encoder_hidden_states`.
    pub context: Tensor,
}

impl Conditioning {
    /// A context alone, as Stable Diffusion 1.x and 2.x are told.
    pub fn of_context(context: Tensor) -> Self {
        Self { context }
    }
}
