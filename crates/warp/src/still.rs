//! Arms that would come off if they moved, and better stay as they are drawn.

use dreamtuner_pose::Joint;
use image::{GrayImage, Luma};
use imageproc::distance_transform::euclidean_squared_distance_transform;

use crate::bones::LIMBS;
use crate::edges::distance;
use crate::geometry::Vector;
use crate::joints::Joints;
use crate::parts::Part;
use crate::segment::{Segmentation, middle_of, widest_near};

/// No drawn upper arm is shorter than so many forearms, ...
const SHORTEST_UPPER_ARM: f32 = 0.5;
/// ... where arms differ by more than this in length: its joints are somewhere else, or it comes out of the picture.
const DIFFERENT: f32 = 1.6;
/// An arm is torn where it is thinner than this, of its usual width, ...
const THIN: f32 = 0.2;
/// ... at so many of the places that are looked at, one after the other, ...
const GAP: usize = 2;
/// ... or at the first ones, which the trunk may hide, ...
const HIDDEN: usize = 5;
/// ... and more than this beyond them. What only ends early is hidden: a hand in a pocket.
const THICK: f32 = 0.5;
/// Places that are looked at on each bone.
const PLACES: usize = 9;
/// Where an upper arm begins: what is nearer to the shoulder may be the trunk's.
const FIRST_PLACE: f32 = 0.45;
/// Where a forearm ends: in the hand.
const LAST_PLACE: f32 = 1.3;
/// So near to its bones, in shoulders' widths, are an arm's own colours.
const CORE: f32 = 0.08;
/// Colours that differ by less than this, in CIELAB, are the same.
const SAME: f32 = 14.0;
/// So near to an arm, in shoulders' widths, is the hair that it may be a piece of.
const SEAM: f32 = 0.2;
/// So near to the nose, in shoulders' widths, is the face.
const FACE: f32 = 0.15;
/// Hair has at least so much of its colours in common with hair, ...
const MOST_LIKE: f32 = 0.7;
/// ... and at most so much with what is not.
const LEAST_LIKE: f32 = 0.3;

/// A limb with its joints.
type Arm = (Part, [Vector; 3]);

/// The arms that better stay as they are: those that are not seen from shoulder to hand, those whose joints cannot be right, and
/// those that are hair.
pub(crate) fn still(segmentation: &Segmentation, joints: &Joints) -> Vec<Part> {
    let place = |(part, joints_of): (Part, [Joint; 3])| {
        let [shoulder, elbow, wrist] = joints_of.map(|joint| joints.at(joint));
        part.is_arm().then_some((part, [shoulder?, elbow?, wrist?]))
    };
    let arms: Vec<Arm> = LIMBS.into_iter().filter_map(place).collect();
    let nose = joints.at(Joint::Nose);
    let is_still = |arm: &&Arm| {
        let [shoulder, elbow, wrist] = arm.1;
        let other = arms.iter().find(|other| other.0 != arm.0);
        let is_short = (elbow - shoulder).length() < SHORTEST_UPPER_ARM * (wrist - elbow).length();
        let is_different = other.is_some_and(|other| {
            let (one, other) = (length(arm), length(other));
            one.max(other) > DIFFERENT * one.min(other)
        });
        is_short && is_different
            || is_torn(segmentation, arm)
            || nose.zip(other).is_some_and(|(nose, other)| is_hair(segmentation, nose, arm, other))
    };
    arms.iter().filter(is_still).map(|(part, _)| *part).collect()
}

fn length((_, [shoulder, elbow, wrist]): &Arm) -> f32 {
    (*elbow - *shoulder).length() + (*wrist - *elbow).length()
}

/// The arms of which nothing is seen.
pub(crate) fn absent(segmentation: &Segmentation) -> Vec<Part> {
    let Segmentation { parts, figure, .. } = segmentation;
    let is_seen =
        |arm: Part| parts.values.iter().zip(&figure.values).any(|(part, seen)| *seen && *part == arm);
    Part::ALL.into_iter().filter(|part| part.is_arm() && !is_seen(*part)).collect()
}

