//! `dreamtuner eval clip`.

use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::evaluate::ClipComparison;
use dreamtuner::model::clip::{Clip, ClipFiles};
use dreamtuner::model::weights::ModelFiles;
use dreamtuner::video::{DecodeSettings, FrameReader, open_frames};
use dreamtuner::{Error, Result};
use serde_json::json;

use crate::device::DeviceArgs;
use crate::exit;
use crate::say::print;
use crate::step_progress::StepDisplay;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner eval clip out.mp4 truth.mp4
  dreamtuner eval clip theirs/ ours.mp4 --clip openai-clip-vit-large-patch14 --json

Both have as many frames, of one size. Other tools' results are compared with the truth, or with each other.";

/// Options of `dreamtuner eval clip`.
#[derive(Debug, Args)]
pub struct ClipArgs {
    /// A video, or a folder of pictures
    #[arg(value_name = "CLIP")]
    clip_a: PathBuf,
    /// What it is compared with
    #[arg(value_name = "TRUTH")]
    clip_b: PathBuf,
    /// A CLIP model folder as transformers writes it, in place of the built-in model's; `none` leaves CLIP-I out
    #[arg(long, value_name = "FOLDER|none")]
    clip: Option<PathBuf>,
    /// The measures as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

/// Compares the clips; the exit code.
pub fn run(arguments: &ClipArgs) -> Result<i32> {
    let device = arguments.device.choose()?.device;
    let (mut clip, mut truth) = (open(&arguments.clip_a)?, open(&arguments.clip_b)?);
    let files = match &arguments.clip {
        Some(path) if path.as_os_str() == "none" => None,
        Some(path) => Some(ClipFiles::open(path)?),
        None => ClipFiles::of_model(&ModelFiles::builtin()?),
    };
    let looking = files.map(|files| Clip::load(&files, &device)).transpose()?;
    let mut comparison = ClipComparison::new(looking.as_ref());
    let about = clip.duration().map(|seconds| {
        let (frames, of_seconds) = clip.frame_rate();
        (seconds * f64::from(frames) / f64::from(of_seconds)).round() as u64
    });
    let mut display = StepDisplay::default();
    loop {
        let (frame, other) = (clip.next().transpose()?, truth.next().transpose()?);
        match (frame, other) {
            (Some(frame), Some(other)) if frame.image.dimensions() != other.image.dimensions() => {
                let sizes =
                    [&frame.image, &other.image].map(|image| format!("{}×{}", image.width(), image.height()));
                let problem = format!("is {} pixels, {} {}", sizes[0], arguments.clip_b.display(), sizes[1]);
                return Err(Error::input(&arguments.clip_a, problem));
            }
            (Some(frame), Some(other)) => comparison.push(frame.image, other.image)?,
            (None, None) => break,
            (None, Some(_)) => return Err(ended(&arguments.clip_a, &arguments.clip_b, comparison.frames())),
            (Some(_), None) => return Err(ended(&arguments.clip_b, &arguments.clip_a, comparison.frames())),
        }
        let done = comparison.frames() as u64;
        display.update("frame", done, about.unwrap_or(done).max(done), "");
    }
    display.finish();
    let scores = comparison.scores();
    if arguments.json {
        print(&json!({"frames": comparison.frames(), "scores": scores}).to_string())?;
        return Ok(exit::SUCCESS);
    }
    print(&format!("{} frames", comparison.frames()))?;
    for (metric, value) in &scores {
        let arrow = if metric.more_is_better() { "↑" } else { "↓" };
        print(&format!("{:<8} {arrow} {value:.*}", metric.title(), metric.decimals()))?;
    }
    Ok(exit::SUCCESS)
}

fn open(path: &Path) -> Result<Box<dyn FrameReader + Send>> {
    open_frames(path, &DecodeSettings::default())
}

/// The shorter of two clips is named.
fn ended(short: &Path, long: &Path, frames: usize) -> Error {
    Error::input(short, format!("ends after {frames} frames; {} goes on", long.display()))
}
