//! A tuned subject as files that other programs load.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::state::tensors_to_bytes;
use crate::error::{Error, Result};
use crate::model::weights::SubjectFile;
use crate::outputs::Reservation;

/// A LoRA's name in kohya's scripts, A1111 and ComfyUI.
const KOHYA: &str = "lora_kohya.safetensors";
/// A LoRA's name in diffusers.
const DIFFUSERS: &str = "pytorch_lora_weights.safetensors";
/// A textual inversion's name in diffusers.
const WORD: &str = "learned_embeds.safetensors";

/// The files that [`export`] writes into a folder.
pub fn exported_files(folder: &Path) -> [PathBuf; 3] {
    [KOHYA, DIFFUSERS, WORD].map(|name| folder.join(name))
}

/// Writes the subject at `path` into a folder: its LoRA in both namings, and its word as a textual inversion. The files, which are
/// among the outputs that are `reserved`.
///
/// # Errors
/// A file that is no subject, or whose weights were tuned as a whole: they are no LoRA.
pub fn export(path: &Path, folder: &Path, reserved: &mut Reservation) -> Result<[PathBuf; 3]> {
    let subject = SubjectFile::open(path)?;
    if subject.lora.is_none() {
        let problem = "was tuned as a whole (--method full); only low-rank changes can be exported";
        return Err(Error::weights(path, problem));
    }
    let tensors = candle_core::safetensors::load(path, &Device::Cpu)?;
    let [unet, text, _] = SubjectFile::prefixes(false);
    let is_change = |name: &str| name.starts_with(unet) || name.starts_with(text);
    let diffusers: HashMap<String, Tensor> = tensors
        .iter()
        .filter(|(name, _)| is_change(name))
        .map(|(name, tensor)| (name.clone(), tensor.clone()))
        .collect();
    let mut kohya = HashMap::new();
    for (name, tensor) in &diffusers {
        let Some((layer, piece)) = name.split_once(".lora_") else { continue };
        let layer = match layer.strip_prefix("text_encoder.") {
            Some(layer) => format!("lora_te_{}", layer.replace('.', "_")),
            None => format!("lora_{}", layer.replace('.', "_")),
        };
        let (piece, rank) = match piece {
            "A.weight" => ("lora_down.weight", Some(tensor.dim(0)?)),
            _ => ("lora_up.weight", None),
        };
        if let Some(rank) = rank {
            kohya.insert(format!("{layer}.alpha"), Tensor::new(rank as f32, &Device::Cpu)?);
        }
        kohya.insert(format!("{layer}.{piece}"), tensor.clone());
    }
    let word = HashMap::from([(subject.word.word.clone(), subject.word.vectors.clone())]);
    let files = exported_files(folder);
    for (path, tensors) in files.iter().zip([kohya, diffusers, word]) {
        let header = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let bytes = tensors_to_bytes(path, tensors, Some(header))?;
        reserved.file(path)?.write_bytes(&bytes)?;
    }
    Ok(files)
}
