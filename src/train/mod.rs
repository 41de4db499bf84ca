//! Training: what the networks learn, and how.
//!
//! A batch's [`loss`] goes backward through the networks of [`crate::model`], of which only some weights are variables
//! ([`crate::model::weights::Trained`]). [`gradients`] sums what arrives there, and [`adamw`] takes a step. Everything drawn by chance
//! is drawn again for each step from the seed and the step's number, so that `state` is all that a training needs to go on.

pub mod adamw;
mod augment;
pub mod curve;
pub mod data;
mod export;
pub mod gradients;
mod learner;
pub mod loss;
mod memory;
mod networks;
pub mod pre_training;
mod previews;
mod regular;
mod samples;
mod state;
pub mod subject_encoder;
mod subject_networks;
pub mod tune;
pub mod tuning;

pub use export::{export, exported_files};

use crate::error::Result;
use crate::model::config::{UNetConfig, VaeConfig};
use crate::model::weights::ModelFiles;

/// Side in pixels of the pictures that a model was trained on; 512 where its files do not say.
///
/// # Errors
/// Configurations that cannot be used.
pub fn native_side(files: &ModelFiles) -> Result<u32> {
    let vae = VaeConfig::from_json(&files.vae.config)?;
    Ok(UNetConfig::from_json(&files.unet.config)?.native_side(&vae) as u32)
}
