//! What is seen beside an arm and has another part's colours: hair, a tail, a cape behind it.

use image::{GrayImage, Luma};
use imageproc::region_labelling::{Connectivity, connected_components};

use crate::edges::{Edges, distance};
use crate::field::Field;
use crate::geometry::Vector;
use crate::parts::Part;

/// An arm's core is so near to its bones, in its half-widths; its colours are the arm's.
const CORE: f32 = 0.6;
/// A pixel is not the arm's where it differs by more than this, in CIELAB, from all of the core nearby, ...
const UNLIKE: f32 = 25.0;
/// ... and by no more than this, and less than half as much, from another part, ...
const LIKE: f32 = 14.0;
/// ... which is no farther away than this, in shoulders' widths.
const REACH: f32 = 0.6;
/// Fewer pixels, in shoulders' widths squared, are no thing.
const LEAST: f32 = 0.006;

/// An arm while strays are taken from it.
pub(crate) struct Arm<'a> {
    pub part: Part,
    /// How far a place is from the arm's bones, in its half-widths.
    pub far: &'a dyn Fn(Vector) -> f32,
    /// In pixels.
    pub half_width: f32,
}

/// Takes strays from an arm. They go with the trunk: as a piece of it where they have its colours, else as loose things. `unit` is how
/// wide the shoulders are.
pub(crate) fn give_back(labels: &mut Field<Option<Part>>, arm: &Arm, edges: &Edges, unit: f32) {
    let found = strays(labels, arm, edges, unit);
    let mask = GrayImage::from_fn(labels.width as u32, labels.height as u32, |x, y| {
        Luma([if found.at(x as usize, y as usize).is_some() { 255 } else { 0 }])
    });
    if mask.len() < 2 {
        return;
    }
    let numbers = connected_components(&mask, Connectivity::Eight, Luma([0]));
    let count = numbers.pixels().map(|number| number.0[0]).max().unwrap_or(0) as usize + 1;
    let mut votes = vec![[0_usize; Part::ALL.len()]; count];
    for (number, part) in numbers.pixels().zip(&found.values) {
        if let Some(part) = part {
            votes[number.0[0] as usize][*part as usize] += 1;
        }
    }
    let least = LEAST * unit * unit;
    for (label, number) in
        labels.values.iter_mut().zip(numbers.pixels()).filter(|(_, number)| number.0[0] > 0)
    {
        let votes = &votes[number.0[0] as usize];
        if votes.iter().sum::<usize>() as f32 >= least {
            let most = Part::ALL.into_iter().max_by_key(|part| votes[*part as usize]);
            *label = Some(if most == Some(Part::Body) { Part::Body } else { Part::Loose });
        }
    }
}

/// For each stray pixel of the arm the part whose colours it has.
fn strays(labels: &Field<Option<Part>>, arm: &Arm, edges: &Edges, unit: f32) -> Field<Option<Part>> {
    let far = |index: usize| {
        let (x, y) = labels.place(index);
        (arm.far)(Vector { x: x as f32 + 0.5, y: y as f32 + 0.5 })
    };
    let is_arms = |index: usize| labels.values[index] == Some(arm.part);
    let mut core = labels.map(|_| false);
    let arms: Vec<usize> = (0..labels.values.len()).filter(|index| is_arms(*index)).collect();
    arms.iter().for_each(|index| core.values[*index] = far(*index) < CORE);
    let mut found = labels.map(|_| None);
    for index in arms.into_iter().filter(|index| !core.values[*index] && !edges.lines.values[*index]) {
        let own = nearest(labels, edges, index, 2.0 * arm.half_width + 2.0, |other| core.values[other]);
        let own = own.map_or(f32::INFINITY, |(unlike, _)| unlike);
        if own <= UNLIKE {
            continue;
        }
        let is_other = |other: usize| {
            labels.values[other].is_some_and(|part| !part.is_arm()) && !edges.lines.values[other]
        };
        let other = nearest(labels, edges, index, REACH * unit, is_other);
        if let Some((_, other)) = other.filter(|(unlike, _)| *unlike < LIKE && unlike * 2.0 < own) {
            found.values[index] = labels.values[other];
        }
    }
    found
}

/// Of some pixels within a radius the one whose colour is most like that of a pixel, and how unlike it still is.
fn nearest(
    labels: &Field<Option<Part>>,
    edges: &Edges,
    index: usize,
    radius: f32,
    is_wanted: impl Fn(usize) -> bool,
) -> Option<(f32, usize)> {
    let (x, y) = labels.place(index);
    let reach = radius as usize;
    let rows = y.saturating_sub(reach)..(y + reach + 1).min(labels.height);
    let columns = x.saturating_sub(reach)..(x + reach + 1).min(labels.width);
    let around = rows.flat_map(|row| columns.clone().map(move |column| (column, row)));
    around
        .filter(|(column, row)| (*column as f32 - x as f32).hypot(*row as f32 - y as f32) < radius)
        .map(|(column, row)| row * labels.width + column)
        .filter(|other| is_wanted(*other))
        .map(|other| (distance(edges.colours.values[index], edges.colours.values[other]), other))
        .min_by(|one, other| one.0.total_cmp(&other.0))
}
