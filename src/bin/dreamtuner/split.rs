//! `dreamtuner split`, `dreamtuner merge`: a clip in shots, rendered on many machines.

use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::animate::split::Split;
use dreamtuner::animate::{Batch, Division, Job, OutputFiles};
use dreamtuner::files::{read_options, read_text};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::render::clip::Outcome;
use dreamtuner::{Error, Result};
use serde_json::json;

use crate::animate::{AnimateArgs, show};
use crate::config_file::{self, FileOption};
use crate::exit;
use crate::parse::beside;
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

/// The file of options in the folder, and the one that names the folder in which they were given.
pub const OPTIONS: &str = "options.toml";
const GIVEN_IN: &str = "given-in.txt";
/// Longest name of a folder.
const MAX_NAME: u64 = 1 << 16;
/// What the clip is called until it is merged.
pub const CLIP: &str = "clip.mp4";

/// Options of `dreamtuner split`: those of `animate`, but for its outputs.
#[derive(Debug, Args)]
pub struct SplitArgs {
    #[command(flatten)]
    animate: AnimateArgs,
    #[command(flatten)]
    division: DivisionArgs,
}

/// How clips are divided.
#[derive(Debug, Args)]
#[command(next_help_heading = "Division")]
pub struct DivisionArgs {
    /// Divide shots of more frames than this, too; their seams are not those of the clip rendered at once
    #[arg(long, value_name = "FRAMES")]
    extra_split: Option<usize>,
    /// Frames that are rendered before each such seam, and dropped; 4 where absent
    #[arg(long, value_name = "FRAMES", requires = "extra_split")]
    warm_up: Option<usize>,
}

/// Frames of a warm-up whose seams are not seen (benches/seams.py).
const WARM_UP: usize = 4;

impl DivisionArgs {
    pub fn division(&self) -> Division {
        let warm_up = if self.extra_split.is_some() { self.warm_up.unwrap_or(WARM_UP) } else { 0 };
        Division { longest: self.extra_split, warm_up }
    }
}

/// Options of `dreamtuner merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The folder that `dreamtuner split` or `batch` has made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The clip: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files; a batch has its own names
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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

/// Goes to where the options of a clip were given that was split into a folder: they name files from there. Names that were given here are
/// to be made absolute before.
///
/// # Errors
/// A folder that is not there, on this machine.
pub fn go_to_given(folder: &Path) -> Result<()> {
    let given_in = read_text(&folder.join(GIVEN_IN), MAX_NAME)?;
    std::env::set_current_dir(&given_in).map_err(|error| Error::io(given_in, error))
}

/// A name that holds wherever this process goes.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::io(path, error))
}

/// The clip that was split into a folder, seen from where its options were given. Its networks are not to be used here: this machine
/// may have no GPU.
///
/// # Errors
/// A folder without options, and options that cannot be used.
pub fn job_of(folder: &Path) -> Result<Job> {
    go_to_given(folder)?;
    let path = folder.join(OPTIONS);
    let mut options = read_options(&path)?;
    options.insert("device".into(), "cpu".into());
    config_file::options_from::<AnimateArgs>(&path, &options)?.job()
}

/// Splits a clip.
pub fn split(arguments: SplitArgs) -> Result<i32> {
    let SplitArgs { mut animate, division } = arguments;
    animate.refuse_outputs()?;
    let folder = std::mem::replace(&mut animate.output, PathBuf::from(CLIP));
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = Display::new(animate.json);
    let split = split_into(&animate, &folder, division.division(), &interrupt, &mut display);
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

/// Splits a clip into a folder, with its options beside.
pub fn split_into(
    options: &AnimateArgs,
    folder: &Path,
    division: Division,
    interrupt: &Interrupt,
    display: &mut Display,
) -> Result<Split> {
    let text = config_file::text(options, &folder.join(OPTIONS))?;
    let here = std::env::current_dir().map_err(|error| Error::io(".", error))?;
    let problem = || Error::input(&here, "its name is no text, and cannot be kept for other machines");
    let given_in = here.to_str().ok_or_else(problem)?.to_owned();
    let others = [(OPTIONS, text), (GIVEN_IN, given_in)];
    let others = others.map(|(name, text)| (name.to_string(), text.into_bytes())).into();
    let job = options.job()?;
    let split = dreamtuner::animate::split(&job, folder, division, others, interrupt, &mut |event| {
        show(display, &event, &options.reference);
    });
    display.finish();
    split
}

/// Encodes the shots of a clip, or of all clips of a batch.
pub fn merge(arguments: &MergeArgs) -> Result<i32> {
    let folder = absolute(&arguments.folder)?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let Some(batch) = Batch::read(&folder)? else {
        let output = arguments.output.as_deref();
        let output = output.ok_or_else(|| Error::setting("output", "is needed: the clip"))?;
        return merge_clip(arguments, &folder, &absolute(output)?, &interrupt);
    };
    if arguments.output.is_some() {
        return Err(Error::setting("output", "is not needed: each clip of a batch has its own"));
    }
    for clip in batch.clips {
        let code = merge_clip(arguments, &folder.join(&clip.folder), &clip.output, &interrupt)?;
        if code != exit::SUCCESS {
            return Ok(code);
        }
    }
    Ok(exit::SUCCESS)
}

fn merge_clip(arguments: &MergeArgs, folder: &Path, clip: &Path, interrupt: &Interrupt) -> Result<i32> {
    let sheet =
        beside(clip, arguments.sheet.as_deref(), "sheet.png").map(|sheet| absolute(&sheet)).transpose()?;
    let job = job_of(folder)?;
    let job = Job {
        outputs: OutputFiles { clip: clip.to_path_buf(), compare: None, sheet },
        quality: arguments.quality.or(job.quality),
        overwrite: arguments.overwrite,
        ..job
    };
    let mut display = Display::new(arguments.json);
    let outcome = dreamtuner::animate::merge(&job, folder, interrupt, &mut |event| {
        show(&mut display, &event, &job.reference.picture);
    });
    display.finish();
    match outcome {
        Ok(Outcome::Complete { .. }) => Ok(exit::SUCCESS),
        Ok(Outcome::Interrupted { .. }) | Err(Error::Interrupted) => Ok(exit::INTERRUPTED),
        Err(error) => Err(error),
    }
}
