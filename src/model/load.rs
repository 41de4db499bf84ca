//! How a model is loaded.

use candle_core::{DType, Device};

use super::weights::{Lora, PartFiles, TextualInversion};
use crate::error::Error;

/// What is chosen once, when a model is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where the networks run.
    pub device: Device,
    /// Type of the U-Net's and ControlNets' weights and, but on the CPU, activations: there weights of 16 bits take half the
    /// memory, and everything is computed in 32. The VAE and the text encoder, where rounding shows and little time is
    /// spent, stay in 32 bits.
    pub dtype: DType,
    /// Leaves what encodes texts and pictures in its files, from where it is read each time it is needed: at the beginning of
    /// a render.
    pub low_memory: bool,
    /// LoRAs to merge, each with its weight.
    pub loras: Vec<(Lora, f64)>,
    /// Words to add to the vocabulary.
    pub textual_inversions: Vec<TextualInversion>,
}

impl LoadOptions {
    /// A model as it is.
    pub fn new(device: Device, dtype: DType) -> Self {
        Self { device, dtype, low_memory: false, loras: Vec::new(), textual_inversions: Vec::new() }
    }
}

/// What is wrong with a configuration, said of the file that it belongs to.
pub(super) fn in_file(part: &PartFiles) -> impl Fn(Error) -> Error {
    let path = part.path().to_path_buf();
    move |error| match error {
        Error::Setting { name, problem } => Error::weights(&path, format!("{name}: {problem}")),
        other => other,
    }
}
