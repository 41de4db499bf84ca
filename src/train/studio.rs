//! Models that make pictures while another training goes on.

use candle_core::{DType, Device};

use crate::error::Result;
use crate::model::weights::{Lora, ModelFiles, SubjectFile, TextualInversion};
use crate::model::{LoadOptions, StableDiffusion};
use crate::render::networks::ControlUnit;
use crate::render::studio::Studio;

/// Loads a model in 32 bits, with its own ControlNet.
///
/// # Errors
/// Those of [`StableDiffusion::load`].
pub fn open(files: &ModelFiles, device: &Device) -> Result<Studio> {
    load(files, Vec::new(), Vec::new(), device)
}

/// Loads it with a tuned subject.
///
/// # Errors
/// Those of [`StableDiffusion::load`]; a subject of another model.
pub fn open_with_subject(files: &ModelFiles, subject: SubjectFile, device: &Device) -> Result<Studio> {
    let mut files = files.clone();
    subject.apply(&mut files)?;
    let loras = subject.lora.into_iter().map(|lora| (lora, 1.0)).collect();
    load(&files, loras, vec![subject.word], device)
}

fn load(
    files: &ModelFiles,
    loras: Vec<(Lora, f64)>,
    textual_inversions: Vec<TextualInversion>,
    device: &Device,
) -> Result<Studio> {
    let options = LoadOptions { device: device.clone(), dtype: DType::F32, loras, textual_inversions };
    let model = StableDiffusion::load(files, &options, |_, _| {})?;
    let controlnet = files.controlnet.as_ref().map(|part| model.load_controlnet(part)).transpose()?;
    let controls = controlnet.into_iter().map(|(network, _)| ControlUnit::new(network, 1.0)).collect();
    Ok(Studio { model, controls })
}
