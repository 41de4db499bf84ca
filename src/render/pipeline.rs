//! A loaded set of networks, which any number of renders share.

use std::path::PathBuf;

use candle_core::{DType, Device};
use serde_json::Value;

use crate::diffusion::Schedule;
use crate::error::Result;
use crate::model::StableDiffusion;
use crate::model::weights::SubjectPhrase;
use crate::render::networks::ControlUnit;
use crate::render::settings::RenderSettings;

/// The networks of renders, loaded once. Nothing changes them afterwards: any number of renders share them, at the same time too.
#[derive(Debug)]
pub struct Pipeline {
    /// The model.
    pub model: StableDiffusion,
    /// Its ControlNets.
    pub controls: Vec<ControlUnit>,
    /// How prompts speak of the tuned subject, if there is one.
    pub subject_phrase: Option<SubjectPhrase>,
    /// A short hash of every file, for the plans of renders.
    pub fingerprints: Value,
    /// The files and folders that were read.
    pub files: Vec<PathBuf>,
}

impl Pipeline {
    /// The noise schedule of renders with `settings`.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub fn schedule(&self, settings: &RenderSettings) -> Result<Schedule> {
        settings.schedule(&self.model.scheduler)
    }
}

/// Where networks run, and what of them is kept in memory.
#[derive(Debug, Clone)]
pub struct DeviceSettings {
    /// Where they run.
    pub device: Device,
    /// Type of the weights of U-Net and ControlNets, as [`crate::model::LoadOptions::dtype`].
    pub dtype: DType,
    /// Leaves encoders in their files, as [`crate::model::LoadOptions::low_memory`].
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
