//! Draws the first pose of a file: `cargo run --release -p dreamtuner-pose --example draw poses/wave.json pose.png`.

use std::error::Error;

use dreamtuner_pose::{DrawSettings, ReadSettings, draw_pose, parse_poses};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(poses), Some(picture)) = (arguments.next(), arguments.next()) else {
        return Err("give a pose file, and a name for the picture".into());
    };
    let sequence = parse_poses(&std::fs::read(poses)?, &ReadSettings::default())?;
    draw_pose(&sequence.poses[0], 512, 512, &DrawSettings::default()).save(picture)?;
    Ok(())
}
