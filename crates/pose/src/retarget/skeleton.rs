//! The figure as a tree of bones, from the middle of the hips outwards.

use crate::{Body, Joint, Person};

/// A point or a direction, in pixels.
pub(super) type Vector = [f32; 2];

/// A bone: its far joint, its near joint (`None` for the middle of the hips), and how long it is in adults, in lengths of
/// the torso.
pub(super) struct Bone {
    pub(super) joint: Joint,
    pub(super) parent: Option<Joint>,
    pub(super) usual: f32,
    /// Across the body or in the face: short where the figure is seen from the side.
    pub(super) turns: bool,
}

const fn bone(joint: Joint, parent: Option<Joint>, usual: f32) -> Bone {
    Bone { joint, parent, usual, turns: false }
}

const fn turning(joint: Joint, parent: Option<Joint>, usual: f32) -> Bone {
    Bone { joint, parent, usual, turns: true }
}

/// All bones, each after the one that it begins at.
pub(super) const BONES: [Bone; Joint::COUNT] = [
    bone(Joint::Neck, None, 1.0),
    turning(Joint::RightHip, None, 0.18),
    turning(Joint::LeftHip, None, 0.18),
    bone(Joint::RightKnee, Some(Joint::RightHip), 0.8),
    bone(Joint::LeftKnee, Some(Joint::LeftHip), 0.8),
    bone(Joint::RightAnkle, Some(Joint::RightKnee), 0.8),
    bone(Joint::LeftAnkle, Some(Joint::LeftKnee), 0.8),
    turning(Joint::RightShoulder, Some(Joint::Neck), 0.35),
    turning(Joint::LeftShoulder, Some(Joint::Neck), 0.35),
    bone(Joint::RightElbow, Some(Joint::RightShoulder), 0.57),
    bone(Joint::LeftElbow, Some(Joint::LeftShoulder), 0.57),
    bone(Joint::RightWrist, Some(Joint::RightElbow), 0.5),
    bone(Joint::LeftWrist, Some(Joint::LeftElbow), 0.5),
    bone(Joint::Nose, Some(Joint::Neck), 0.4),
    turning(Joint::RightEye, Some(Joint::Nose), 0.09),
    turning(Joint::LeftEye, Some(Joint::Nose), 0.09),
    turning(Joint::RightEar, Some(Joint::RightEye), 0.14),
    turning(Joint::LeftEar, Some(Joint::LeftEye), 0.14),
];

/// Places of the bones in the middle: hips to neck, neck to nose.
const TORSO: usize = 0;
const NECK: usize = 13;

/// The bone of the other side, by its place in [`BONES`].
pub(super) fn mirrored(bone: usize) -> usize {
    // Torso and neck have none; before the neck the right side has odd places, after it even ones.
    let is_right = bone.is_multiple_of(2) == (bone > NECK);
    match bone {
        TORSO | NECK => bone,
        _ if is_right => bone + 1,
        _ => bone - 1,
    }
}

/// Where a joint is.
pub(super) fn place(body: &Body, joint: Joint) -> Option<Vector> {
    body[joint as usize].map(|point| [point.x, point.y])
}

/// The middle of the hips, or the one hip that is seen.
pub(super) fn root(person: &Person) -> Option<Vector> {
    match (place(&person.body, Joint::RightHip), place(&person.body, Joint::LeftHip)) {
        (Some(right), Some(left)) => Some([(right[0] + left[0]) / 2.0, (right[1] + left[1]) / 2.0]),
        (one, other) => one.or(other),
    }
}

/// From the near end of each bone to its far end; `None` where an end is not seen.
pub(super) fn bones(person: &Person) -> [Option<Vector>; Joint::COUNT] {
    let middle = root(person);
    std::array::from_fn(|index| {
        let bone = &BONES[index];
        let from = bone.parent.map_or(middle, |parent| place(&person.body, parent))?;
        let to = place(&person.body, bone.joint)?;
        Some([to[0] - from[0], to[1] - from[1]])
    })
}

/// Length of a vector.
pub(super) fn length(vector: Vector) -> f32 {
    vector[0].hypot(vector[1])
}
