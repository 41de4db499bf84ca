//! The model inside the program, `models/mini`.

use std::borrow::Cow;

use super::model::{ModelFiles, TokenizerFiles};
use super::part::{Part, PartFiles};
use crate::error::{Error, Result};

/// What stands in messages in place of a path.
const NAME: &str = "the built-in model";

macro_rules! part {
    ($part:expr, $folder:literal, $weights:literal) => {
        PartFiles::embedded(
            $part,
            concat!("built-in ", $folder),
            include_str!(concat!("../../../models/mini/", $folder, "/config.json")),
            include_bytes!(concat!("../../../models/mini/", $folder, "/", $weights)),
        )
    };
}

impl ModelFiles {
    /// The model that is part of the program.
    pub fn builtin() -> Result<Self> {
        let scheduler = include_str!("../../../models/mini/scheduler/scheduler_config.json");
        Ok(Self {
            unet: part!(Part::Unet, "unet", "diffusion_pytorch_model.safetensors")?,
            vae: part!(Part::Vae, "vae", "diffusion_pytorch_model.safetensors")?,
            text_encoder: part!(Part::TextEncoder, "text_encoder", "model.safetensors")?,
            controlnet: Some(part!(Part::ControlNet, "controlnet", "diffusion_pytorch_model.safetensors")?),
            image_encoder: Some(part!(Part::ImageEncoder, "image_encoder", "model.safetensors")?),
            feature_extractor: Some(
                serde_json::from_str(include_str!(
                    "../../../models/mini/feature_extractor/preprocessor_config.json"
                ))
                .map_err(|error| Error::weights(NAME, format!("preprocessor_config.json: {error}")))?,
            ),
            subject_encoder: None,
            scheduler: serde_json::from_str(scheduler)
                .map_err(|error| Error::weights(NAME, format!("scheduler_config.json: {error}")))?,
            tokenizer: TokenizerFiles::Contents {
                vocab: Cow::Borrowed(include_str!("../../../models/mini/tokenizer/vocab.json")),
                merges: Cow::Borrowed(include_str!("../../../models/mini/tokenizer/merges.txt")),
                config: Cow::Borrowed(include_str!("../../../models/mini/tokenizer/tokenizer_config.json")),
            },
            unrecognised: Vec::new(),
        })
    }
}
