//! Settings that suit a model: `dreamtuner.json` in its folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::builtin;
use super::folder::read_json;
use crate::error::{Error, Result};

/// What a render uses where its user says nothing. A model's folder may hold some of these in `dreamtuner.json`; the
/// others are those for Stable Diffusion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelDefaults {
    /// Steps of each frame. Default: 20.
    pub steps: usize,
    /// β of subject-encoder-attention. Default: 0.2.
    pub beta: f64,
    /// ω of the reference. Default: 10.
    pub reference_weight: f64,
    /// ω of the reference in stills. Default: 3.
    pub still_reference_weight: f64,
    /// ω of the previous frame. Default: 1.
    pub previous_weight: f64,
    /// Guidance scale towards the text, ω_c. Default: 7.5.
    pub guidance_scale: f64,
    /// Guidance scale towards the reference, ω_r. Default: 2.
    pub reference_scale: f64,
    /// How often a step follows the reference rather than the text, p_r, 0 to 1. Default: 0.9.
    pub reference_probability: f64,
    /// Δt in timesteps. Default: 10.
    pub less_noise: f64,
    /// Δt' in timesteps. Default: 10.
    pub more_noise: f64,
    /// What frames take from drafts.
    pub draft: DraftDefaults,
    /// How a subject is tuned.
    pub tune: TuneDefaults,
}

/// What frames take from drafts where their user says nothing: models that are made to repair drafts ask for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftDefaults {
    /// How much of a draft may change, 0 to 1. Default: frames begin from noise.
    pub strength: Option<f64>,
    /// ω of the draft. Default: 0.
    pub weight: f64,
    /// Whether its pixels stay where they are sure. Default: no.
    pub keep_sure: bool,
    /// Guidance scale of frames with drafts, towards the text; 1 is without. Default: as for others.
    pub guidance_scale: Option<f64>,
}

/// What a tuning uses where its user says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TuneDefaults {
    /// Steps. Default: 900.
    pub steps: u64,
    /// Learning rate of low-rank changes. Default: 1e-4.
    pub learning_rate: f64,
    /// Regular pictures. Default: 32.
    pub regular: usize,
    /// How often pictures are mirrored, 0 to 1. Default: 0.5.
    pub flip: f64,
    /// How often the reference looks at itself through S-S-A, 0 to 1. Default: 0.
    pub with_references: f64,
}

impl Default for TuneDefaults {
    fn default() -> Self {
        Self { steps: 900, learning_rate: 1e-4, regular: 32, flip: 0.5, with_references: 0.0 }
    }
}

impl Default for ModelDefaults {
    fn default() -> Self {
        Self {
            steps: 20,
            beta: 0.2,
            reference_weight: 10.0,
            still_reference_weight: 3.0,
            previous_weight: 1.0,
            guidance_scale: 7.5,
            reference_scale: 2.0,
            reference_probability: 0.9,
            less_noise: 10.0,
            more_noise: 10.0,
            draft: DraftDefaults::default(),
            tune: TuneDefaults::default(),
        }
    }
}

impl ModelDefaults {
    /// Those of the model at `path`, a folder or file; of the embedded model where absent, if this build has it.
    ///
    /// # Errors
    /// A `dreamtuner.json` that cannot be read or holds anything else.
    pub fn of(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return serde_json::from_str(builtin::defaults())
                .map_err(|error| Error::weights("the built-in model", format!("dreamtuner.json: {error}")));
        };
        let file = path.join("dreamtuner.json");
        if !file.is_file() {
            return Ok(Self::default());
        }
        serde_json::from_value(read_json(&file)?).map_err(|error| Error::weights(&file, error.to_string()))
    }
}