/// Whether something else lies between an arm and its hand.
fn is_torn(segmentation: &Segmentation, (part, [shoulder, elbow, wrist]): &Arm) -> bool {
    let Segmentation { parts, figure, .. } = segmentation;
    let Some(usual) = segmentation.half_width(*part) else { return false };
    let outside = GrayImage::from_fn(parts.width as u32, parts.height as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
        Luma([if figure.at(x, y) && parts.at(x, y) == *part { 0 } else { 255 }])
    });
    let distances = euclidean_squared_distance_transform(&outside);
    let share = |place: usize| place as f32 / (PLACES - 1) as f32;
    let first = shoulder.toward(*elbow, FIRST_PLACE);
    let upper = (0..PLACES).map(|place| first.toward(*elbow, share(place)));
    let fore = (1..PLACES).map(|place| elbow.toward(*wrist, LAST_PLACE * share(place)));
    let (mut gap, mut limit, mut is_torn) = (0, HIDDEN, false);
    for place in upper.chain(fore) {
        let width = widest_near(&distances, place) / usual;
        if width < THIN {
            gap += 1;
        } else if width > THICK {
            is_torn |= gap >= limit;
            (gap, limit) = (0, GAP);
        }
    }
    is_torn
}

/// Whether what was taken for an arm is hair that hides it: it hangs down from the head, and has the colours that the head has there,
/// and neither those of the face nor those of the other arm.
fn is_hair(segmentation: &Segmentation, nose: Vector, arm: &Arm, other: &Arm) -> bool {
    let Segmentation { parts, edges, unit, .. } = segmentation;
    let seam = seam(segmentation, arm.0);
    let colours = |part: Part, is_near: &dyn Fn(Vector) -> bool| -> Vec<[f32; 3]> {
        let is_shown = |index: &usize| {
            is_of(segmentation, *index, part)
                && !edges.lines.values[*index]
                && is_near(middle_of(parts, *index))
        };
        (0..parts.values.len()).filter(is_shown).map(|index| edges.colours.values[index]).collect()
    };
    let core = |(part, [shoulder, elbow, wrist]): &Arm| {
        let first = shoulder.toward(*elbow, FIRST_PLACE);
        colours(*part, &|point| {
            let far = point.distance_to_line(first, *elbow).min(point.distance_to_line(*elbow, *wrist));
            far < CORE * unit
        })
    };
    let near_seam = |point: Vector| seam.iter().any(|place| (point - *place).length() < SEAM * unit);
    let near_nose = |point: Vector| (point - nose).length() < FACE * unit;
    let (core, other) = (core(arm), core(other));
    let (hair, face) = (colours(Part::Head, &near_seam), colours(Part::Head, &near_nose));
    let like = |others: &[[f32; 3]]| {
        let is_same = |colour: &&[f32; 3]| others.iter().any(|other| distance(**colour, *other) < SAME);
        core.iter().filter(is_same).count() as f32 / core.len().max(1) as f32
    };
    !other.is_empty() && like(&other) < LEAST_LIKE && like(&face) < LEAST_LIKE && like(&hair) > MOST_LIKE
}

/// Where a part touches the head.
fn seam(segmentation: &Segmentation, part: Part) -> Vec<Vector> {
    let parts = &segmentation.parts;
    let is_seam = |index: &usize| {
        let pairs = [index + 1, index + parts.width].map(|beside| [(*index, beside), (beside, *index)]);
        pairs.into_iter().flatten().any(|(one, other)| {
            one.max(other) < parts.values.len()
                && is_of(segmentation, one, part)
                && is_of(segmentation, other, Part::Head)
        })
    };
    (0..parts.values.len()).filter(is_seam).map(|index| middle_of(parts, index)).collect()
}

fn is_of(segmentation: &Segmentation, index: usize, part: Part) -> bool {
    segmentation.figure.values[index] && segmentation.parts.values[index] == part
}
