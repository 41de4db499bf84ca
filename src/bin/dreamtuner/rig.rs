//! `dreamtuner rig`.

use std::path::PathBuf;

use clap::Args;
use dreamtuner::Result;
use dreamtuner::rig::{RigEvent, RigJob};

use crate::figure_args::{FigureArgs, sentences};
use crate::parse::beside;
use crate::say::say;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner rig hero.png -o hero.rig.json --sheet
  dreamtuner rig hero.png -o hero.rig.json --sheet --joint left-elbow=412,300 --overwrite
  dreamtuner draft --reference hero.png --rig hero.rig.json --pose dance.mp4 -o draft.mp4

hero.rig.json holds the joints and the order of the parts, hero.rig.png the parts in colours: both can be edited. What is
transparent in hero.rig.png is not the figure's.";

/// Options of `dreamtuner rig`.
#[derive(Debug, Args)]
pub struct RigArgs {
    /// Picture of the character, best from the front; its transparency serves as mask
    #[arg(value_name = "PICTURE")]
    picture: PathBuf,
    #[command(flatten)]
    figure: FigureArgs,

    /// The rig, .json; the parts are written beside it, .png
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
    /// Also write a picture of joints and parts; hero.rig.sheet.png for hero.rig.json where no name is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", require_equals = true, help_heading = "Output")]
    sheet: Option<String>,
    /// Replace outputs that are there already
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
}

/// Finds joints and parts.
pub fn run(arguments: &RigArgs) -> Result<()> {
    let job = RigJob {
        figure: arguments.figure.of(&arguments.picture),
        output: arguments.output.clone(),
        sheet: beside(&arguments.output, arguments.sheet.as_deref(), "sheet.png"),
        overwrite: arguments.overwrite,
    };
    dreamtuner::rig::run(&job, &mut |event| match event {
        RigEvent::Doubts(doubts) => sentences(&doubts, &arguments.picture).iter().for_each(say),
        RigEvent::Written(path) => say(path.display()),
        _ => {}
    })
}
