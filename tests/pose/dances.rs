//! The sequences in poses/: whole, smooth, looping, and standing on their feet.

use std::path::{Path, PathBuf};

use dreamtuner::pose::{Joint, Keypoint, PoseSequence, ReadSettings, read_poses, summary};

/// Fastest that a joint may move, and change its velocity, in canvases a frame (24 a second).
const MAX_SPEED: f32 = 0.095;
const MAX_ACCELERATION: f32 = 0.04;

fn dances() -> Vec<(String, PoseSequence)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("poses");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    assert!(files.len() >= 8);
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), read_poses(path, &ReadSettings::default()).unwrap())).collect()
}

/// The place of a joint in canvases; frames past the end are those of the next round.
fn at(dance: &PoseSequence, frame: usize, joint: Joint) -> (f32, f32) {
    let pose = &dance.poses[frame % dance.poses.len()];
    let Keypoint { x, y, .. } = pose.people[0].joint(joint).unwrap();
    (x / pose.width as f32, y / pose.height as f32)
}

fn speed(dance: &PoseSequence, frame: usize, joint: Joint) -> f32 {
    let (a, b) = (at(dance, frame, joint), at(dance, frame + 1, joint));
    (b.0 - a.0).hypot(b.1 - a.1)
}

#[test]
fn are_whole() {
    for (name, dance) in dances() {
        let summary = summary(&dance);
        assert!((48..=72).contains(&summary.frames), "{name}: {} frames", summary.frames);
        assert_eq!(
            (summary.width, summary.height, summary.frames_per_second),
            (512, 512, Some(24.0)),
            "{name}"
        );
        assert_eq!((summary.fewest_people, summary.most_people), (1, 1), "{name}");
        assert!(summary.missing_joints.is_empty(), "{name}: {:?}", summary.missing_joints);
        for frame in 0..summary.frames {
            for joint in Joint::ALL {
                let (x, y) = at(&dance, frame, joint);
                assert!((0.05..=0.95).contains(&x) && (0.05..=0.95).contains(&y), "{name} {frame} {joint:?}");
            }
        }
        let video = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("poses/{name}.mp4"));
        let size = std::fs::metadata(video).unwrap().len();
        assert!((1_000..300_000).contains(&size), "{name}.mp4: {size} bytes");
    }
}

#[test]
fn move_smoothly_and_loop() {
    for (name, dance) in dances() {
        let mut most = 0.0_f32;
        for frame in 0..dance.poses.len() {
            for joint in Joint::ALL {
                let speed = speed(&dance, frame, joint);
                most = most.max(speed);
                assert!(speed < MAX_SPEED, "{name}, frame {frame}, {}: speed {speed}", joint.name());
                let [a, b, c] = [0, 1, 2].map(|step| at(&dance, frame + step, joint));
                let change = (a.0 - 2.0 * b.0 + c.0).hypot(a.1 - 2.0 * b.1 + c.1);
                assert!(change < MAX_ACCELERATION, "{name}, frame {frame}, {}: {change}", joint.name());
            }
        }
        assert!(most > 0.01, "{name} hardly moves: {most}");
    }
}

#[test]
fn keep_a_foot_on_the_ground() {
    for (name, dance) in dances().into_iter().filter(|(name, _)| name != "jumping_jack") {
        for frame in 0..dance.poses.len() {
            let steadier =
                speed(&dance, frame, Joint::RightAnkle).min(speed(&dance, frame, Joint::LeftAnkle));
            assert!(steadier < 0.0075, "{name}, frame {frame}: both feet slide, {steadier}");
        }
    }
}

#[test]
fn keep_the_figure_s_proportions() {
    let bones = [
        (Joint::RightShoulder, Joint::RightElbow, 0.10..0.125),
        (Joint::LeftElbow, Joint::LeftWrist, 0.09..0.125),
        (Joint::RightHip, Joint::RightKnee, 0.105..0.155),
        (Joint::LeftKnee, Joint::LeftAnkle, 0.105..0.155),
    ];
    for (name, dance) in dances() {
        for frame in 0..dance.poses.len() {
            for (from, to, range) in &bones {
                let (a, b) = (at(&dance, frame, *from), at(&dance, frame, *to));
                let length = (a.0 - b.0).hypot(a.1 - b.1);
                assert!(
                    range.contains(&length),
                    "{name}, frame {frame}: {} to {}: {length}",
                    from.name(),
                    to.name()
                );
            }
        }
    }
}
