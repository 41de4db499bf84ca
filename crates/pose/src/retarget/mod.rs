//! Gives a dancer's motion to a figure of other proportions.

mod ground;
mod lengths;
mod skeleton;

use serde::{Deserialize, Serialize};

use super::points::refuse_crowds;
use super::{Depths, Hand, Joint, Keypoint, Person, Pose, PoseSequence, median};
use crate::error::{Error, Result};
use ground::{FEET, Moment, hips, standing};
use lengths::{Lengths, of_dancer, of_reference};
use skeleton::{BONES, Vector, bones, place, root};

/// How a dance is brought to the reference's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Retarget {
    /// The reference's bones, the dancer's angles; feet that stand stay where they are.
    #[default]
    Body,
    /// The dancer's body, as tall as the reference and standing where it stands.
    Scale,
    /// The poses as they are.
    None,
}

impl Retarget {
    /// The dance as it is to be drawn for a reference in this pose.
    ///
    /// # Errors
    /// As [`retarget`].
    pub fn apply(self, sequence: PoseSequence, reference: &Pose) -> Result<PoseSequence> {
        match self {
            Self::Body => retarget(&sequence, reference),
            Self::Scale => rescale(&sequence, reference),
            Self::None => Ok(sequence),
        }
    }
}

/// Frames a second where a sequence says nothing.
const DEFAULT_RATE: f64 = 24.0;
/// Share of the canvas that stays free at its edges.
const MARGIN: f32 = 0.03;

/// The dance with the proportions of `reference`, on its canvas. Each bone has the reference's length, shortened as the
/// dancer's own is where it points out of the picture, and the dancer's angle. The hips move so that a foot that stands
/// does not slide; in the air they follow the dancer's path, scaled by the length of the legs. The clip is centred. The
/// ground is the reference's, higher where the dancer goes below it. If the reference shows no feet, the necks are
/// where its neck is. A clip that would leave the canvas is made smaller.
///
/// # Errors
/// Several people in a frame; a reference or a dance in which no bone is seen.
pub fn retarget(sequence: &PoseSequence, reference: &Pose) -> Result<PoseSequence> {
    let (model, dancer, wanted) = bodies(sequence, reference)?;
    let scales: [f32; Joint::COUNT] =
        std::array::from_fn(|bone| dancer[bone].map_or(1.0, |own| wanted[bone] / own));
    let legs = leg_scale(&dancer, &wanted);
    let height = body_height(&dancer);
    let rate = sequence.frames_per_second.unwrap_or(DEFAULT_RATE) as f32;
    // 1. The figure of each frame around its hips.
    let figures: Vec<Option<Person>> = sequence
        .poses
        .iter()
        .map(|pose| pose.people.first().and_then(|person| rebuilt(person, &scales)))
        .collect();
    // 2. Where the hips go.
    let stands = standing(sequence, height, rate);
    let mut path = [0.0; 2];
    let moments: Vec<Moment> = sequence
        .poses
        .iter()
        .zip(&figures)
        .zip(stands)
        .map(|((pose, figure), standing)| {
            if let Some(hips) = pose.people.first().and_then(root) {
                path = hips.map(|value| value * legs);
            }
            let feet = FEET.map(|foot| figure.as_ref().and_then(|figure| place(&figure.body, foot)));
            Moment { feet, standing, path }
        })
        .collect();
    let moved: Vec<Option<Person>> = figures
        .iter()
        .zip(hips(&moments))
        .map(|(figure, hips)| figure.as_ref().map(|figure| figure.transformed((1.0, 1.0), hips.into())))
        .collect();
    // 3. Onto the reference's canvas.
    Ok(placed(sequence, moved, reference, model))
}

/// The dance as tall as the reference and standing where it stands, on its canvas; proportions stay the dancer's.
///
/// # Errors
/// As [`retarget`].
pub fn rescale(sequence: &PoseSequence, reference: &Pose) -> Result<PoseSequence> {
    let (model, dancer, wanted) = bodies(sequence, reference)?;
    let all: f32 = wanted.iter().sum();
    let own: f32 = dancer.iter().flatten().sum();
    let scale = all / own.max(f32::MIN_POSITIVE);
    let moved = sequence
        .poses
        .iter()
        .map(|pose| pose.people.first().map(|person| person.transformed((scale, scale), (0.0, 0.0))));
    Ok(placed(sequence, moved.collect(), reference, model))
}

/// The reference's figure, and the lengths of the dancer's bones and of the reference's.
fn bodies<'a>(
    sequence: &PoseSequence,
    reference: &'a Pose,
) -> Result<(&'a Person, [Option<f32>; Joint::COUNT], Lengths)> {
    refuse_crowds(sequence)?;
    let nothing = |what: &str| Error::setting("retarget", format!("no bone is seen in {what}"));
    let model = reference.people.first().ok_or_else(|| nothing("the reference's pose"))?;
    let dancer = of_dancer(sequence);
    let wanted =
        of_reference(model, &dancer).ok_or_else(|| nothing("both the reference's pose and the dance"))?;
    Ok((model, dancer, wanted))
}

