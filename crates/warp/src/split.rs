//! Where legs part.

use dreamtuner_pose::Joint;

use crate::bones::LIMBS;
use crate::edges::distance;
use crate::geometry::{Vector, vector};
use crate::joints::Joints;
use crate::segment::Segmentation;

/// How much colours change at least between two legs.
const OUTLINE: f32 = 0.06;

/// What ends above this share of the way from crotch to ankles is a skirt; what ends below it may be trousers.
const LONGEST_SKIRT: f32 = 0.85;

/// Where legs are two things.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// They are from this row downwards: background or an outline is between them.
    pub row: f32,
    /// Whether what ends there is a skirt, and no trousers' crotch.
    pub is_hem: bool,
}

impl Split {
    /// The same in a picture so many times as large.
    pub fn scaled(self, factor: f32) -> Self {
        Self { row: self.row * factor, ..self }
    }
}

/// Where the legs part, in pixels of the segmentation; `None` where they are one, as in a long skirt.
pub(crate) fn split(segmentation: &Segmentation, joints: &Joints) -> Option<Split> {
    let (parts, edges) = (&segmentation.parts, &segmentation.edges.change);
    let (right_hip, left_hip) = joints.pair(Joint::RightHip, Joint::LeftHip)?;
    let top = right_hip.y.max(left_hip.y).max(0.0);
    let knees: Vec<f32> =
        [Joint::RightKnee, Joint::LeftKnee].into_iter().filter_map(|knee| Some(joints.at(knee)?.y)).collect();
    if knees.is_empty() {
        return None;
    }
    let knee = knees.iter().sum::<f32>() / knees.len() as f32;
    let crotch = (top + 0.3 * (knee - top)) as usize;
    let is_leg = |row: usize| (0..parts.width).any(|x| parts.at(x, row).is_leg());
    let feet =
        joints.at(Joint::RightAnkle).into_iter().chain(joints.at(Joint::LeftAnkle)).map(|ankle| ankle.y);
    let bottom = feet.fold(knee, f32::max) as usize;
    let bottom = bottom.min(parts.height.checked_sub(1)?);
    let between = |row: usize| {
        let borders = (1..parts.width).filter(|x| is_seam(segmentation, *x, row));
        let nearby =
            |x: usize| (x.saturating_sub(3)..(x + 4).min(parts.width)).map(move |x| edges.at(x, row));
        borders
            .flat_map(nearby)
            .fold(None, |most: Option<f32>, edge| Some(most.map_or(edge, |most| most.max(edge))))
    };
    // Legs that do not touch are apart.
    let rows: Vec<f32> = (0..=bottom).map(|row| between(row).unwrap_or(1.0)).collect();
    let reach = ((bottom as f32 - top) * 0.02).max(3.0) as usize;
    let is_parted = |row: usize| {
        let mut near: Vec<f32> = rows[row.saturating_sub(reach)..=(row + reach).min(bottom)].to_vec();
        near.sort_by(f32::total_cmp);
        near[near.len() / 2] > OUTLINE
    };
    let hem = hem(segmentation, crotch, bottom);
    let top_of_split = hem.unwrap_or(crotch);
    let mut row = bottom;
    while row > top_of_split && is_leg(row) && is_parted(row) {
        row -= 1;
    }
    // Trousers of one colour: unlike a skirt's, their outline is no wider below than above, down to the feet.
    let lowest_skirt = crotch as f32 + LONGEST_SKIRT * bottom.saturating_sub(crotch) as f32;
    let is_skirt = hem.is_some_and(|hem| (hem as f32) < lowest_skirt);
    if row > crotch && !is_skirt && is_trousers(segmentation, crotch, bottom) {
        return Some(Split { row: crotch as f32, is_hem: false });
    }
    let is_parted = bottom.saturating_sub(row) as f32 > 0.12 * (bottom as f32 - top);
    let is_hem = is_skirt && covers(segmentation, joints, row);
    // A skirt's own line, and what hangs lower than the rest of it, are its.
    let below = if is_hem { 2 * step(crotch, bottom)? } else { 0 };
    is_parted.then_some(Split { row: (row + below) as f32, is_hem })
}

/// Half of the rows in which the outline narrows at a hem; `None` where there are no legs.
fn step(top: usize, bottom: usize) -> Option<usize> {
    Some((bottom.checked_sub(top)? / 30).max(1))
}

