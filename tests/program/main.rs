//! Commands that make stills and maps, and that train.
#![cfg(feature = "cli")]

mod attention_maps;
mod clip_job;
mod draft;
mod rig;
mod shared_pipeline;
mod still;
mod support;
mod train;
mod tune;
