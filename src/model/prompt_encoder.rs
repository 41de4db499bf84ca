//! From prompts to what networks are told: a tokenizer and its text encoder.

use candle_core::{DType, Tensor};

use super::conditioning::Conditioning;
use super::config::TextConfig;
use super::load::LoadOptions;
use super::on_demand::OnDemand;
use super::text::TextEncoder;
use super::tokenizer::Tokenizer;
use super::weights::{LoadReport, Lora, ModelFiles, TextualInversion};
use crate::error::{Error, Result};

/// A tokenizer, with the words of textual inversions, and its text encoder.
#[derive(Debug)]
pub struct PromptEncoder {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    text_encoder: OnDemand<TextEncoder>,
    layers: usize,
    dtype: DType,
}

impl PromptEncoder {
    /// Loads the text encoder of a model. Embeddings are given in the type `dtype`.
    pub(super) fn load(
        files: &ModelFiles,
        options: &LoadOptions,
        dtype: DType,
    ) -> Result<(Self, LoadReport)> {
        let part = files.text_encoder.clone();
        let mut tokenizer = Tokenizer::open(&files.tokenizer)?;
        check_tokenizer(&tokenizer, &part.config, &options.textual_inversions)
            .map_err(|problem| Error::weights(part.path(), problem))?;
        let concepts = add_concepts(&mut tokenizer, &options.textual_inversions, &part.config)?;
        let (device, loras) = (options.device.device.clone(), options.loras.clone());
        let read = move || {
            let loras: Vec<(&Lora, f64)> = loras.iter().map(|(lora, weight)| (lora, *weight)).collect();
            part.build(DType::F32, &device, &loras, |vb| {
                TextEncoder::new(&part.config, concepts.as_ref(), vb)
            })
        };
        let (text_encoder, report) = read()?;
        let layers = text_encoder.layers();
        let text_encoder = OnDemand::new(text_encoder, options.device.low_memory, move || Ok(read()?.0));
        Ok((Self { tokenizer, text_encoder, layers, dtype }, report))
    }

    /// Lets `work` encode prompts, with the hidden states of the last layer but `clip_skip - 1`: the text encoder is in memory
    /// meanwhile.
    ///
    /// # Errors
    /// Those of `work`; a `clip_skip` past the number of layers.
    pub fn with<R>(
        &self,
        clip_skip: usize,
        work: impl FnOnce(&LoadedPromptEncoder) -> Result<R>,
    ) -> Result<R> {
        if clip_skip == 0 || clip_skip > self.layers {
            let problem = format!("{clip_skip}; this model allows 1 to {}", self.layers);
            return Err(Error::setting("clip-skip", problem));
        }
        let Self { tokenizer, dtype, .. } = self;
        self.text_encoder.with(|text_encoder| {
            work(&LoadedPromptEncoder { tokenizer, text_encoder, clip_skip, dtype: *dtype })
        })
    }
}

/// A [`PromptEncoder`] that is in memory.
#[derive(Debug)]
pub struct LoadedPromptEncoder<'a> {
    tokenizer: &'a Tokenizer,
    text_encoder: &'a TextEncoder,
    clip_skip: usize,
    dtype: DType,
}

impl LoadedPromptEncoder<'_> {
    /// What the U-Net is told of a prompt; its context is `(1, tokens, context width)`. Messages call the prompt `name`.
    ///
    /// # Errors
    /// A prompt that is too long or weighted out of range.
    pub fn encode(&self, name: &str, prompt: &str) -> Result<Conditioning> {
        let chunks = self.tokenizer.chunks(prompt).map_err(|error| match error {
            Error::Setting { problem, .. } => Error::setting(name, problem),
            other => other,
        })?;
        let context = self.text_encoder.encode(&chunks, self.clip_skip)?.to_dtype(self.dtype)?;
        Ok(Conditioning::of_context(context))
    }
}

/// Refuses a tokenizer whose ids or chunks the text encoder has no embeddings for.
fn check_tokenizer(
    tokenizer: &Tokenizer,
    config: &TextConfig,
    inversions: &[TextualInversion],
) -> std::result::Result<(), String> {
    let (words, known) = (tokenizer.vocabulary_size(), config.vocab_size);
    // New words are numbered after the tokenizer's, and their embeddings follow the text encoder's.
    if words > known || (words < known && !inversions.is_empty()) {
        return Err(format!("vocab_size: {known}, the tokenizer has {words} words"));
    }
    let (tokens, positions) = (tokenizer.max_length(), config.max_position_embeddings);
    if tokens > positions {
        return Err(format!("max_position_embeddings: {positions}, the tokenizer makes chunks of {tokens}"));
    }
    Ok(())
}

/// Puts the words of textual inversions into the vocabulary; their vectors `(vectors, hidden size)`.
fn add_concepts(
    tokenizer: &mut Tokenizer,
    inversions: &[TextualInversion],
    config: &TextConfig,
) -> Result<Option<Tensor>> {
    let mut vectors = Vec::new();
    for inversion in inversions {
        let (count, width) = inversion.vectors.dims2()?;
        if width != config.encoder.hidden_size {
            let problem = format!(
                "{} has vectors of width {width}, the text encoder {}",
                inversion.word, config.encoder.hidden_size
            );
            return Err(Error::setting("embedding", problem));
        }
        tokenizer.add_concept(&inversion.word, count)?;
        vectors.push(&inversion.vectors);
    }
    if vectors.is_empty() { Ok(None) } else { Ok(Some(Tensor::cat(&vectors, 0)?)) }
}
