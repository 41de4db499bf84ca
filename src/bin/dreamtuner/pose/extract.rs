//! `dreamtuner pose extract`.

use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::Result;
use dreamtuner::detect::PoseModel;
use dreamtuner::frame::Frame;
use dreamtuner::inputs::extract::{ExtractSettings, Extracted, extract_poses, mend};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::outputs::{Output, Reservation, Wanted};
use dreamtuner::pose::{DrawSettings, PersonChoice, Pose, draw_pose};
use dreamtuner::video::{AudioSource, DecodeSettings, EncodeSettings, VideoWriter, open_frames};
use image::RgbImage;

use super::Target;
use crate::progress::Display;
use crate::say::say;
use crate::signal::stop_on_signal;

/// Options of `dreamtuner pose extract`.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// The video, or a folder of pictures
    input: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Also write the video with the poses drawn over it
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
    /// The network that finds the joints: `thunder` or `lightning` (faster), both of MoveNet, or `drawn` for drawn
    /// figures. Or an ONNX file of RTMPose or DWPose, or a folder with such a file and one of YOLOX: these find hands
    /// and face too, and need ONNX Runtime
    #[arg(long, value_name = "NAME|PATH", default_value_t)]
    pose_model: PoseModel,
    /// Keep one person: largest, left, right, or a number from 0; everyone where absent
    #[arg(long, value_name = "WHO")]
    person: Option<PersonChoice>,
    /// Write what the network finds as it is, without mending and smoothing
    #[arg(long)]
    raw: bool,
    /// First moment that is read, in seconds
    #[arg(long, value_name = "SECONDS")]
    start: Option<f64>,
    /// Moment at which reading stops, in seconds
    #[arg(long, value_name = "SECONDS")]
    end: Option<f64>,
    /// Frames a second; the video's own where absent
    #[arg(long, value_name = "NUMBER")]
    fps: Option<f64>,
}

/// Runs the command.
pub fn run(arguments: &ExtractArgs) -> Result<()> {
    let mut wanted = vec![arguments.target.wanted()?];
    wanted.extend(arguments.overlay.as_deref().map(Wanted::clip));
    let mut inputs = vec![arguments.input.as_path()];
    inputs.extend(arguments.pose_model.choice().file());
    let overwrite = arguments.target.overwrite;
    let mut reserved = Reservation::begin(wanted, &inputs, overwrite, &format!("{arguments:?}"))?;
    let decode =
        DecodeSettings { start: arguments.start, end: arguments.end, frames_per_second: arguments.fps };
    let settings = ExtractSettings { decode, model: arguments.pose_model.clone() };
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut found = find(&arguments.input, &settings, &interrupt)?;
    if let Some(person) = arguments.person {
        found.sequence.choose_person(person)?;
    }
    if !arguments.raw {
        say(format_args!("{}", mend(&mut found.sequence, &found.cuts)?));
    }
    if !found.cuts.is_empty() {
        say(format_args!("another scene begins at frame {}", list(&found.cuts)));
    }
    arguments.target.write(&found.sequence, &mut reserved)?;
    say(format_args!("wrote {}", arguments.target.output.display()));
    if let Some(overlay) = &arguments.overlay {
        draw_over(arguments, &decode, &found, reserved.clip(overlay)?)?;
        say(format_args!("wrote {}", overlay.display()));
    }
    reserved.finish()
}

/// Finds everyone, and shows how far it is.
fn find(input: &Path, settings: &ExtractSettings, interrupt: &Interrupt) -> Result<Extracted> {
    let mut display = Display::new(false);
    let found = extract_poses(input, settings, interrupt, &mut |done, of| display.search(done, of));
    display.finish();
    let found = found?;
    let people = found.sequence.poses.iter().map(|pose| pose.people.len()).max().unwrap_or(0);
    say(format_args!("{} frames, {people} people", found.times.len()));
    Ok(found)
}

fn list(frames: &[usize]) -> String {
    frames.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// Writes the video again with the poses over it.
fn draw_over(
    arguments: &ExtractArgs,
    decode: &DecodeSettings,
    found: &Extracted,
    overlay: Output,
) -> Result<()> {
    let audio = found.has_audio.then(|| AudioSource::beside(&arguments.input, decode));
    let settings = EncodeSettings { frame_rate: found.frame_rate, audio, ..Default::default() };
    let (width, height) = (found.sequence.width, found.sequence.height);
    let mut writer = VideoWriter::begin(overlay, width, height, &settings)?;
    for (frame, pose) in open_frames(&arguments.input, decode)?.zip(&found.sequence.poses) {
        let Frame { image, time } = frame?;
        writer.write(&Frame { image: over(image, pose), time })?;
    }
    writer.finish().map(drop)
}

/// The picture, half as bright, with the pose over it.
fn over(mut picture: RgbImage, pose: &Pose) -> RgbImage {
    let drawn = draw_pose(pose, picture.width(), picture.height(), &DrawSettings::default());
    for (pixel, stroke) in picture.pixels_mut().zip(drawn.pixels()) {
        if stroke.0 == [0; 3] {
            pixel.0 = pixel.0.map(|value| value / 2);
        } else {
            *pixel = *stroke;
        }
    }
    picture
}
