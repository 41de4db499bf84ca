//! What moves in one piece: eight bones, the torso and the head.

use dreamtuner_pose::Joint;

use crate::parts::Part;

/// The joints of a limb, from the trunk outwards.
pub(crate) const LIMBS: [(Part, [Joint; 3]); 4] = [
    (Part::RightArm, [Joint::RightShoulder, Joint::RightElbow, Joint::RightWrist]),
    (Part::LeftArm, [Joint::LeftShoulder, Joint::LeftElbow, Joint::LeftWrist]),
    (Part::RightLeg, [Joint::RightHip, Joint::RightKnee, Joint::RightAnkle]),
    (Part::LeftLeg, [Joint::LeftHip, Joint::LeftKnee, Joint::LeftAnkle]),
];

/// Number of the torso among all that moves; before it come two bones of each limb.
pub(crate) const TORSO: usize = 2 * LIMBS.len();
/// Number of the head.
pub(crate) const HEAD: usize = TORSO + 1;
/// Number of all that moves.
pub(crate) const MOVERS: usize = HEAD + 1;

/// A bone of a limb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bone {
    pub part: Part,
    pub from: Joint,
    pub to: Joint,
    /// Whether no bone follows it.
    pub is_tip: bool,
    /// The mover that it hangs on.
    pub parent: usize,
}

impl Bone {
    /// By its number among all that moves.
    pub fn new(number: usize) -> Self {
        let ((part, joints), place) = (LIMBS[number / 2], number % 2);
        let is_tip = place == 1;
        Self {
            part,
            from: joints[place],
            to: joints[place + 1],
            is_tip,
            parent: if is_tip { number - 1 } else { TORSO },
        }
    }
}
