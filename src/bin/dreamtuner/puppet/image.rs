//! `dreamtuner puppet image`.

use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::pose::{PoseSequence, write_pose_keypoints};
use dreamtuner::puppet::{
    FigurePose, Identity, Motion, Random, Shot, caption, dance_file, open_dance, random_pose, reference_pose,
    render,
};
use dreamtuner::{Error, Result};

use super::Look;
use crate::say::print;

/// Options of `dreamtuner puppet image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(flatten)]
    look: Look,
    /// A dance pose by chance; standing as in reference pictures where neither this nor --dance is given
    #[arg(long, value_name = "SEED", conflicts_with = "dance")]
    pose_seed: Option<u64>,
    /// A pose of a dance: its name or file
    #[arg(long, value_name = "DANCE")]
    dance: Option<String>,
    /// At this beat of the dance
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, requires = "dance")]
    beat: f32,
    /// The picture, a .png file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The mask of the figure, a .png file
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// The control image, a .png file
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// The joints, a .json file (ComfyUI POSE_KEYPOINT)
    #[arg(long, value_name = "FILE")]
    poses: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &ImageArgs) -> Result<()> {
    let look = &arguments.look;
    let outputs = [
        Some(&arguments.output),
        arguments.mask.as_ref(),
        arguments.control.as_ref(),
        arguments.poses.as_ref(),
    ];
    let wanted = outputs.into_iter().flatten().cloned().map(Wanted::File).collect();
    let inputs: Vec<&Path> = arguments.dance.as_deref().and_then(dance_file).into_iter().collect();
    let mut reserved = Reservation::begin(wanted, &inputs, look.overwrite, &format!("{arguments:?}"))?;
    let identity = Identity::from_seed(look.seed);
    let shot = Shot {
        pose: pose(arguments, &identity)?,
        view: look.view,
        expression: look.expression,
        scene: look.scene,
        motion: Motion::default(),
    };
    let picture = render(&identity, &shot, look.size);
    reserved.file(&arguments.output)?.write_png(&picture.image, &[])?;
    if let Some(path) = &arguments.mask {
        reserved.file(path)?.write_png(&picture.mask, &[])?;
    }
    if let Some(path) = &arguments.control {
        reserved.file(path)?.write_png(&picture.control_image(), &[])?;
    }
    if let Some(path) = &arguments.poses {
        let (width, height) = (look.size, look.size);
        let sequence = PoseSequence { width, height, poses: vec![picture.pose], ..PoseSequence::default() };
        write_pose_keypoints(&sequence, reserved.file(path)?)?;
    }
    reserved.finish()?;
    print(&caption(&identity, &shot))
}

fn pose(arguments: &ImageArgs, identity: &Identity) -> Result<FigurePose> {
    /// Sets these poses apart from other choices of the same seed.
    const PURPOSE: u64 = 7;
    if let Some(dance) = &arguments.dance {
        if !(0.0..=1e6).contains(&arguments.beat) {
            return Err(Error::setting("beat", format!("{}; 0 to 1000000 is allowed", arguments.beat)));
        }
        return Ok(open_dance(dance)?.pose(arguments.beat));
    }
    Ok(arguments.pose_seed.map_or_else(reference_pose, |seed| {
        random_pose(identity, arguments.look.view, &mut Random::new(seed, PURPOSE))
    }))
}
