//! A loaded set of networks, which any number of renders share.

use crate::error::Result;
use crate::model::weights::{LoadReport, PartFiles};
use crate::model::{DeviceSettings, LoadOptions, StableDiffusion};
use crate::render::networks::ControlUnit;
use crate::render::weights::{ControlNetFile, OpenWeights};

/// The networks of renders, loaded once. Nothing changes them afterwards: any number of renders share them, at the same time too.
#[derive(Debug)]
pub struct Pipeline {
    /// The model.
    pub model: StableDiffusion,
    /// Its ControlNets.
    pub controls: Vec<ControlUnit>,
    /// The files that they were read from.
    pub weights: OpenWeights,
}

impl OpenWeights {
    /// Reads the tensors and builds the networks. Unused keys are told to `on_note`.
    ///
    /// # Errors
    /// Those of [`StableDiffusion::load`], for any of the files.
    pub fn load(self, device: &DeviceSettings, on_note: &mut dyn FnMut(String)) -> Result<Pipeline> {
        let options = LoadOptions {
            device: device.clone(),
            loras: self.loras.clone(),
            textual_inversions: self.textual_inversions.clone(),
        };
        let mut note = |part: &PartFiles, report: &LoadReport| {
            if !report.unused.is_empty() {
                on_note(format!("{}: {report}", part.path().display()));
            }
        };
        let mut model = StableDiffusion::load(&self.model, &options, &mut note)?;
        if let Some(part) = &self.tiny_vae {
            note(part, &model.use_tiny_vae(part)?);
        }
        let mut controls = Vec::new();
        for (part, file) in &self.controlnets {
            let (network, report) = model.load_controlnet(part)?;
            note(part, &report);
            let ControlNetFile { strength, start, end, source, .. } = *file;
            controls.push(ControlUnit { network, strength, start, end, source });
        }
        Ok(Pipeline { model, controls, weights: self })
    }
}
