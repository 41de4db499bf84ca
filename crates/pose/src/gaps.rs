//! Interpolates what the detector missed.

use super::points::{POINTS, Points, one_person};
use super::sequence::PoseSequence;
use super::skeleton::{Joint, Person};
use crate::error::{Error, Result};

/// Nose, eyes, ears, hands and face points come back only after so few frames. Longer gaps mean that the dancer has
/// turned away or hidden the hand, and an invented face would turn the figure around.
const SHORT_GAP: usize = 6;

/// What [`fill_gaps`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GapReport {
    /// Frames of the sequence.
    pub frames: usize,
    /// Frames without anybody that were given a pose.
    pub filled_frames: usize,
    /// Frames of the longest stretch of them.
    pub longest: usize,
    /// Joints of the body that were added in frames that did have a pose.
    pub filled_joints: usize,
}

/// Fills frames without a person and missing joints by straight interpolation between the nearest frames before
/// and after; at the ends the nearest position is held. An added point has the lower confidence of its neighbours.
///
/// Nose, eyes, ears, hands and face points that are missing while the rest is seen are filled over at most 6
/// frames. A joint that is never seen stays missing.
///
/// # Errors
/// All frames are empty, or a frame holds several people (see [`PoseSequence::choose_person`]).
pub fn fill_gaps(sequence: &mut PoseSequence) -> Result<GapReport> {
    let mut frames = one_person(sequence)?;
    let empty: Vec<bool> = frames.iter().map(|points| points.iter().all(Option::is_none)).collect();
    if empty.iter().all(|&is_empty| is_empty) {
        return Err(Error::setting("pose", format!("nobody is seen in any of the {} frames", frames.len())));
    }
    let mut report = GapReport { frames: frames.len(), ..GapReport::default() };
    for index in 0..POINTS {
        let always = Joint::ALL.get(index).is_some_and(|joint| !joint.is_facial());
        let filled = fill_point(&mut frames, &empty, index, if always { usize::MAX } else { SHORT_GAP });
        if index < Joint::COUNT {
            report.filled_joints += filled;
        }
    }
    report.longest = empty.split(|&is_empty| !is_empty).map(<[bool]>::len).max().unwrap_or(0);
    report.filled_frames = empty.iter().filter(|&&is_empty| is_empty).count();
    for (pose, points) in sequence.poses.iter_mut().zip(&frames) {
        pose.people = vec![Person::from_points(points)];
    }
    Ok(report)
}

/// Fills the gaps of one point that are missing in at most `longest` frames that are not empty. Returns how many
/// frames that are not empty got the point.
fn fill_point(frames: &mut [Points], empty: &[bool], index: usize, longest: usize) -> usize {
    let mut filled = 0;
    let mut start = 0;
    while start < frames.len() {
        if frames[start][index].is_some() {
            start += 1;
            continue;
        }
        let end = (start..frames.len()).find(|&frame| frames[frame][index].is_some()).unwrap_or(frames.len());
        let before = start.checked_sub(1).and_then(|frame| frames[frame][index]);
        let after = frames.get(end).and_then(|points| points[index]);
        let missed = empty[start..end].iter().filter(|&&is_empty| !is_empty).count();
        if missed <= longest {
            let steps = (end - start + 1) as f32;
            for (step, points) in frames[start..end].iter_mut().enumerate() {
                points[index] = match (before, after) {
                    (Some(before), Some(after)) => Some(before.towards(after, (step + 1) as f32 / steps)),
                    (held, None) | (None, held) => held,
                };
            }
            filled += if before.or(after).is_some() { missed } else { 0 };
        }
        start = end;
    }
    filled
}
