//! A figure's joints, and the bones between them.

use dreamtuner_pose::{Joint, Person};

use crate::vector::{Vector, vector};

/// OpenPose's 18 joints, those that are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joints([Option<Vector>; Joint::COUNT]);

/// What moves in one piece of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bone {
    pub from: Joint,
    pub to: Joint,
    /// The bone that it hangs on; `None` for the torso.
    pub parent: Option<usize>,
}

const fn bone(from: Joint, to: Joint, parent: Option<usize>) -> Bone {
    Bone { from, to, parent }
}

/// Bones of arms and legs, each after its parent.
pub(crate) const BONES: [Bone; 8] = [
    bone(Joint::RightShoulder, Joint::RightElbow, None),
    bone(Joint::RightElbow, Joint::RightWrist, Some(0)),
    bone(Joint::LeftShoulder, Joint::LeftElbow, None),
    bone(Joint::LeftElbow, Joint::LeftWrist, Some(2)),
    bone(Joint::RightHip, Joint::RightKnee, None),
    bone(Joint::RightKnee, Joint::RightAnkle, Some(4)),
    bone(Joint::LeftHip, Joint::LeftKnee, None),
    bone(Joint::LeftKnee, Joint::LeftAnkle, Some(6)),
];
/// Number of the torso among all that moves.
pub(crate) const TORSO: usize = BONES.len();
/// Number of the head.
pub(crate) const HEAD: usize = TORSO + 1;
/// Number of all that moves.
pub(crate) const MOVERS: usize = HEAD + 1;

/// Joints of the face.
pub(crate) const FACE: [Joint; 5] =
    [Joint::Nose, Joint::RightEye, Joint::LeftEye, Joint::RightEar, Joint::LeftEar];

impl Joints {
    /// Those of a person, where they are seen.
    pub fn of(person: &Person) -> Self {
        Self(Joint::ALL.map(|joint| person.joint(joint).map(|point| vector(point.x, point.y))))
    }

    /// Nobody's.
    pub fn none() -> Self {
        Self([None; Joint::COUNT])
    }

    /// Where a joint is; `None` where it is not seen.
    pub fn at(&self, joint: Joint) -> Option<Vector> {
        self.0[joint as usize]
    }

    /// Two joints, where both are seen.
    pub(crate) fn pair(&self, one: Joint, other: Joint) -> Option<(Vector, Vector)> {
        self.at(one).zip(self.at(other))
    }

    /// These joints; those that are missing from `other`.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let mut all = *self;
        all.0.iter_mut().zip(other.0).for_each(|(joint, other)| *joint = joint.or(other));
        all
    }

    /// All moved and scaled: `point · factor + offset`.
    pub fn placed(&self, factor: f32, offset: Vector) -> Self {
        Self(self.0.map(|joint| joint.map(|point| point * factor + offset)))
    }

    /// Shoulders, hips and their middles; where hips are not seen, they are put below the shoulders.
    pub(crate) fn torso(&self) -> Option<Torso> {
        let (right, left) = self.pair(Joint::RightShoulder, Joint::LeftShoulder)?;
        let neck = self.at(Joint::Neck).unwrap_or_else(|| right.toward(left, 0.5));
        let (right_hip, left_hip) = self.pair(Joint::RightHip, Joint::LeftHip).unwrap_or_else(|| {
            let across = left - right;
            let down =
                if across.x >= 0.0 { vector(-across.y, across.x) } else { vector(across.y, -across.x) };
            let drop = down * 1.3;
            (right + drop + across * 0.1, left + drop - across * 0.1)
        });
        Some(Torso { right, left, right_hip, left_hip, neck })
    }
}

/// The corners of a trunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Torso {
    pub right: Vector,
    pub left: Vector,
    pub right_hip: Vector,
    pub left_hip: Vector,
    pub neck: Vector,
}

impl Torso {
    pub fn corners(&self) -> [Vector; 4] {
        [self.right, self.left, self.left_hip, self.right_hip]
    }

    pub fn hips(&self) -> Vector {
        self.right_hip.toward(self.left_hip, 0.5)
    }
}
