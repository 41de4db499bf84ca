//! COCO's 17 points, which person detectors find, as an OpenPose figure.

use super::skeleton::{Joint, Keypoint, Person};

/// Points of a person in COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; of pairs the left first.
pub const COCO_POINTS: usize = 17;

/// COCO's index of each OpenPose joint; the neck has none.
const FROM_COCO: [Option<usize>; Joint::COUNT] = [
    Some(0),
    None,
    Some(6),
    Some(8),
    Some(10),
    Some(5),
    Some(7),
    Some(9),
    Some(12),
    Some(14),
    Some(16),
    Some(11),
    Some(13),
    Some(15),
    Some(2),
    Some(1),
    Some(4),
    Some(3),
];

impl Person {
    /// A person from COCO's points, of which the last may be absent; the neck lies between the shoulders if both are
    /// seen.
    pub fn from_coco(points: &[Option<Keypoint>]) -> Self {
        let mut body = FROM_COCO.map(|index| index.and_then(|index| points.get(index).copied().flatten()));
        let shoulders = (body[Joint::RightShoulder as usize], body[Joint::LeftShoulder as usize]);
        if let (Some(right), Some(left)) = shoulders {
            body[Joint::Neck as usize] = Some(right.towards(left, 0.5));
        }
        Self { body, ..Self::default() }
    }
}
