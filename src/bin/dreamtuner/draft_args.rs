//! Options that say what renders take from drafts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dreamtuner::inputs::reference::ReferenceFiles;
use dreamtuner::render::draft::DraftSettings;
use dreamtuner::rig::RigFiles;
use dreamtuner::{Error, Result};
use serde::Serialize;

use crate::figure_args::RigEditArgs;
use crate::render_options::RenderArgs;

/// Whether frames of a clip begin from their drafts.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DraftBeginArgs {
    /// What frames begin from in place of noise: `draft`, which is the reference bent to the frame's pose (see `dreamtuner draft`)
    #[arg(long, value_name = "draft", value_parser = ["draft"], hide_possible_values = true, requires = "strength",
        help_heading = "Draft")]
    pub init: Option<String>,
    /// How much of it may change
    #[arg(long, value_name = "0-1", requires = "init", help_heading = "Draft")]
    pub strength: Option<f64>,
}

/// How much pictures take from a draft of the same pose.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DraftShareArgs {
    /// Whether drafts are made: where an option or the model asks for them, or never, which is DreamTuner as published
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Draft")]
    draft: DraftOption,
    /// How much a picture's own draft counts in self-subject-attention, where it is sure [default: the model's own, else 0]
    #[arg(long, value_name = "WEIGHT", help_heading = "Draft")]
    draft_weight: Option<f64>,
    /// Where the draft's pixels stay [default: the model's own, else nowhere]
    #[arg(long, value_enum, value_name = "WHERE", help_heading = "Draft")]
    keep: Option<KeepOption>,
}

/// What pictures take from a draft of the same pose, which `dreamtuner draft` shows.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DraftUseArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub share: DraftShareArgs,
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
    /// Where --init draft, --draft-weight, --keep, a ControlNet or the model asks for them
    #[default]
    Auto,
    /// Never
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum KeepOption {
    /// Nowhere
    Nothing,
    /// Where it is sure: neither stretched nor hidden in the reference
    Sure,
}

impl DraftShareArgs {
    /// What pictures take. `strength` says how much of it may change where they begin from it. What no option says is as the `render` has
    /// it from the model.
    ///
    /// # Errors
    /// Drafts that are asked for and forbidden.
    pub fn settings(&self, strength: Option<f64>, render: &RenderArgs) -> Result<DraftSettings> {
        let is_asked = strength.is_some() || self.draft_weight.is_some_and(|weight| weight != 0.0);
        let is_asked = is_asked || self.keep == Some(KeepOption::Sure) || render.shows_drafts();
        if self.draft == DraftOption::None {
            let problem = "none; --init draft, --draft-weight, --keep sure and source=draft need one";
            return if is_asked {
                Err(Error::setting("draft", problem))
            } else {
                Ok(DraftSettings::default())
            };
        }
        let model = DraftSettings::from(render.defaults()?.draft);
        Ok(DraftSettings {
            strength: strength.or(model.strength),
            weight: self.draft_weight.unwrap_or(model.weight),
            keep_sure: self.keep.map_or(model.keep_sure, |keep| keep == KeepOption::Sure),
            guidance_scale: model.guidance_scale.filter(|_| !render.chooses_guidance()),
            if_possible: model.if_possible && !is_asked,
        })
    }
}

impl DraftUseArgs {
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
