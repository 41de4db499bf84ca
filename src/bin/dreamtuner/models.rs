//! `dreamtuner models`.

use std::path::PathBuf;

use clap::Subcommand;
use dreamtuner::{Error, Result};

use crate::say::print;

/// Commands for weights files.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Say what a weights file or folder is: kind, sizes, types, whether it can be used here.
    Inspect {
        /// A .safetensors file, or a diffusers folder
        path: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command.
pub fn run(command: ModelsCommand) -> Result<()> {
    let ModelsCommand::Inspect { path, json } = command;
    let description = dreamtuner::model::weights::inspect(&path)?;
    let text = if json {
        serde_json::to_string_pretty(&description)
            .map_err(|error| Error::output("standard output", error.to_string()))?
    } else {
        description.to_string()
    };
    print(&text)
}
