//! `dreamtuner split`, `dreamtuner merge`: a clip in shots, rendered on many machines.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::animate::{Division, Job};
use dreamtuner::files::read_options;
use dreamtuner::interrupt::Interrupt;
use dreamtuner::render::clip::Outcome;
use dreamtuner::{Error, Result};
use serde_json::json;

use crate::animate::{AnimateArgs, show};
use crate::config_file::{self, FileOption};
use crate::exit;
use crate::progress::Display;
use crate::say::{print, say};
use crate::signal::stop_on_signal;

/// Shown below the help of `split`.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner split --reference hero.png --pose dance.mp4 -o job.split
  dreamtuner animate --split job.split --shot 0          # on any machine that sees the folder
  dreamtuner animate --split job.split --shot 1
  dreamtuner merge job.split -o out.mp4

Shots begin where the dance has cuts. All of them together are the clip that `dreamtuner animate` renders, byte for byte.
Exit codes: dreamtuner --help";

/// Options of `split` from a file.
pub const CONFIG: FileOption = FileOption { command: "split", flag: "--config", read: read_options };

/// Options of a shot, from the folder of its clip.
pub const OF_SPLIT: FileOption = FileOption { command: "animate", flag: "--split", read: options_of };

/// The file of options in the folder.
const OPTIONS: &str = "options.toml";
/// What the clip is called until it is merged.
const CLIP: &str = "clip.mp4";

/// Options of `dreamtuner split`: those of `animate`, but for its outputs.
#[derive(Debug, Args)]
pub struct SplitArgs {
    #[command(flatten)]
    animate: AnimateArgs,
    /// Divide shots of more frames than this, too; their seams are not those of the clip rendered at once
    #[arg(long, value_name = "FRAMES", help_heading = "Division")]
    extra_split: Option<usize>,
    /// Frames that are rendered before each such seam, and dropped
    #[arg(long, value_name = "FRAMES", requires = "extra_split", help_heading = "Division")]
    warm_up: Option<usize>,
}

/// Options of `dreamtuner merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The folder that `dreamtuner split` has made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The clip: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Also write a contact sheet; out.sheet.png for out.mp4 where no name is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", require_equals = true)]
    sheet: Option<String>,
    /// CRF of the encoder, smaller is better; as it was split where absent
    #[arg(long, value_name = "CRF")]
    quality: Option<u8>,
    /// Replace outputs that are there already
    #[arg(long)]
    overwrite: bool,
    /// Events as JSON on the standard output, one a line
    #[arg(long)]
    json: bool,
}

fn options_of(folder: &Path) -> Result<toml::Table> {
    read_options(&folder.join(OPTIONS))
}

/// The clip that was split into a folder, with the options of `line` in the place of its own. Its networks are not to be used here: this
/// machine may have no GPU.
///
/// # Errors
/// A folder without options, and options that cannot be used.
pub fn job_of(folder: &Path, mut line: Vec<OsString>) -> Result<Job> {
    line.push("--device=cpu".into());
    let path = folder.join(OPTIONS);
    config_file::options_from::<AnimateArgs>(&path, &read_options(&path)?, line)?.job()
}

/// Splits a clip.
pub fn split(arguments: SplitArgs) -> Result<i32> {
    let SplitArgs { mut animate, extra_split, warm_up } = arguments;
    animate.refuse_outputs()?;
    let folder = std::mem::replace(&mut animate.output, PathBuf::from(CLIP));
    let division = Division { longest: extra_split, warm_up: warm_up.unwrap_or(0) };
    let options = config_file::text_with_whole_paths(&animate, &folder.join(OPTIONS))?;
    let job = animate.job()?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = Display::new(animate.json);
    let others = vec![(OPTIONS.to_string(), options.into_bytes())];
    let split = dreamtuner::animate::split(&job, &folder, division, others, &interrupt, &mut |event| {
        show(&mut display, &event, &animate.reference);
    });
    display.finish();
    if matches!(split, Err(Error::Interrupted)) {
        return Ok(exit::INTERRUPTED);
    }
    let shots: Vec<_> = split?.shots;
    if animate.json {
        display.event(json!({"event": "split", "shots": shots, "written": folder}));
        return Ok(exit::SUCCESS);
    }
    for (number, shot) in shots.iter().enumerate() {
        let lead = match shot.lead.len() {
            0 => String::new(),
            1 => ", 1 rendered before".into(),
            count => format!(", {count} rendered before"),
        };
        let last = shot.first + shot.frames - 1;
        say(format_args!("shot {number}: frames {} to {last}{lead}", shot.first));
    }
    print(&folder.display().to_string())?;
    Ok(exit::SUCCESS)
}

/// Encodes the shots of a clip.
pub fn merge(arguments: &MergeArgs) -> Result<i32> {
    let mut line = Vec::new();
    let mut option = |name: &str, value: &std::ffi::OsStr| {
        let mut option = OsString::from(format!("--{name}="));
        option.push(value);
        line.push(option);
    };
    option("output", arguments.output.as_os_str());
    if let Some(sheet) = &arguments.sheet {
        option("sheet", sheet.as_ref());
    }
    if let Some(quality) = arguments.quality {
        option("quality", quality.to_string().as_ref());
    }
    if arguments.overwrite {
        line.push("--overwrite".into());
    }
    let job = job_of(&arguments.folder, line)?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = Display::new(arguments.json);
    let outcome = dreamtuner::animate::merge(&job, &arguments.folder, &interrupt, &mut |event| {
        show(&mut display, &event, &job.reference.picture);
    });
    display.finish();
    match outcome {
        Ok(Outcome::Complete { .. }) => Ok(exit::SUCCESS),
        Ok(Outcome::Interrupted { .. }) | Err(Error::Interrupted) => Ok(exit::INTERRUPTED),
        Err(error) => Err(error),
    }
}
