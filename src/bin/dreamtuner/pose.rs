//! `dreamtuner pose`.

mod extract;

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dreamtuner::detect::PoseModel;
use dreamtuner::frame::Frame;
use dreamtuner::inputs::extract::mend;
use dreamtuner::inputs::reference::ReferenceFiles;
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::picture::Fit;
use dreamtuner::pose::{
    Camera, DrawSettings, GapReport, PersonChoice, PoseSequence, ReadSettings, Retarget, StickWidth, change,
    draw_pose, fill_gaps, read_poses, summary, write_openpose_folder, write_pose_keypoints,
};
use dreamtuner::video::{Container, EncodeSettings, VideoWriter, rational_rate};
use dreamtuner::{Error, Result};

pub use self::extract::ExtractArgs;
use crate::parse::Size;
use crate::say::{print, say};

/// Commands for pose files.
#[derive(Debug, Subcommand)]
pub enum PoseCommand {
    /// Draw a pose file as ControlNet expects it: a clip, or PNG files.
    Draw(DrawArgs),
    /// Convert between OpenPose folders, ComfyUI POSE_KEYPOINT files and COCO-17.
    Convert(ConvertArgs),
    /// Find the poses of the people in a video.
    Extract(ExtractArgs),
    /// Mend what a detector got wrong in a pose file: left and right exchanged, points that jump, tremble.
    Smooth(SmoothArgs),
    /// Give a dance to the body of a reference.
    Retarget(RetargetArgs),
    /// Say what a pose file holds.
    Info(InfoArgs),
}

#[derive(Debug, Args)]
struct Source {
    /// Pose JSON (OpenPose, ComfyUI POSE_KEYPOINT, COCO-17), or a folder of it, or motion capture (BVH)
    input: PathBuf,
    /// Size of the canvas that the coordinates refer to, where the file does not say
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    canvas: Option<Size>,
    /// From where a dancer of motion capture is seen, in degrees: yaw=20,pitch=5
    #[arg(long, default_value_t, value_name = "ANGLES")]
    camera: Camera,
}

impl Source {
    fn read(&self) -> Result<PoseSequence> {
        self.read_beside(&self.input)
    }

    /// Another file, on the same canvas.
    fn read_beside(&self, path: &Path) -> Result<PoseSequence> {
        let canvas = self.canvas.map(|size| (size.width, size.height));
        read_poses(path, &ReadSettings { canvas, camera: self.camera })
    }
}

/// Where poses are written.
#[derive(Debug, Args)]
struct Target {
    /// A .json file (ComfyUI POSE_KEYPOINT), or a folder ending in / (OpenPose, one file a frame)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace an output that is there already
    #[arg(long)]
    overwrite: bool,
}

impl Target {
    /// What is to be written.
    ///
    /// # Errors
    /// A name that is no place for poses.
    fn wanted(&self) -> Result<Wanted> {
        if is_json(&self.output) {
            return Ok(Wanted::File(self.output.clone()));
        }
        if self.output.extension().is_some() {
            let problem = "poses are written to a .json file, or a folder ending in /";
            return Err(Error::output(&self.output, problem));
        }
        Ok(Wanted::Folder(self.output.clone()))
    }

    /// Keeps the output for a command with these `arguments`, which reads `inputs`.
    fn reserve(&self, inputs: &[&Path], arguments: &impl Debug) -> Result<Reservation> {
        Reservation::begin(vec![self.wanted()?], inputs, self.overwrite, &format!("{arguments:?}"))
    }

    fn write(&self, sequence: &PoseSequence, reserved: &mut Reservation) -> Result<()> {
        if is_json(&self.output) {
            write_pose_keypoints(sequence, reserved.file(&self.output)?)
        } else {
            write_openpose_folder(sequence, &self.output, reserved)
        }
    }
}

/// Options of `dreamtuner pose draw`.
#[derive(Debug, Args)]
pub struct DrawArgs {
    #[command(flatten)]
    source: Source,
    /// The clip: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Size of the pictures; the canvas where absent
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<Size>,
    /// Frames a second; the file's own where absent, else 24
    #[arg(long, value_name = "NUMBER")]
    fps: Option<f64>,
    /// Replace an output that is there already
    #[arg(long)]
    overwrite: bool,
    /// Draw one person: largest, left, right, or a number from 0; everyone where absent
    #[arg(long, value_name = "WHO")]
    person: Option<PersonChoice>,
    /// Thickness of the limbs
    #[arg(long, value_enum, default_value_t)]
    stick: StickWidth,
    /// Leave hands out
    #[arg(long)]
    no_hands: bool,
    /// Leave faces out
    #[arg(long)]
    no_face: bool,
}

/// Options of `dreamtuner pose convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// Keep one person: largest, left, right, or a number from 0; everyone where absent
    #[arg(long, value_name = "WHO")]
    person: Option<PersonChoice>,
    /// Interpolate frames and joints without a pose; needs --person where there are several people
    #[arg(long)]
    fill: bool,
}

/// Options of `dreamtuner pose smooth`.
#[derive(Debug, Args)]
pub struct SmoothArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// Keep one person: largest, left, right, or a number from 0
    #[arg(long, value_name = "WHO", default_value_t)]
    person: PersonChoice,
    /// Frames (from 0) that begin another scene; nothing is smoothed across them
    #[arg(long, value_name = "FRAME", value_delimiter = ',')]
    cut: Vec<usize>,
}

