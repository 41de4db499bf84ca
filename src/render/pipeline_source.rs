//! Where renders have their networks from: files, or a pipeline that others share.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::model::DeviceSettings;
use crate::render::networks::ControlSource;
use crate::render::pipeline::Pipeline;
use crate::render::settings::RenderSettings;
use crate::render::weights::{OpenWeights, WeightFiles};

/// Where a render has its networks from.
#[derive(Debug, Clone)]
pub enum PipelineSource {
    /// They are loaded for it.
    Files(Box<WeightFiles>, DeviceSettings),
    /// Others share them.
    Loaded(Arc<Pipeline>),
}

/// Networks of which everything is known but their tensors.
#[derive(Debug)]
pub enum OpenPipeline {
    /// They are still in their files.
    Files(Box<OpenWeights>, DeviceSettings),
    /// They are loaded already.
    Loaded(Arc<Pipeline>),
}

impl PipelineSource {
    /// Files, which are loaded for the render.
    pub fn from_files(weights: WeightFiles, device: DeviceSettings) -> Self {
        Self::Files(Box::new(weights), device)
    }

    /// The files and folders that the networks are read from.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Files(weights, _) => weights.files().collect(),
            Self::Loaded(pipeline) => pipeline.weights.files().collect(),
        }
    }

    /// How many ControlNets there are.
    pub fn controlnets(&self) -> usize {
        match self {
            Self::Files(weights, _) => weights.controlnets.len(),
            Self::Loaded(pipeline) => pipeline.controls.len(),
        }
    }

    /// What each ControlNet is shown.
    pub fn control_sources(&self) -> Vec<ControlSource> {
        match self {
            Self::Files(weights, _) => weights.controlnets.iter().map(|file| file.source).collect(),
            Self::Loaded(pipeline) => pipeline.controls.iter().map(|unit| unit.source).collect(),
        }
    }

    /// Whether a ControlNet is shown drafts.
    pub fn shows_drafts(&self) -> bool {
        self.control_sources().into_iter().any(ControlSource::is_draft)
    }

    /// Refuses weights and strengths outside their ranges.
    ///
    /// # Errors
    /// Those of [`WeightFiles::check`].
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Files(weights, _) => weights.check(),
            Self::Loaded(_) => Ok(()),
        }
    }

    /// Opens the files.
    ///
    /// # Errors
    /// Those of [`WeightFiles::open`].
    pub fn open(&self) -> Result<OpenPipeline> {
        Ok(match self {
            Self::Files(weights, device) => OpenPipeline::Files(Box::new(weights.open()?), device.clone()),
            Self::Loaded(pipeline) => OpenPipeline::Loaded(pipeline.clone()),
        })
    }
}

impl OpenPipeline {
    /// Refuses steps that the model's noise schedule does not have.
    ///
    /// # Errors
    /// Those of [`crate::diffusion::Sampler::steps`], and a schedule that cannot be used.
    pub fn check_steps(&self, settings: &RenderSettings) -> Result<()> {
        let schedule = match self {
            Self::Files(weights, _) => weights.schedule(settings)?,
            Self::Loaded(pipeline) => pipeline.weights.schedule(settings)?,
        };
        settings.sampler.steps(&schedule, settings.steps).map(drop)
    }

    /// Loads what is not loaded yet. Unused keys are told to `on_note`.
    ///
    /// # Errors
    /// Those of [`OpenWeights::load`].
    pub fn load(self, on_note: &mut dyn FnMut(String)) -> Result<Arc<Pipeline>> {
        match self {
            Self::Files(weights, device) => Ok(Arc::new(weights.load(&device, on_note)?)),
            Self::Loaded(pipeline) => Ok(pipeline),
        }
    }
}
