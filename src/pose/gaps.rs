//! Interpolates what the detector missed.

use super::sequence::PoseSequence;
use super::skeleton::{FACE_POINTS, HAND_POINTS, Joint, Keypoint, Person};
use crate::error::{Error, Result};

/// Nose, eyes, ears, hands and face points come back only after so few frames: longer ones mean that the dancer
/// has turned away or hidden the hand, and an invented face would turn the figure around.
const SHORT_GAP: usize = 6;

/// What [`fill_gaps`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GapReport {
    /// Frames of the sequence.
    pub frames: usize,
    /// Frames without anybody that were given a pose.
    pub filled_frames: usize,
    /// Joints of the body that were added in frames that did have a pose.
    pub filled_joints: usize,
}

const HANDS: usize = Joint::COUNT;
const FACE: usize = HANDS + 2 * HAND_POINTS;
const POINTS: usize = FACE + FACE_POINTS;

/// All points of a person in one row: body, left hand, right hand, face.
type Points = [Option<Keypoint>; POINTS];

fn to_points(person: &Person) -> Points {
    let mut points = [None; POINTS];
    points[..HANDS].copy_from_slice(&person.body);
    let hands = [&person.left_hand, &person.right_hand];
    for (row, hand) in points[HANDS..FACE].chunks_exact_mut(HAND_POINTS).zip(hands) {
        row.copy_from_slice(&hand.unwrap_or([None; HAND_POINTS]));
    }
    points[FACE..].copy_from_slice(&person.face.unwrap_or([None; FACE_POINTS]));
    points
}

fn from_points(points: &Points) -> Person {
    let mut person = Person::default();
    person.body.copy_from_slice(&points[..HANDS]);
    person.left_hand = group(&points[HANDS..HANDS + HAND_POINTS]);
    person.right_hand = group(&points[HANDS + HAND_POINTS..FACE]);
    person.face = group(&points[FACE..]);
    person
}

fn group<const N: usize>(points: &[Option<Keypoint>]) -> Option<[Option<Keypoint>; N]> {
    points.iter().any(Option::is_some).then(|| points.try_into().unwrap_or([None; N]))
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
    if let Some(frame) = sequence.poses.iter().position(|pose| pose.people.len() > 1) {
        let count = sequence.poses[frame].people.len();
        return Err(Error::setting(
            "person",
            format!("frame {frame} holds {count} people; choose one first"),
        ));
    }
    let mut frames: Vec<Points> = Vec::with_capacity(sequence.poses.len());
    for pose in &sequence.poses {
        frames.push(pose.people.first().map_or([None; POINTS], to_points));
    }
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
    report.filled_frames = empty.iter().filter(|&&is_empty| is_empty).count();
    for (pose, points) in sequence.poses.iter_mut().zip(&frames) {
        pose.people = vec![from_points(points)];
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
