//! `dreamtuner puppet clip`.

use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::frame::Frame;
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::pose::{PoseSequence, write_pose_keypoints};
use dreamtuner::puppet::choreography::{ClipSettings, shots};
use dreamtuner::puppet::{Identity, caption, dance_file, open_dance, render};
use dreamtuner::video::{Container, EncodeSettings, VideoWriter, rational_rate};
use dreamtuner::{Error, Result};

use super::Look;
use crate::say::print;

/// Options of `dreamtuner puppet clip`.
#[derive(Debug, Args)]
pub struct ClipArgs {
    #[command(flatten)]
    look: Look,
    /// The dance: walk, wave, jumping_jack, spin_step, disco, kick, sway, bow, robot, twist, or a file of one's own
    #[arg(long, value_name = "DANCE", default_value = "wave")]
    dance: String,
    /// Number of frames, 1 to 100000; once through the dance where absent
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    frames: Option<u32>,
    /// Frames a second
    #[arg(long, value_name = "NUMBER", default_value_t = 24.0)]
    fps: f64,
    /// The clip: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The masks of the figure, as the clip
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// The joints, a .json file (ComfyUI POSE_KEYPOINT), to animate a picture with
    #[arg(long, value_name = "FILE")]
    poses: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &ClipArgs) -> Result<()> {
    let ClipArgs { look, fps, output, .. } = arguments;
    let clips = [Some(output), arguments.mask.as_ref()].into_iter().flatten();
    clips.clone().try_for_each(|path| Container::from_path(path).map(drop))?;
    if !(0.1..=1000.0).contains(fps) {
        return Err(Error::setting("fps", format!("{fps}; 0.1 to 1000 is allowed")));
    }
    let dance = open_dance(&arguments.dance)?;
    let once = (f64::from(dance.seconds()) * fps).round().max(1.0) as usize;
    let settings = ClipSettings {
        frames: arguments.frames.map_or(once, |frames| frames as usize),
        frames_per_second: *fps as f32,
        view: look.view,
        expression: look.expression,
        scene: look.scene,
    };
    let identity = Identity::from_seed(look.seed);
    let shots = shots(&identity, &dance, &settings);

    let wanted =
        clips.map(|path| Wanted::clip(path)).chain(arguments.poses.iter().cloned().map(Wanted::File));
    let inputs: Vec<&Path> = dance_file(&arguments.dance).into_iter().collect();
    let mut reserved =
        Reservation::begin(wanted.collect(), &inputs, look.overwrite, &format!("{arguments:?}"))?;
    let mut writer = |path: &PathBuf| {
        let settings = EncodeSettings { frame_rate: rational_rate(*fps), ..Default::default() };
        VideoWriter::begin(reserved.clip(path)?, look.size, look.size, &settings)
    };
    let mut pictures = writer(output)?;
    let mut masks = arguments.mask.as_ref().map(writer).transpose()?;
    let mut poses = Vec::with_capacity(shots.len());
    for (index, shot) in shots.iter().enumerate() {
        let time = index as f64 / fps;
        let picture = render(&identity, shot, look.size);
        pictures.write(&Frame { image: picture.image, time })?;
        if let Some(masks) = &mut masks {
            let image = image::DynamicImage::from(picture.mask).to_rgb8();
            masks.write(&Frame { image, time })?;
        }
        poses.push(picture.pose);
    }
    pictures.finish()?;
    if let Some(masks) = masks {
        masks.finish()?;
    }
    if let Some(path) = &arguments.poses {
        let (width, height) = (look.size, look.size);
        let sequence =
            PoseSequence { width, height, frames_per_second: Some(*fps), poses, ..PoseSequence::default() };
        write_pose_keypoints(&sequence, reserved.file(path)?)?;
    }
    reserved.finish()?;
    shots.first().map_or(Ok(()), |shot| print(&caption(&identity, shot)))
}
