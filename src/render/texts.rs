//! The texts of a clip, encoded.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::model::stable_diffusion::StableDiffusion;
use crate::render::settings::RenderSettings;

/// What the U-Net is told of each text, `(1, tokens, context width)`.
#[derive(Debug, Clone)]
pub struct Texts {
    /// What the frames show.
    pub prompt: Tensor,
    /// What they must not show.
    pub negative: Tensor,
    /// What the reference shows.
    pub reference: Tensor,
}

impl Texts {
    /// Encodes the texts of `settings`.
    ///
    /// # Errors
    /// A text that is too long or weighted out of range; a `clip_skip` past the number of layers.
    pub fn encode(model: &StableDiffusion, settings: &RenderSettings) -> Result<Self> {
        let text = |name: &str, text: &str| encode(model, name, text, settings.clip_skip);
        let prompt = text("prompt", &settings.prompt)?;
        let reference = match &settings.reference_prompt {
            Some(reference) => text("reference-prompt", reference)?,
            None => prompt.clone(),
        };
        Ok(Self { negative: text("negative-prompt", &settings.negative_prompt)?, prompt, reference })
    }
}

/// The context of a text; what is wrong with it is said of the setting called `name`.
fn encode(model: &StableDiffusion, name: &str, text: &str, clip_skip: usize) -> Result<Tensor> {
    model.encode_prompt(text, clip_skip).map_err(|error| match error {
        Error::Setting { name: found, problem } if found == "prompt" => Error::setting(name, problem),
        other => other,
    })
}
