//! How a model is loaded.

use candle_core::{DType, Device};

use super::weights::{Lora, TextualInversion};

/// Where networks run, and what of them is kept in memory.
#[derive(Debug, Clone)]
pub struct DeviceSettings {
    /// Where the networks run.
    pub device: Device,
    /// Type of the U-Net's and ControlNets' weights and, but on the CPU, activations: there weights of 16 bits take half the
    /// memory, and everything is computed in 32. The VAE and the text encoder, where rounding shows and little time is
    /// spent, stay in 32 bits.
    pub dtype: DType,
    /// Leaves what encodes texts and pictures in its files, from where it is read each time it is needed: at the beginning of
    /// a render.
    pub low_memory: bool,
}

impl DeviceSettings {
    /// The CPU, all in memory, in 32 bits.
    pub fn cpu() -> Self {
        Self::in_32_bits(Device::Cpu)
    }

    /// All in memory, in 32 bits.
    pub fn in_32_bits(device: Device) -> Self {
        Self { device, dtype: DType::F32, low_memory: false }
    }
}

/// What is chosen once, when a model is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where it is loaded to.
    pub device: DeviceSettings,
    /// LoRAs to merge, each with its weight.
    pub loras: Vec<(Lora, f64)>,
    /// Words to add to the vocabulary.
    pub textual_inversions: Vec<TextualInversion>,
}
