//! What may be wrong with joints that were found.

use dreamtuner_warp::Part;

use crate::pose::{Joint, Keypoint, Person};

/// Joints that are found with less confidence are doubtful.
const DOUBTFUL: f32 = 0.55;

/// What may be wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doubts {
    /// Joints that are probably not where they were found.
    pub doubtful: Vec<Joint>,
    /// Joints that were not found, and without which a limb stays on the body.
    pub missing: Vec<Joint>,
    /// Arms that would come off if they moved, and stay as they are drawn.
    pub still: Vec<Part>,
    /// Why the figure can hardly be bent at all.
    pub posture: Option<Posture>,
}

/// How a figure stands that can hardly be bent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posture {
    /// It is seen from the side: one arm and one leg hide the others.
    FromTheSide,
    /// It is seen from behind.
    FromBehind,
    /// Its trunk is not upright.
    NotUpright,
    /// Its legs are folded, or it sits.
    LegsFolded,
}

impl Posture {
    /// The words for it after "the figure".
    pub fn words(self) -> &'static str {
        match self {
            Self::FromTheSide => "is seen from the side",
            Self::FromBehind => "is seen from behind",
            Self::NotUpright => "is not upright",
            Self::LegsFolded => "sits, or has folded legs",
        }
    }
}

/// Joints that end something that is cut out.
const LIMBS: [Joint; 8] = [
    Joint::RightElbow,
    Joint::RightWrist,
    Joint::LeftElbow,
    Joint::LeftWrist,
    Joint::RightKnee,
    Joint::RightAnkle,
    Joint::LeftKnee,
    Joint::LeftAnkle,
];

impl Doubts {
    /// What may be wrong with a person in a picture, of which the joints are known and nothing else.
    pub fn of(person: &Person) -> Self {
        let is_doubtful =
            |joint: &Joint| person.joint(*joint).is_some_and(|point| point.confidence < DOUBTFUL);
        let is_missing = |joint: &Joint| person.joint(*joint).is_none();
        Self {
            doubtful: Joint::ALL.into_iter().filter(is_doubtful).collect(),
            missing: LIMBS.into_iter().filter(is_missing).collect(),
            still: Vec::new(),
            posture: posture(person),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

fn posture(person: &Person) -> Option<Posture> {
    let pair = |right: Joint, left: Joint| person.joint(right).zip(person.joint(left));
    let (right, left) = pair(Joint::RightShoulder, Joint::LeftShoulder)?;
    let hips = pair(Joint::RightHip, Joint::LeftHip).map(|(right, left)| right.towards(left, 0.5))?;
    let neck = right.towards(left, 0.5);
    let torso = length(neck, hips).max(1.0);
    if (hips.y - neck.y) < 0.7 * torso {
        return Some(Posture::NotUpright);
    }
    if right.x - left.x > 0.15 * torso {
        return Some(Posture::FromBehind);
    }
    if length(right, left) < 0.25 * torso {
        return Some(Posture::FromTheSide);
    }
    let is_folded = |hip: Joint, knee: Joint| {
        person.joint(hip).zip(person.joint(knee)).is_some_and(|(hip, knee)| {
            let thigh = length(hip, knee);
            knee.y - hip.y < 0.4 * thigh && thigh > 0.2 * torso
        })
    };
    (is_folded(Joint::RightHip, Joint::RightKnee) && is_folded(Joint::LeftHip, Joint::LeftKnee))
        .then_some(Posture::LegsFolded)
}

fn length(one: Keypoint, other: Keypoint) -> f32 {
    (one.x - other.x).hypot(one.y - other.y)
}
