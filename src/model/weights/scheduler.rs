//! The noise schedule that a model was trained with.

use std::path::Path;

use serde_json::{Value, json};

use super::folder::read_json;
use super::tensor_file::TensorFile;
use crate::diffusion::ScheduleConfig;
use crate::error::{Error, Result};

/// A `scheduler_config.json`.
#[derive(Debug, Clone)]
pub struct SchedulerFile {
    /// What it says.
    pub config: ScheduleConfig,
    json: Value,
}

impl SchedulerFile {
    /// Reads the file.
    ///
    /// # Errors
    /// A file that cannot be read, or values of the wrong kind.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::new(read_json(path)?).map_err(|error| match error {
            Error::Setting { problem, .. } => Error::weights(path, problem),
            other => other,
        })
    }

    /// From the contents of the file.
    pub(super) fn new(json: Value) -> Result<Self> {
        Ok(Self { config: ScheduleConfig::from_json(&json)?, json })
    }

    /// The schedule that Stable Diffusion was trained with, for a single file.
    pub(super) fn of_single_file(file: &TensorFile, second_generation: bool) -> Result<Self> {
        let prediction =
            stated_prediction(file).unwrap_or(if second_generation { "v_prediction" } else { "epsilon" });
        Self::new(json!({
            "_class_name": "DDIMScheduler",
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "beta_start": 0.00085,
            "clip_sample": false,
            "num_train_timesteps": 1000,
            "prediction_type": prediction,
            "rescale_betas_zero_snr": file.shape("ztsnr").is_some(),
            "set_alpha_to_one": false,
            "steps_offset": 1,
            "timestep_spacing": "leading",
        }))
    }

    /// The file's contents, for the plan of a render.
    pub fn json(&self) -> &Value {
        &self.json
    }
}

/// The prediction type that a single file states: in its header (the model specification of Stability AI), or by the
/// empty tensor `v_pred`.
pub(super) fn stated_prediction(file: &TensorFile) -> Option<&'static str> {
    if file.shape("v_pred").is_some() {
        return Some("v_prediction");
    }
    match file.metadata().get("modelspec.prediction_type").map(String::as_str) {
        Some("v" | "v_prediction") => Some("v_prediction"),
        Some("epsilon") => Some("epsilon"),
        _ => None,
    }
}
