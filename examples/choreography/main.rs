//! Writes the dances of `poses/`: own choreography from key poses, one JSON file each.
//!
//! ```text
//! cargo run --release --example choreography -- poses
//! ```

mod moves;
mod rig;
mod timing;

use std::path::PathBuf;

use dreamtuner::Result;
use dreamtuner::pose::{Pose, PoseSequence, summary, write_pose_keypoints};

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

fn main() -> Result<()> {
    let target = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("poses"), PathBuf::from);
    for dance in moves::dances() {
        let sequence = sequence(&dance);
        write_pose_keypoints(&sequence, &target.join(format!("{}.json", dance.name)))?;
        println!("{}: {}\n{}\n", dance.name, dance.about, summary(&sequence));
    }
    Ok(())
}
