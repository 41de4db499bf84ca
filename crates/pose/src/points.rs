//! All points of a person in one row, and a sequence of one person as rows.

use super::sequence::PoseSequence;
use super::skeleton::{FACE_POINTS, HAND_POINTS, Joint, Keypoint, Person};
use crate::error::{Error, Result};

const HANDS: usize = Joint::COUNT;
const FACE: usize = HANDS + 2 * HAND_POINTS;
/// Points of a person: body, left hand, right hand, face.
pub const POINTS: usize = FACE + FACE_POINTS;

/// All points of a person in one row.
pub type Points = [Option<Keypoint>; POINTS];

impl Person {
    /// All points.
    pub fn points(&self) -> Points {
        let mut points = [None; POINTS];
        points[..HANDS].copy_from_slice(&self.body);
        let hands = [&self.left_hand, &self.right_hand];
        for (row, hand) in points[HANDS..FACE].chunks_exact_mut(HAND_POINTS).zip(hands) {
            row.copy_from_slice(hand.as_deref().unwrap_or(&[None; HAND_POINTS]));
        }
        points[FACE..].copy_from_slice(self.face.as_deref().unwrap_or(&[None; FACE_POINTS]));
        points
    }

    /// The person that has these points.
    pub fn from_points(points: &Points) -> Self {
        let mut person = Self::default();
        person.body.copy_from_slice(&points[..HANDS]);
        person.left_hand = group(&points[HANDS..HANDS + HAND_POINTS]);
        person.right_hand = group(&points[HANDS + HAND_POINTS..FACE]);
        person.face = group(&points[FACE..]);
        person
    }
}

fn group<const N: usize>(points: &[Option<Keypoint>]) -> Option<Box<[Option<Keypoint>; N]>> {
    points.iter().any(Option::is_some).then(|| Box::new(points.try_into().unwrap_or([None; N])))
}

/// The points of each frame.
///
/// # Errors
/// A frame that holds several people.
pub(super) fn one_person(sequence: &PoseSequence) -> Result<Vec<Points>> {
    refuse_crowds(sequence)?;
    let row = |person: Option<&Person>| person.map_or([None; POINTS], Person::points);
    Ok(sequence.poses.iter().map(|pose| row(pose.people.first())).collect())
}

/// An error for a frame that holds several people.
pub(super) fn refuse_crowds(sequence: &PoseSequence) -> Result<()> {
    let crowd = sequence.poses.iter().enumerate().find(|(_, pose)| pose.people.len() > 1);
    if let Some((frame, pose)) = crowd {
        let problem = format!("frame {frame} holds {} people; choose one first", pose.people.len());
        return Err(Error::setting("person", problem));
    }
    Ok(())
}

/// Puts the points back; a frame without any holds nobody.
pub(super) fn put_back(sequence: &mut PoseSequence, frames: &[Points]) {
    for (pose, points) in sequence.poses.iter_mut().zip(frames) {
        let seen = points.iter().any(Option::is_some);
        pose.people = seen.then(|| Person::from_points(points)).into_iter().collect();
    }
}
