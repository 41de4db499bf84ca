//! How large figures are, by their bones.

use dreamtuner_warp::Joints;

use crate::pose::{Joint, full_length, median};

/// How much larger a dance is than the figure at `rest`: the median over bones. `None` where they have none in common.
pub fn scale_between(rest: &Joints, dance: &[Joints]) -> Option<f32> {
    let length = |joints: &Joints, [from, to]: [Joint; 2]| {
        let (from, to) = (joints.at(from)?, joints.at(to)?);
        Some((to - from).length())
    };
    let ratio = |bone: [Joint; 2]| {
        let own = length(rest, bone).filter(|own| *own > 0.0)?;
        Some(full_length(dance.iter().filter_map(|joints| length(joints, bone)))? / own)
    };
    median(BONES.into_iter().filter_map(ratio).filter(|ratio| *ratio > 0.0))
}

/// Bones that hardly turn out of sight for a whole dance.
const BONES: [[Joint; 2]; 11] = [
    [Joint::Neck, Joint::RightHip],
    [Joint::Neck, Joint::LeftHip],
    [Joint::RightShoulder, Joint::RightElbow],
    [Joint::RightElbow, Joint::RightWrist],
    [Joint::LeftShoulder, Joint::LeftElbow],
    [Joint::LeftElbow, Joint::LeftWrist],
    [Joint::RightHip, Joint::RightKnee],
    [Joint::RightKnee, Joint::RightAnkle],
    [Joint::LeftHip, Joint::LeftKnee],
    [Joint::LeftKnee, Joint::LeftAnkle],
    [Joint::RightShoulder, Joint::LeftShoulder],
];
