//! How far a figure reaches from the bones of its pose.

use crate::pose::{Joint, Keypoint, Person};

/// A bone from one joint to another and on beyond it, by a share of its length, and how far from it the figure reaches,
/// in body sizes. Clothes and hair hang wide from trunk and head, hands have little around them.
const BONES: [(Joint, Joint, f32, f32); 13] = [
    (Joint::RightShoulder, Joint::RightElbow, 0.0, 0.13),
    (Joint::RightElbow, Joint::RightWrist, 0.35, 0.10),
    (Joint::LeftShoulder, Joint::LeftElbow, 0.0, 0.13),
    (Joint::LeftElbow, Joint::LeftWrist, 0.35, 0.10),
    (Joint::RightHip, Joint::RightKnee, 0.0, 0.24),
    (Joint::RightKnee, Joint::RightAnkle, 0.0, 0.17),
    (Joint::LeftHip, Joint::LeftKnee, 0.0, 0.24),
    (Joint::LeftKnee, Joint::LeftAnkle, 0.0, 0.17),
    (Joint::Neck, Joint::Nose, 0.5, 0.34),
    (Joint::Neck, Joint::RightShoulder, 0.0, 0.22),
    (Joint::Neck, Joint::LeftShoulder, 0.0, 0.22),
    (Joint::Neck, Joint::RightHip, 0.0, 0.26),
    (Joint::Neck, Joint::LeftHip, 0.0, 0.26),
];
/// Half the thickness of a bone in body sizes; what is this near is the figure.
const BONE: f32 = 0.006;
/// Body sizes in the length from neck to hip, for figures whose legs or arms are not seen.
const TORSOS: f32 = 2.6;
/// Where, as a share of the reach, half is still believed, and how fast belief falls.
const HALF: f32 = 1.1;
const SLOPE: f32 = 12.0;
/// No figure is more than this many times further from a bone than it reaches.
const LIMIT: f32 = 2.0;

/// What a pose says of one pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Closeness {
    /// On a bone.
    Bone,
    /// Within reach: 0 to 1, how likely it is that the figure reaches so far.
    Near(f32),
    /// Out of reach.
    Far,
}

/// The bones of one person.
pub struct Reach {
    /// Start, end and reach in pixels of each bone.
    bones: Vec<([f32; 2], [f32; 2], f32)>,
    size: f32,
}

impl Reach {
    /// `None` where no bone is seen.
    pub fn new(person: &Person) -> Option<Self> {
        let size = body_size(person)?;
        let bones: Vec<_> = BONES
            .iter()
            .filter_map(|&(from, to, beyond, reach)| {
                let (from, to) = (person.joint(from)?, person.joint(to)?);
                let end = [(from.x, to.x), (from.y, to.y)].map(|(from, to)| to + beyond * (to - from));
                Some(([from.x, from.y], end, reach * size))
            })
            .collect();
        (!bones.is_empty()).then_some(Self { bones, size })
    }

    /// What the pose says of the pixel whose middle is (x, y).
    pub fn at(&self, x: f32, y: f32) -> Closeness {
        let thickness = (BONE * self.size).max(0.7);
        let mut nearest = f32::INFINITY;
        for &(start, end, reach) in &self.bones {
            let distance = distance([x, y], start, end);
            if distance <= thickness {
                return Closeness::Bone;
            }
            nearest = nearest.min(distance / reach);
        }
        if nearest > LIMIT {
            return Closeness::Far;
        }
        Closeness::Near(1.0 / (1.0 + ((nearest - HALF) * SLOPE).exp()))
    }
}

/// The longer side of the box around a body, in pixels.
fn body_size(person: &Person) -> Option<f32> {
    let bounds = person.bounding_box()?;
    let between = |a: Keypoint, b: Keypoint| (a.x - b.x).hypot(a.y - b.y);
    let hips = [Joint::RightHip, Joint::LeftHip].into_iter().filter_map(|hip| person.joint(hip));
    let neck = person.joint(Joint::Neck);
    let torso = hips.filter_map(|hip| Some(between(neck?, hip))).fold(0.0_f32, f32::max);
    let size = bounds.width().max(bounds.height()).max(TORSOS * torso);
    (size > 0.0).then_some(size)
}

/// From a point to a line between two points.
fn distance([x, y]: [f32; 2], start: [f32; 2], end: [f32; 2]) -> f32 {
    let (dx, dy) = (end[0] - start[0], end[1] - start[1]);
    let along = (x - start[0]) * dx + (y - start[1]) * dy;
    let share = (along / (dx * dx + dy * dy).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
    (x - start[0] - share * dx).hypot(y - start[1] - share * dy)
}
