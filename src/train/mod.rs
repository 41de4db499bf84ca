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

use crate::model::weights::ModelFiles;

/// Side in pixels of the pictures that a model was trained on; 512 where its files do not say.
pub fn native_side(files: &ModelFiles) -> u32 {
    files.unet.config.native_side(&files.vae.config) as u32
}