/// By how much the legs are longer than the dancer's; the torso where legs are not seen.
fn leg_scale(dancer: &[Option<f32>; Joint::COUNT], wanted: &Lengths) -> f32 {
    let sum = |bones: &[usize]| {
        let pairs = bones.iter().filter_map(|&bone| Some((dancer[bone]?, wanted[bone])));
        pairs.fold((0.0, 0.0), |(own, new), (a, b)| (own + a, new + b))
    };
    let (own, new) = match sum(&[3, 4, 5, 6]) {
        (0.0, _) => sum(&[0]),
        legs => legs,
    };
    if own > 0.0 { new / own } else { 1.0 }
}

/// About the height of the dancer: torso, one leg, neck to nose.
fn body_height(dancer: &[Option<f32>; Joint::COUNT]) -> f32 {
    [0, 3, 5, 13].iter().filter_map(|&bone| dancer[bone]).sum::<f32>().max(1.0)
}

/// The figure with new lengths, its hips at the origin; `None` where hips or the bones to them are not seen.
fn rebuilt(person: &Person, scales: &[f32; Joint::COUNT]) -> Option<Person> {
    let own = bones(person);
    let mut result = Person::default();
    for (index, bone) in BONES.iter().enumerate() {
        let from = match bone.parent {
            None => Some([0.0; 2]),
            Some(parent) => place(&result.body, parent),
        };
        let seen = person.joint(bone.joint);
        if let (Some(from), Some(way), Some(seen)) = (from, own[index], seen) {
            let (x, y) = (from[0] + way[0] * scales[index], from[1] + way[1] * scales[index]);
            result.body[bone.joint as usize] = Some(Keypoint { x, y, confidence: seen.confidence });
        }
    }
    let carried = |hand: &Option<Box<Hand>>, wrist: Joint, forearm: usize| {
        let (from, to) = (place(&person.body, wrist)?, place(&result.body, wrist)?);
        let carried = |point: Option<Keypoint>| point.map(|point| carry(point, from, to, scales[forearm]));
        hand.as_deref().map(|hand| Box::new(hand.map(carried)))
    };
    let right_hand = carried(&person.right_hand, Joint::RightWrist, 11);
    let left_hand = carried(&person.left_hand, Joint::LeftWrist, 12);
    let face =
        place(&person.body, Joint::Nose).zip(place(&result.body, Joint::Nose)).and_then(|(from, to)| {
            let carried = |point: Option<Keypoint>| point.map(|point| carry(point, from, to, scales[14]));
            person.face.as_deref().map(|face| Box::new(face.map(carried)))
        });
    let torso = |depths: &Depths| Box::new(depths.map(|depth| depth.map(|depth| depth * scales[0])));
    let depths = person.depths.as_deref().map(torso);
    let result = Person { right_hand, left_hand, face, depths, ..result };
    (!result.is_empty()).then_some(result)
}

/// A point of a hand or a face, moved with the joint that it hangs on.
fn carry(point: Keypoint, from: Vector, to: Vector, scale: f32) -> Keypoint {
    let (x, y) = (to[0] + (point.x - from[0]) * scale, to[1] + (point.y - from[1]) * scale);
    Keypoint { x, y, ..point }
}

/// Puts the clip on the reference's canvas, centred across and made smaller where it would leave the canvas. Its ground
/// is at the reference's feet, or, where the reference shows none, its necks are around the reference's.
fn placed(
    sequence: &PoseSequence,
    people: Vec<Option<Person>>,
    reference: &Pose,
    model: &Person,
) -> PoseSequence {
    let (width, height) = (reference.width as f32, reference.height as f32);
    let all = people.iter().flatten().filter_map(Person::bounding_box).reduce(|a, b| a.united(b));
    let Some(bounds) = all else {
        let poses = vec![Pose { people: Vec::new(), ..*reference }; people.len()];
        return PoseSequence { width: reference.width, height: reference.height, poses, ..*sequence };
    };
    let (top, across) = (height * MARGIN, width * (1.0 - 2.0 * MARGIN) / bounds.width().max(1.0));
    let usual = |place: fn(&Person) -> Option<f32>| median(people.iter().flatten().filter_map(place));
    let (scale, down) = if let (Some(ground), Some(feet)) = (usual(lowest_foot), lowest_foot(model)) {
        let above = if ground > bounds.top { ((feet - top) / (ground - bounds.top)).max(0.1) } else { 1.0 };
        let scale = across.min(above).min(1.0);
        let down = feet - ground * scale;
        // Who goes down below the ground is lifted, as far as the top leaves room.
        let below = bounds.bottom * scale + down - height * (1.0 - MARGIN / 2.0);
        (scale, down - below.min(bounds.top * scale + down - top).max(0.0))
    } else {
        let scale = across.min(1.0);
        let necks = usual(neck).zip(neck(model));
        let down = necks.map_or(f32::NEG_INFINITY, |(own, wanted)| wanted - own * scale);
        (scale, down.max(top - bounds.top * scale))
    };
    let offset = (width / 2.0 - bounds.center().0 * scale, down);
    let poses = people
        .into_iter()
        .map(|person| {
            let people =
                person.map(|person| person.transformed((scale, scale), offset)).into_iter().collect();
            Pose { people, ..*reference }
        })
        .collect();
    PoseSequence { width: reference.width, height: reference.height, tracked: false, poses, ..*sequence }
}

fn lowest_foot(person: &Person) -> Option<f32> {
    FEET.iter().filter_map(|&foot| person.joint(foot)).map(|foot| foot.y).reduce(f32::max)
}

fn neck(person: &Person) -> Option<f32> {
    person.joint(Joint::Neck).map(|neck| neck.y)
}
