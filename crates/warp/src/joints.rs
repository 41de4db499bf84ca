//! Where a figure's joints are.

use dreamtuner_pose::{Joint, Person, Pose};

use crate::bones::LIMBS;
use crate::geometry::{Vector, vector};
use crate::parts::Part;

/// Where OpenPose's 18 joints are, those that are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joints([Option<Vector>; Joint::COUNT]);

/// Joints of the face.
pub(crate) const FACE: [Joint; 5] =
    [Joint::Nose, Joint::RightEye, Joint::LeftEye, Joint::RightEar, Joint::LeftEar];

impl Joints {
    /// What `place` says of each joint; `None` where it is not seen.
    pub fn from_fn(place: impl FnMut(Joint) -> Option<Vector>) -> Self {
        Self(Joint::ALL.map(place))
    }

    /// Those of a person, where they are seen.
    pub fn of(person: &Person) -> Self {
        Self::from_fn(|joint| person.joint(joint).map(|point| vector(point.x, point.y)))
    }

    /// Those of the first person of a pose; none where it shows nobody.
    pub fn of_first(pose: &Pose) -> Self {
        pose.people.first().map_or_else(Self::none, Self::of)
    }

    /// Nobody's.
    pub fn none() -> Self {
        Self::from_fn(|_| None)
    }

    /// Those that are seen.
    pub fn seen(&self) -> impl Iterator<Item = Vector> {
        self.0.into_iter().flatten()
    }

    /// Where a joint is; `None` where it is not seen.
    pub fn at(&self, joint: Joint) -> Option<Vector> {
        self.0[joint as usize]
    }

    /// Two joints, where both are seen.
    pub(crate) fn pair(&self, one: Joint, other: Joint) -> Option<(Vector, Vector)> {
        self.at(one).zip(self.at(other))
    }

    /// Without elbows, wrists, knees and ankles of some limbs, which are pieces of the trunk then.
    pub fn without(&self, limbs: &[Part]) -> Self {
        let chains = LIMBS.into_iter().filter(|(part, _)| limbs.contains(part));
        let gone: Vec<Joint> = chains.flat_map(|(_, [_, middle, last])| [middle, last]).collect();
        Self::from_fn(|joint| self.at(joint).filter(|_| !gone.contains(&joint)))
    }

    /// Where a row crosses the bones between some joints, of which the first is the highest; `None` where those are not seen.
    pub(crate) fn crossed(&self, joints: [Joint; 3], y: f32) -> Option<f32> {
        let [first, middle, last] = joints.map(|joint| self.at(joint));
        let (first, middle) = (first?, middle?);
        let last = last.unwrap_or(middle);
        let (from, to) = if y <= middle.y { (first, middle) } else { (middle, last) };
        let share = ((y - from.y) / (to.y - from.y).max(1.0)).clamp(0.0, 1.0);
        Some(from.toward(to, share).x)
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
