//! What a sequence holds, for people and programs.

use std::fmt;

use serde::Serialize;

use super::sequence::PoseSequence;
use super::skeleton::{Joint, Person, Pose};

/// A joint that some frames lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingJoint {
    /// Name of the joint, such as `left ankle`.
    pub joint: &'static str,
    /// People (over all frames) in which it was not seen.
    pub count: usize,
}

/// Figures about a [`PoseSequence`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Number of frames.
    pub frames: usize,
    /// Width of the canvas in pixels.
    pub width: u32,
    /// Height of the canvas in pixels.
    pub height: u32,
    /// Frames in a second, where the source says so.
    pub frames_per_second: Option<f64>,
    /// Frames without anybody.
    pub empty_frames: usize,
    /// Fewest people in a frame.
    pub fewest_people: usize,
    /// Most people in a frame.
    pub most_people: usize,
    /// People in a frame on average.
    pub mean_people: f64,
    /// People (over all frames) with at least one hand.
    pub with_hands: usize,
    /// People (over all frames) with face points.
    pub with_face: usize,
    /// Joints that somebody lacks, in file order.
    pub missing_joints: Vec<MissingJoint>,
    /// Share of the 18 joints that were seen, over all people, in [0, 1].
    pub joint_coverage: f64,
    /// Mean area of the largest person's bounding box as a share of the canvas; frames without anybody left out.
    pub canvas_coverage: f64,
    /// Mean distance that a joint of the largest person moves from one frame to the next, as a share of the
    /// canvas's longer side.
    pub mean_speed: f64,
    /// The largest such distance.
    pub max_speed: f64,
    /// Mean change of a joint's velocity from one frame to the next, in the same unit.
    pub mean_acceleration: f64,
    /// The largest such change.
    pub max_acceleration: f64,
}

/// Mean and largest of some values; zeros when there are none.
fn mean_and_max(values: &[f64]) -> (f64, f64) {
    let sum: f64 = values.iter().sum();
    (sum / values.len().max(1) as f64, values.iter().copied().fold(0.0, f64::max))
}

pub(super) fn largest(pose: &Pose) -> Option<&Person> {
    pose.people.iter().max_by(|a, b| a.area().total_cmp(&b.area()))
}

/// Speeds and accelerations of all joints of `people`, in pixels.
fn motion(people: &[Option<&Person>]) -> (Vec<f64>, Vec<f64>) {
    let at = |frame: usize, joint: Joint| {
        let point = people.get(frame).copied().flatten()?.joint(joint)?;
        Some((f64::from(point.x), f64::from(point.y)))
    };
    let (mut speeds, mut accelerations) = (Vec::new(), Vec::new());
    for joint in Joint::ALL {
        for frame in 1..people.len() {
            let (Some(before), Some(now)) = (at(frame - 1, joint), at(frame, joint)) else { continue };
            speeds.push((now.0 - before.0).hypot(now.1 - before.1));
            if let Some(after) = at(frame + 1, joint) {
                let (dx, dy) = (after.0 - 2.0 * now.0 + before.0, after.1 - 2.0 * now.1 + before.1);
                accelerations.push(dx.hypot(dy));
            }
        }
    }
    (speeds, accelerations)
}

/// Counts and measures a sequence.
pub fn summary(sequence: &PoseSequence) -> Summary {
    let seen = |pose: &Pose| pose.people.iter().filter(|person| !person.is_empty()).count();
    let counts: Vec<usize> = sequence.poses.iter().map(seen).collect();
    let everyone: Vec<&Person> =
        sequence.poses.iter().flat_map(|pose| &pose.people).filter(|person| !person.is_empty()).collect();
    let missing = |joint: &Joint| everyone.iter().filter(|person| person.joint(*joint).is_none()).count();
    let missing_joints: Vec<MissingJoint> = Joint::ALL
        .into_iter()
        .map(|joint| MissingJoint { joint: joint.name(), count: missing(&joint) })
        .filter(|missing| missing.count > 0)
        .collect();
    let all_joints = (everyone.len() * Joint::COUNT).max(1) as f64;
    let missed: usize = missing_joints.iter().map(|missing| missing.count).sum();
    let dancers: Vec<Option<&Person>> = sequence.poses.iter().map(largest).collect();
    let canvas = f64::from(sequence.width) * f64::from(sequence.height);
    let areas: Vec<f64> =
        dancers.iter().flatten().map(|person| f64::from(person.area()) / canvas.max(1.0)).collect();
    let side = f64::from(sequence.width.max(sequence.height).max(1));
    let (speeds, accelerations) = motion(&dancers);
    let ((mean_speed, max_speed), (mean_acceleration, max_acceleration)) =
        (mean_and_max(&speeds), mean_and_max(&accelerations));
    Summary {
        frames: counts.len(),
        width: sequence.width,
        height: sequence.height,
        frames_per_second: sequence.frames_per_second,
        empty_frames: counts.iter().filter(|&&count| count == 0).count(),
        fewest_people: counts.iter().copied().min().unwrap_or(0),
        most_people: counts.iter().copied().max().unwrap_or(0),
        mean_people: everyone.len() as f64 / counts.len().max(1) as f64,
        with_hands: everyone.iter().filter(|p| p.left_hand.is_some() || p.right_hand.is_some()).count(),
        with_face: everyone.iter().filter(|p| p.face.is_some()).count(),
        missing_joints,
        joint_coverage: if everyone.is_empty() { 0.0 } else { 1.0 - missed as f64 / all_joints },
        canvas_coverage: mean_and_max(&areas).0,
        mean_speed: mean_speed / side,
        max_speed: max_speed / side,
        mean_acceleration: mean_acceleration / side,
        max_acceleration: max_acceleration / side,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "frames        {}", self.frames)?;
        match self.frames_per_second {
            Some(rate) => writeln!(out, " at {rate} per second ({:.2} s)", self.frames as f64 / rate)?,
            None => writeln!(out, ", rate not stated")?,
        }
        writeln!(out, "canvas        {}×{}", self.width, self.height)?;
        writeln!(
            out,
            "people        {} to {} in a frame ({:.2} on average), {} frames empty",
            self.fewest_people, self.most_people, self.mean_people, self.empty_frames
        )?;
        writeln!(out, "with hands    {}, with face {}", self.with_hands, self.with_face)?;
        writeln!(out, "joints seen   {:.1} %", self.joint_coverage * 100.0)?;
        for missing in &self.missing_joints {
            writeln!(out, "  missing     {} × {}", missing.count, missing.joint)?;
        }
        writeln!(out, "figure        {:.1} % of the canvas", self.canvas_coverage * 100.0)?;
        writeln!(
            out,
            "speed         {:.4} of the canvas a frame (largest {:.4})",
            self.mean_speed, self.max_speed
        )?;
        write!(
            out,
            "acceleration  {:.4} of the canvas a frame² (largest {:.4})",
            self.mean_acceleration, self.max_acceleration
        )
    }
}
