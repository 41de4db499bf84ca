//! `dreamtuner` as its users run it: files in, files out, exit codes and messages.
#![cfg(feature = "cli")]

mod bad_input;
mod bad_settings;
mod bad_weights;
mod batch;
mod commands;
mod drafts;
mod identical;
mod inputs;
mod journal;
mod outputs;
mod plain_video;
#[path = "../common/single_files.rs"]
mod single_files;
mod slurm;
mod split;
mod support;