/// Options of `dreamtuner pose retarget`.
#[derive(Debug, Args)]
pub struct RetargetArgs {
    #[command(flatten)]
    source: Source,
    /// The body: a picture of the character, or its pose as JSON
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Bones of the reference with the dancer's angles, or the dancer's body in the reference's size
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    retarget: Retarget,
    #[command(flatten)]
    target: Target,
    /// Who dances: largest, left, right, or a number from 0
    #[arg(long, value_name = "WHO", default_value_t)]
    person: PersonChoice,
}

/// Options of `dreamtuner pose info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    #[command(flatten)]
    source: Source,
    /// Also say what has changed since this file: jitter and lag
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub fn run(command: PoseCommand) -> Result<()> {
    match command {
        PoseCommand::Draw(arguments) => draw(&arguments),
        PoseCommand::Convert(arguments) => convert(&arguments),
        PoseCommand::Extract(arguments) => extract::run(&arguments),
        PoseCommand::Smooth(arguments) => smooth(&arguments),
        PoseCommand::Retarget(arguments) => retarget_to(&arguments),
        PoseCommand::Info(arguments) => info(&arguments),
    }
}

fn draw(arguments: &DrawArgs) -> Result<()> {
    Container::from_path(&arguments.output)?;
    let (wanted, inputs) = (vec![Wanted::clip(&arguments.output)], [&*arguments.source.input]);
    let mut reserved = Reservation::begin(wanted, &inputs, arguments.overwrite, &format!("{arguments:?}"))?;
    let mut sequence = arguments.source.read()?;
    if let Some(person) = arguments.person {
        sequence.choose_person(person)?;
    }
    let (width, height) =
        arguments.size.map_or((sequence.width, sequence.height), |size| (size.width, size.height));
    let rate = arguments.fps.or(sequence.frames_per_second).unwrap_or(24.0);
    if !(0.01..=1000.0).contains(&rate) {
        return Err(Error::setting("fps", format!("{rate}; 0.01 to 1000 is allowed")));
    }
    let drawing =
        DrawSettings { hands: !arguments.no_hands, face: !arguments.no_face, stick_width: arguments.stick };
    let settings = EncodeSettings { frame_rate: rational_rate(rate), ..Default::default() };
    let mut writer = VideoWriter::begin(reserved.clip(&arguments.output)?, width, height, &settings)?;
    for (index, pose) in sequence.fit(width, height, Fit::Contain).poses.iter().enumerate() {
        let image = draw_pose(pose, width, height, &drawing);
        writer.write(&Frame { image, time: index as f64 / rate })?;
    }
    writer.finish()?;
    reserved.finish()
}

fn convert(arguments: &ConvertArgs) -> Result<()> {
    let mut reserved = arguments.target.reserve(&[&arguments.source.input], arguments)?;
    let mut sequence = arguments.source.read()?;
    if let Some(person) = arguments.person {
        sequence.choose_person(person)?;
    }
    if arguments.fill {
        let report = fill_gaps(&mut sequence)?;
        let GapReport { frames, filled_frames, filled_joints, .. } = report;
        say(format_args!("filled {filled_frames} of {frames} frames and {filled_joints} joints"));
    }
    arguments.target.write(&sequence, &mut reserved)?;
    reserved.finish()
}

fn retarget_to(arguments: &RetargetArgs) -> Result<()> {
    let inputs = [&*arguments.source.input, &*arguments.to];
    let mut reserved = arguments.target.reserve(&inputs, arguments)?;
    let reference = ReferenceFiles::body(&arguments.to, &PoseModel::default())?;
    let mut sequence = arguments.source.read()?;
    sequence.choose_person(arguments.person)?;
    fill_gaps(&mut sequence)?;
    arguments.target.write(&arguments.retarget.apply(sequence, &reference)?, &mut reserved)?;
    reserved.finish()
}

fn smooth(arguments: &SmoothArgs) -> Result<()> {
    let mut reserved = arguments.target.reserve(&[&arguments.source.input], arguments)?;
    let mut sequence = arguments.source.read()?;
    sequence.choose_person(arguments.person)?;
    let mended = mend(&mut sequence, &arguments.cut)?;
    say(format_args!("{mended}"));
    arguments.target.write(&sequence, &mut reserved)?;
    reserved.finish()
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn info(arguments: &InfoArgs) -> Result<()> {
    let sequence = arguments.source.read()?;
    let summary = summary(&sequence);
    let against = arguments.against.as_ref();
    let before = against.map(|path| arguments.source.read_beside(path)).transpose()?;
    let change = before.map(|before| change(&before, &sequence)).transpose()?;
    if arguments.json {
        let mut value = serde_json::to_value(&summary);
        if let (Ok(value), Some(change)) = (&mut value, change) {
            value["change"] = serde_json::json!(change);
        }
        let text = value.and_then(|value| serde_json::to_string_pretty(&value));
        return print(&text.map_err(|error| Error::output("standard output", error.to_string()))?);
    }
    match change {
        Some(change) => print(&format!("{summary}\n{change}")),
        None => print(&summary.to_string()),
    }
}
