//! Which part lies over which, where it is known how far away they are.

use dreamtuner_pose::{Joint, Person};

use crate::joints::Joints;
use crate::layers::Layer;
use crate::parts::Part;

/// An arm that is so far behind what it would cover, in torsos, lies behind it.
const BEHIND: f32 = 0.12;
/// A leg that is so far in front of the trunk, in torsos, lies over it.
const BEFORE: f32 = 0.35;

/// How far behind the trunk the parts are, in torsos; those in front of it are below 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Depths([f32; Part::ALL.len()]);

impl Depths {
    /// What `depth` says of each part.
    pub(crate) fn from_fn(depth: impl FnMut(Part) -> f32) -> Self {
        Self(Part::ALL.map(depth))
    }

    /// Those of a person whose joints have depths, as in motion capture; `None` for any other.
    pub fn of(person: &Person) -> Option<Self> {
        let depths = person.depths.as_deref()?;
        let mean = |joints: &[Joint]| {
            let seen: Vec<f32> = joints.iter().filter_map(|joint| depths[*joint as usize]).collect();
            (!seen.is_empty()).then(|| seen.iter().sum::<f32>() / seen.len() as f32)
        };
        let torso = Joints::of(person).torso()?;
        let long = (torso.neck - torso.hips()).length().max(1e-3);
        let trunk = mean(&[Joint::RightShoulder, Joint::LeftShoulder, Joint::RightHip, Joint::LeftHip])?;
        let of_part = |part: Part| {
            let own = match part {
                Part::Loose | Part::Body => None,
                Part::Head => mean(&[Joint::RightEar, Joint::LeftEar, Joint::Neck]),
                Part::RightArm => mean(&[Joint::RightElbow, Joint::RightWrist]),
                Part::LeftArm => mean(&[Joint::LeftElbow, Joint::LeftWrist]),
                Part::RightLeg => mean(&[Joint::RightKnee, Joint::RightAnkle]),
                Part::LeftLeg => mean(&[Joint::LeftKnee, Joint::LeftAnkle]),
            };
            own.map_or(0.0, |own| (own - trunk) / long)
        };
        Some(Self::from_fn(of_part))
    }

    fn of_part(&self, part: Part) -> f32 {
        self.0[part as usize]
    }
}

/// The numbers of the layers, from back to front. They lie as they are given, but for arms behind the trunk or the head, and legs far
/// in front; of two arms or two legs the one that is farther away lies behind.
pub(crate) fn order(layers: &[Layer], depths: &Depths) -> Vec<usize> {
    let place = |part: Part| layers.iter().position(|layer| layer.part == part).map(|place| place as f32);
    let (trunk, head) = (place(Part::Body), place(Part::Head));
    let level = |layer: &Layer, own: f32| {
        let depth = depths.of_part(layer.part);
        match (trunk, head) {
            (Some(trunk), _) if layer.part.is_arm() && depth > BEHIND => own.min(trunk - 0.5),
            (_, Some(head)) if layer.part.is_arm() && depth > depths.of_part(Part::Head) + BEHIND => {
                own.min(head - 0.5)
            }
            (Some(trunk), _) if layer.part.is_leg() && depth < -BEFORE => own.max(trunk + 0.5),
            _ => own,
        }
    };
    let mut keyed: Vec<(usize, f32)> =
        layers.iter().enumerate().map(|(number, layer)| (number, level(layer, number as f32))).collect();
    // Of a pair in its usual places the nearer one takes the upper one.
    for pair in [[Part::RightLeg, Part::LeftLeg], [Part::RightArm, Part::LeftArm]] {
        let [ones, others] = pair.map(|part| {
            let layers = layers.iter().enumerate().filter(move |(_, layer)| layer.part == part);
            layers.map(|(place, _)| place).collect::<Vec<_>>()
        });
        for (one, other) in ones.into_iter().zip(others) {
            let (upper, lower) = if keyed[one].1 > keyed[other].1 { (one, other) } else { (other, one) };
            if depths.of_part(layers[lower].part) < depths.of_part(layers[upper].part) {
                (keyed[upper].1, keyed[lower].1) = (keyed[lower].1, keyed[upper].1);
            }
        }
    }
    keyed.sort_by(|one, other| one.1.total_cmp(&other.1));
    keyed.into_iter().map(|(number, _)| number).collect()
}
