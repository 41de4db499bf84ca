//! Options that say what renders take from drafts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dreamtuner::inputs::reference::ReferenceFiles;
use dreamtuner::render::draft::DraftSettings;
use dreamtuner::rig::RigFiles;
use dreamtuner::{Error, Result};
use serde::Serialize;

use crate::figure_args::RigEditArgs;

/// How much pictures take from a draft of the same pose.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DraftShareArgs {
    /// Whether drafts are made: where an option asks for them, or never, which is DreamTuner as published
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Draft")]
    draft: DraftOption,
    /// How much a picture's own draft counts in self-subject-attention, where it is sure
    #[arg(long, default_value_t = 0.0, value_name = "WEIGHT", help_heading = "Draft")]
    draft_weight: f64,
    /// Where the draft's pixels stay
    #[arg(long, value_enum, default_value_t, value_name = "WHERE", help_heading = "Draft")]
    keep: KeepOption,
}

/// What pictures take from a draft of the same pose, which `dreamtuner draft` shows.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DraftUseArgs {
    #[command(flatten)]
    #[serde(flatten)]
    share: DraftShareArgs,
    #[command(flatten, next_help_heading = "Draft")]
    #[serde(flatten)]
    rig: RigEditArgs,
    /// Another picture of the same character, which lends drafts what the reference hides; can be repeated
    #[arg(long, value_name = "FILE", help_heading = "Draft")]
    another: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum DraftOption {
    /// Where --init draft, --draft-weight, --keep or a ControlNet asks for them
    #[default]
    Auto,
    /// Never
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum KeepOption {
    /// Nowhere
    #[default]
    Nothing,
    /// Where it is sure: neither stretched nor hidden in the reference
    Sure,
}

impl DraftShareArgs {
    /// What pictures take. `strength` says how much of it may change where they begin from it; `shown` is whether a ControlNet is
    /// shown it.
    ///
    /// # Errors
    /// Drafts that are asked for and forbidden.
    pub fn settings(&self, strength: Option<f64>, shown: bool) -> Result<DraftSettings> {
        let keep_sure = self.keep == KeepOption::Sure;
        let settings = DraftSettings { strength, weight: self.draft_weight, keep_sure };
        if self.draft == DraftOption::None && (shown || settings.are_used()) {
            let problem = "none; --init draft, --draft-weight, --keep sure and source=draft need one";
            return Err(Error::setting("draft", problem));
        }
        Ok(settings)
    }
}

impl DraftUseArgs {
    /// As [`DraftShareArgs::settings`].
    pub fn settings(&self, strength: Option<f64>, shown: bool) -> Result<DraftSettings> {
        self.share.settings(strength, shown)
    }

    /// The figure in the reference, whose pose is looked for unless `pose` says it.
    pub fn figure(&self, reference: &ReferenceFiles, pose: &str) -> RigFiles {
        let reference = ReferenceFiles { controls: vec![pose.into()], ..reference.clone() };
        RigFiles {
            reference,
            rig: self.rig.rig.clone(),
            joints: self.rig.joint.clone(),
            others: self.another.clone(),
        }
    }
}
