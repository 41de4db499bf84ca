//! A tuned subject: one file with the word, what changes in U-Net and text encoder, and the subject encoder's ResBlocks.
//!
//! Its tensors are `word` `(1, hidden size)`; `unet.….lora_A.weight` and `text_encoder.text_model.….lora_A.weight` as diffusers names
//! a LoRA, or `full.unet.…` and `full.text_encoder.…`; and `subject_encoder.…`. The header's note `subject` says how prompts speak of it.

use std::path::Path;
use std::sync::Arc;

use candle_core::DType;
use serde::Deserialize;

use super::lora::Lora;
use super::model::ModelFiles;
use super::network_files::{NetworkConfig, NetworkFiles};
use super::tensor_file::TensorFile;
use super::textual_inversion::TextualInversion;
use crate::error::{Error, Result};

/// A tuned subject, opened.
#[derive(Debug)]
pub struct SubjectFile {
    /// What stands for it in prompts.
    pub phrase: SubjectPhrase,
    /// The word.
    pub word: TextualInversion,
    /// Low-rank changes, if it has any.
    pub lora: Option<Lora>,
    file: Arc<TensorFile>,
}

/// How prompts speak of a tuned subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectPhrase {
    class: String,
    word: String,
}

impl SubjectPhrase {
    /// The text, which speaks of the subject: where it does not hold its word, class and word come first.
    pub fn in_text(&self, text: &str) -> String {
        let Self { class, word } = self;
        match text.trim() {
            _ if text.to_lowercase().contains(&word.to_lowercase()) => text.to_owned(),
            "" => format!("{class} {word}"),
            _ => format!("{class} {word}, {text}"),
        }
    }
}

#[derive(Deserialize)]
struct Notes {
    word: String,
    class: String,
}

impl SubjectFile {
    /// The tensor with the word's embedding.
    pub const WORD: &'static str = "word";
    /// The header's note.
    pub const NOTES: &'static str = "subject";
    const FULL: [&'static str; 2] = ["full.unet.", "full.text_encoder."];
    const ENCODER: &'static str = "subject_encoder.";

    /// What the names of trained weights begin with: U-Net, text encoder, ResBlocks; `full` for whole weights instead of changes.
    pub fn prefixes(full: bool) -> [&'static str; 3] {
        let [unet, text] = if full { Self::FULL } else { ["unet.", "text_encoder.text_model."] };
        [unet, text, Self::ENCODER]
    }

    /// Opens a subject.
    ///
    /// # Errors
    /// A file that is none, and all that [`PartFiles::open`](super::PartFiles::open) refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Arc::new(TensorFile::open(path)?);
        let fail = |problem: String| Error::weights(path, problem);
        let notes = file.metadata().get(Self::NOTES);
        let notes = notes.ok_or_else(|| fail("is no tuned subject: its header has no note of one".into()))?;
        let Notes { word, class } = serde_json::from_str(notes)
            .map_err(|error| fail(format!("the header's note on the subject: {error}")))?;
        if file.shape(Self::WORD).is_none_or(|shape| shape.len() != 2) {
            return Err(fail(format!("has no tensor \"{}\" of two dimensions", Self::WORD)));
        }
        let vectors = file.tensor(Self::WORD)?.0.to_dtype(DType::F32)?;
        let phrase = SubjectPhrase { class, word: word.clone() };
        let word = TextualInversion { word, vectors, fingerprint: file.hash().to_hex().to_string() };
        let others = [Self::FULL[0], Self::FULL[1], Self::ENCODER];
        let is_lora = |key: &str| key != Self::WORD && !others.iter().any(|other| key.starts_with(other));
        let has_lora = file.tensors().keys().any(|key| is_lora(key));
        let lora = has_lora.then(|| Lora::in_file(file.clone(), is_lora)).transpose()?;
        Ok(Self { phrase, word, lora, file })
    }

    /// Puts the subject's whole weights in the place of a model's.
    ///
    /// # Errors
    /// Weights that the model does not have.
    pub fn apply(&self, model: &mut ModelFiles) -> Result<()> {
        let [unet, text] = Self::FULL;
        self.replace(&mut model.unet, unet)?;
        self.replace(&mut model.text_encoder, text)?;
        model
            .subject_encoder
            .as_mut()
            .map_or(Ok(()), |subject| self.replace(&mut subject.encoder, Self::ENCODER))
    }

    /// Puts those of its weights whose names begin with `prefix` in the place of a network's.
    fn replace<C: NetworkConfig>(&self, part: &mut NetworkFiles<C>, prefix: &str) -> Result<()> {
        let names: Vec<&str> =
            self.file.tensors().keys().filter_map(|key| key.strip_prefix(prefix)).collect();
        part.replace(&self.file, prefix, &names)
    }
}
