//! The prompts of a clip, encoded.

use crate::error::Result;
use crate::model::{Conditioning, StableDiffusion};
use crate::render::settings::RenderSettings;

/// What the networks are told of each prompt.
#[derive(Debug, Clone)]
pub struct PromptEmbeddings {
    /// What the frames show.
    pub prompt: Conditioning,
    /// What they must not show.
    pub negative: Conditioning,
    /// What the reference shows.
    pub reference: Conditioning,
}

impl PromptEmbeddings {
    /// Encodes the prompts of `settings`.
    ///
    /// # Errors
    /// A prompt that is too long or weighted out of range; a `clip_skip` past the number of layers.
    pub fn encode(model: &StableDiffusion, settings: &RenderSettings) -> Result<Self> {
        model.prompt_encoder.with(settings.clip_skip, |encoder| {
            let prompt = encoder.encode("prompt", &settings.prompt)?;
            let reference = match &settings.reference_prompt {
                Some(reference) => encoder.encode("reference-prompt", reference)?,
                None => prompt.clone(),
            };
            let negative = encoder.encode("negative-prompt", &settings.negative_prompt)?;
            Ok(Self { prompt, negative, reference })
        })
    }
}
