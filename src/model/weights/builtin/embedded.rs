//! Its files.

use std::borrow::Cow;

use serde_json::Value;

use super::super::model::{ModelFiles, TokenizerFiles};
use super::super::networks::Part;
use super::super::part::PartFiles;
use super::super::subject::SubjectEncoderFiles;
use crate::error::{Error, Result};

/// What stands in messages in place of a path.
const NAME: &str = "the built-in model";

macro_rules! part {
    ($part:expr, $folder:literal, $weights:literal) => {
        PartFiles::embedded(
            $part,
            concat!("built-in ", $folder),
            include_str!(concat!("../../../../models/mini/", $folder, "/config.json")),
            include_bytes!(concat!("../../../../models/mini/", $folder, "/", $weights)),
        )
    };
}

/// The model.
pub fn model() -> Result<ModelFiles> {
    let scheduler = include_str!("../../../../models/mini/scheduler/scheduler_config.json");
    let unet = part!(Part::Unet, "unet", "diffusion_pytorch_model.safetensors")?;
    let image_encoder = part!(Part::ImageEncoder, "image_encoder", "model.safetensors")?;
    let extractor = include_str!("../../../../models/mini/feature_extractor/preprocessor_config.json");
    let feature_extractor: Option<Value> = Some(
        serde_json::from_str(extractor)
            .map_err(|error| Error::weights(NAME, format!("preprocessor_config.json: {error}")))?,
    );
    let encoder = part!(Part::SubjectEncoder, "subject_encoder", "diffusion_pytorch_model.safetensors")?;
    let subject_encoder =
        SubjectEncoderFiles::new(encoder, &unet, image_encoder.clone(), feature_extractor.clone())?;
    Ok(ModelFiles {
        unet,
        vae: part!(Part::Vae, "vae", "diffusion_pytorch_model.safetensors")?,
        text_encoder: part!(Part::TextEncoder, "text_encoder", "model.safetensors")?,
        controlnet: Some(part!(Part::ControlNet, "controlnet", "diffusion_pytorch_model.safetensors")?),
        image_encoder: Some(image_encoder),
        feature_extractor,
        subject_encoder: Some(subject_encoder),
        scheduler: serde_json::from_str(scheduler)
            .map_err(|error| Error::weights(NAME, format!("scheduler_config.json: {error}")))?,
        tokenizer: TokenizerFiles::Contents {
            vocab: Cow::Borrowed(include_str!("../../../../models/mini/tokenizer/vocab.json")),
            merges: Cow::Borrowed(include_str!("../../../../models/mini/tokenizer/merges.txt")),
            config: Cow::Borrowed(include_str!("../../../../models/mini/tokenizer/tokenizer_config.json")),
        },
        unrecognised: Vec::new(),
    })
}

/// Its `dreamtuner.json`.
pub fn defaults() -> &'static str {
    include_str!("../../../../models/mini/dreamtuner.json")
}