/// Two hems narrow the outline alike if they differ by no more than this share of it.
const ABOUT: f32 = 0.15;

/// The lowest row of a skirt: there the legs' outline becomes narrower at once, nowhere much more, and above it nothing is between them.
fn hem(segmentation: &Segmentation, top: usize, bottom: usize) -> Option<usize> {
    let width = |row: usize| width(segmentation, row);
    let touch = |row: usize| (1..segmentation.parts.width).any(|x| is_seam(segmentation, x, row));
    let step = step(top, bottom)?;
    let narrowing = |row: usize| width(row + 2 * step) / width(row).max(1.0);
    let is_hem = |row: &usize| {
        let above: Vec<usize> = (row - 2 * step..=*row).collect();
        let touching = above.iter().filter(|row| touch(**row)).count();
        narrowing(*row) < 0.82 && 2 * touching > above.len()
    };
    let rows = || (top + 2 * step..bottom.saturating_sub(2 * step)).rev().filter(is_hem);
    let strongest = rows().map(narrowing).fold(f32::INFINITY, f32::min);
    rows().find(|row| narrowing(*row) <= strongest + ABOUT)
}

/// Two pieces of cloth differ by less, in CIELAB, ...
const SAME: f32 = 20.0;
/// ... and a leg from its skirt by more.
const OTHER: f32 = 18.0;

/// Whether what ends at a row covers both legs and what is between them, as a skirt does, and not an open coat, nor a cape behind the
/// legs.
fn covers(segmentation: &Segmentation, joints: &Joints, row: usize) -> bool {
    let unit = segmentation.unit;
    let crossed = LIMBS.map(|(part, leg)| part.is_leg().then(|| joints.crossed(leg, row as f32)).flatten());
    let [_, _, Some(right), Some(left)] = crossed else { return false };
    // Patterns are larger than a few pixels, and lines are not to be seen alone.
    let reach = vector(0.08, 0.11) * unit;
    let beside = |x: f32, down: f32| mean_colour(segmentation, vector(x, row as f32 + down * unit), reach);
    let (above, below) = (|x: f32| beside(x, -0.19), |x: f32| beside(x, 0.19));
    let between = above((right + left) / 2.0);
    [right, left]
        .into_iter()
        .all(|leg| distance(between, above(leg)) < SAME && distance(above(leg), below(leg)) > OTHER)
}

/// The mean colour of what is within `reach`, sideways and up and down, of a place.
fn mean_colour(segmentation: &Segmentation, middle: Vector, reach: Vector) -> [f32; 3] {
    let colours = &segmentation.edges.colours;
    let pixels = |middle: f32, reach: f32, size: usize| {
        let pixel = |place: f32| (place.max(0.0) as usize).min(size - 1);
        pixel(middle - reach)..=pixel(middle + reach)
    };
    let (rows, columns) =
        (pixels(middle.y, reach.y, colours.height), pixels(middle.x, reach.x, colours.width));
    let count = (rows.clone().count() * columns.clone().count()) as f32;
    let places = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    let sum = places.fold([0.0; 3], |sum, (x, y)| {
        let colour = colours.at(x, y);
        std::array::from_fn(|channel| sum[channel] + colour[channel])
    });
    sum.map(|sum| sum / count)
}

/// Whether what is between two rows becomes narrower downwards, nearly as far as the feet.
fn is_trousers(segmentation: &Segmentation, top: usize, bottom: usize) -> bool {
    let width =
        |share: f32| width(segmentation, top + ((bottom.saturating_sub(top)) as f32 * share) as usize);
    let above = width(0.1).max(width(0.2));
    [0.6, 0.75, 0.85].into_iter().all(|share| width(share) <= 0.97 * above && width(share) > 0.2 * above)
}

/// How many pixels of a row are legs'.
fn width(segmentation: &Segmentation, row: usize) -> f32 {
    (0..segmentation.parts.width).filter(|x| segmentation.is_leg(*x, row)).count() as f32
}

/// Whether one leg ends and the other begins at the left edge of a pixel.
fn is_seam(segmentation: &Segmentation, x: usize, row: usize) -> bool {
    let is_leg = |x: usize| segmentation.is_leg(x, row);
    is_leg(x - 1) && is_leg(x) && segmentation.parts.at(x - 1, row) != segmentation.parts.at(x, row)
}
