//! Writes the dances of `poses/`: own choreography from key poses, one JSON file each.
//!
//! ```text
//! cargo run --release --example choreography -- poses [FRAMES]
//! ```
//! With a folder FRAMES the drawn skeletons are written there as `NAME/0000.png` and so on.

mod moves;
mod rig;
mod timing;

use std::path::{Path, PathBuf};

use dreamtuner::error::{Error, Result};
use dreamtuner::pose::{DrawSettings, Pose, PoseSequence, draw_pose, summary, write_pose_keypoints};

const CANVAS: u32 = 512;
const FRAMES_PER_SECOND: f64 = 24.0;

fn sequence(dance: &timing::Dance) -> PoseSequence {
    let pose = |stance: &rig::Stance| Pose {
        width: CANVAS,
        height: CANVAS,
        people: vec![stance.person(f64::from(CANVAS))],
    };
    PoseSequence {
        width: CANVAS,
        height: CANVAS,
        frames_per_second: Some(FRAMES_PER_SECOND),
        poses: dance.frames().iter().map(pose).collect(),
    }
}

fn write_frames(sequence: &PoseSequence, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    for (index, pose) in sequence.poses.iter().enumerate() {
        let path = folder.join(format!("{index:04}.png"));
        let image = draw_pose(pose, CANVAS, CANVAS, &DrawSettings::default());
        image.save(&path).map_err(|error| Error::output(&path, error.to_string()))?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let target = arguments.next().unwrap_or_else(|| PathBuf::from("poses"));
    let frames = arguments.next();
    for dance in moves::dances() {
        let sequence = sequence(&dance);
        write_pose_keypoints(&sequence, &target.join(format!("{}.json", dance.name)))?;
        if let Some(folder) = &frames {
            write_frames(&sequence, &folder.join(dance.name))?;
        }
        println!("{}: {}\n{}\n", dance.name, dance.about, summary(&sequence));
    }
    Ok(())
}
