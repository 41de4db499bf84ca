//! Its files.

use std::borrow::Cow;

use serde_json::Value;

use super::super::model::{ModelFiles, TokenizerFiles};
use super::super::network_files::NetworkFiles;
use super::super::networks::Part;
use super::super::part::PartFiles;
use super::super::preprocessor::Preprocessor;
use super::super::scheduler::SchedulerFile;
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
        )?
    };
}

/// The model.
pub fn model() -> Result<ModelFiles> {
    let unet = part!(Part::Unet, "unet", "diffusion_pytorch_model.safetensors");
    let image_encoder =
        NetworkFiles::try_from(part!(Part::ImageEncoder, "image_encoder", "model.safetensors"))?;
    let preprocessor = Preprocessor::new(json(
        "preprocessor_config.json",
        include_str!("../../../../models/mini/feature_extractor/preprocessor_config.json"),
    )?);
    let preprocessor = preprocessor.map_err(|problem| Error::weights(NAME, problem))?;
    let encoder = part!(Part::SubjectEncoder, "subject_encoder", "diffusion_pytorch_model.safetensors");
    let subject_encoder =
        SubjectEncoderFiles::new(encoder, &unet, image_encoder.clone(), preprocessor.clone())?;
    Ok(ModelFiles {
        unet: unet.try_into()?,
        vae: part!(Part::Vae, "vae", "diffusion_pytorch_model.safetensors").try_into()?,
        text_encoder: part!(Part::TextEncoder, "text_encoder", "model.safetensors").try_into()?,
        controlnet: Some(
            part!(Part::ControlNet, "controlnet", "diffusion_pytorch_model.safetensors").try_into()?,
        ),
        image_encoder: Some(image_encoder),
        preprocessor,
        subject_encoder: Some(subject_encoder),
        scheduler: SchedulerFile::new(json(
            "scheduler_config.json",
            include_str!("../../../../models/mini/scheduler/scheduler_config.json"),
        )?)?,
        tokenizer: TokenizerFiles::Contents {
            vocab: Cow::Borrowed(include_str!("../../../../models/mini/tokenizer/vocab.json")),
            merges: Cow::Borrowed(include_str!("../../../../models/mini/tokenizer/merges.txt")),
            config: Cow::Borrowed(include_str!("../../../../models/mini/tokenizer/tokenizer_config.json")),
        },
        unrecognised: Vec::new(),
    })
}

fn json(file: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::weights(NAME, format!("{file}: {error}")))
}

/// Its `dreamtuner.json`.
pub fn defaults() -> &'static str {
    include_str!("../../../../models/mini/dreamtuner.json")
}
