//! Figures for the tests.

use dreamtuner_pose::{Joint, Keypoint, Person, Pose, PoseSequence};

pub fn keypoint(x: f32, y: f32) -> Keypoint {
    Keypoint { x, y, confidence: 1.0 }
}

/// A standing figure, `size` pixels tall, with its middle at (x, y).
pub fn standing(x: f32, y: f32, size: f32) -> Person {
    const JOINTS: [(f32, f32); Joint::COUNT] = [
        (0.0, -0.42),
        (0.0, -0.3),
        (-0.1, -0.29),
        (-0.18, -0.16),
        (-0.24, -0.04),
        (0.1, -0.29),
        (0.19, -0.4),
        (0.25, -0.5),
        (-0.06, 0.0),
        (-0.08, 0.2),
        (-0.07, 0.4),
        (0.06, 0.0),
        (0.1, 0.19),
        (0.16, 0.39),
        (-0.03, -0.45),
        (0.03, -0.45),
        (-0.07, -0.44),
        (0.07, -0.44),
    ];
    let body = JOINTS.map(|(dx, dy)| Some(keypoint(x + dx * size, y + dy * size)));
    Person { body, ..Person::default() }
}

pub fn pose(width: u32, height: u32, people: Vec<Person>) -> Pose {
    Pose { width, height, people }
}

pub fn sequence(frames: Vec<Vec<Person>>) -> PoseSequence {
    let poses = frames.into_iter().map(|people| pose(512, 512, people)).collect();
    PoseSequence { width: 512, height: 512, poses, ..PoseSequence::default() }
}
