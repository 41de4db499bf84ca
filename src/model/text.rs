//! The CLIP text encoder (`CLIPTextModel`), and the context that a U-Net reads a prompt from.
//!
//! Architecture: transformers `models/clip/modeling_clip.py`.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Embedding, Module, VarBuilder};

use super::Chunk;
use super::config::TextConfig;
use super::encoder_layer::EncoderLayer;
use dreamtuner_kernels::LayerNorm;

/// Turns token ids into hidden states.
#[derive(Debug)]
pub struct TextEncoder {
    words: Embedding,
    vocabulary: usize,
    /// `(vectors, hidden size)`: what follows the vocabulary.
    concepts: Option<Tensor>,
    positions: Tensor,
    layers: Vec<EncoderLayer>,
    final_norm: LayerNorm,
}

impl TextEncoder {
    /// Builds the network that `config` describes with the weights under `vb`. `concepts` `(vectors, hidden size)`
    /// follow the vocabulary: the embeddings of textual-inversion words.
    pub fn new(config: &TextConfig, concepts: Option<&Tensor>, vb: VarBuilder) -> Result<Self> {
        let width = config.encoder.hidden_size;
        let embeddings = vb.pp("embeddings");
        let words = embeddings.get((config.vocab_size, width), "token_embedding.weight")?;
        let concepts = concepts.map(|concepts| concepts.to_dtype(words.dtype())?.to_device(words.device()));
        Ok(Self {
            concepts: concepts.transpose()?,
            vocabulary: config.vocab_size,
            words: Embedding::new(words, width),
            positions: embeddings
                .get((config.max_position_embeddings, width), "position_embedding.weight")?,
            layers: EncoderLayer::stack(&config.encoder, &vb)?,
            final_norm: LayerNorm::new(width, config.encoder.layer_norm_eps, vb.pp("final_layer_norm"))?,
        })
    }

    /// Hidden states `(batch, tokens, hidden size)` of token ids `(batch, tokens)` after the last layer but
    /// `clip_skip - 1`, normalised. `clip_skip` counts from 1, the last layer, to the number of layers.
    pub fn forward(&self, ids: &Tensor, clip_skip: usize) -> Result<Tensor> {
        let (_, tokens) = ids.dims2()?;
        let layers = self.layers.len();
        if clip_skip == 0 || clip_skip > layers {
            candle_core::bail!("clip skip {clip_skip}: this text encoder allows 1 to {layers}");
        }
        let mut hidden = self.embed(ids)?.broadcast_add(&self.positions.narrow(0, 0, tokens)?)?;
        let mask = causal_mask(tokens, hidden.dtype(), hidden.device())?;
        for layer in &self.layers[..=layers - clip_skip] {
            hidden = layer.forward(&hidden, Some(&mask))?;
        }
        self.final_norm.forward(&hidden)
    }

    /// Embeddings `(batch, tokens, hidden size)` of token ids. Those of concepts are picked by a product with zeros and ones, so
    /// that they can train while the vocabulary, which is large, stays out of it.
    fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        let Some(concepts) = &self.concepts else { return self.words.forward(ids) };
        let count = concepts.dim(0)?;
        let numbers: Vec<u32> = ids.flatten_all()?.to_vec1()?;
        if let Some(id) = numbers.iter().find(|&&id| id as usize >= self.vocabulary + count) {
            candle_core::bail!("token {id} of {} words and {count} concepts", self.vocabulary);
        }
        let concept = |id: u32| (id as usize).checked_sub(self.vocabulary);
        let known: Vec<u32> = numbers.iter().map(|&id| if concept(id).is_some() { 0 } else { id }).collect();
        let known = Tensor::from_vec(known, ids.shape(), ids.device())?;
        let picked: Vec<f32> = numbers
            .iter()
            .flat_map(|&id| (0..count).map(move |index| f32::from(concept(id) == Some(index))))
            .collect();
        let (batch, tokens) = ids.dims2()?;
        let picked =
            Tensor::from_vec(picked, (batch * tokens, count), ids.device())?.to_dtype(concepts.dtype())?;
        let is_word = (1.0 - picked.sum_keepdim(1)?)?.reshape((batch, tokens, 1))?;
        let concepts = picked.matmul(concepts)?.reshape((batch, tokens, ()))?;
        self.words.forward(&known)?.broadcast_mul(&is_word)? + concepts
    }

    /// The context of a prompt, `(1, tokens, hidden size)`: its chunks one after the other, each weighted as A1111 does
    /// (multiplied token by token, then brought back to the mean it had).
    pub fn encode(&self, chunks: &[Chunk], clip_skip: usize) -> Result<Tensor> {
        let parts =
            chunks.iter().map(|chunk| self.encode_chunk(chunk, clip_skip)).collect::<Result<Vec<_>>>()?;
        Tensor::cat(&parts, 1)
    }

    fn encode_chunk(&self, chunk: &Chunk, clip_skip: usize) -> Result<Tensor> {
        let device = self.positions.device();
        let ids = Tensor::new(chunk.tokens.as_slice(), device)?.unsqueeze(0)?;
        let hidden = self.forward(&ids, clip_skip)?;
        if chunk.weights.iter().all(|&weight| weight == 1.0) {
            return Ok(hidden);
        }
        let weights =
            Tensor::new(chunk.weights.as_slice(), device)?.to_dtype(hidden.dtype())?.reshape((1, (), 1))?;
        let weighted = hidden.broadcast_mul(&weights)?;
        let mean = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>();
        let (before, after) = (mean(&hidden)?, mean(&weighted)?);
        if after == 0.0 { Ok(weighted) } else { weighted * f64::from(before / after) }
    }

    /// Number of layers: the largest `clip_skip`.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }
}

/// Zero where a token may look, -∞ where it may not: `(tokens, tokens)`.
fn causal_mask(tokens: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let mask: Vec<f32> = (0..tokens)
        .flat_map(|row| (0..tokens).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 }))
        .collect();
    Tensor::from_vec(mask, (tokens, tokens), device)?.to_dtype(dtype)
}
