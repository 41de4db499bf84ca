//! Where the trunk is, seen or hidden by arms.

use image::RgbaImage;

use crate::field::Field;
use crate::geometry::{Vector, vector};
use crate::joints::Torso;

/// Where the trunk ends in a row, and whether an arm is what ends it; `None` where there is no trunk.
type End = Option<(f32, bool)>;

/// The trunk of which `seen` is seen: what lies between its shoulders and hips, and, in each row down to `below` pixels under the
/// hips, between its two ends. Where an arm hides an end, it is where the ends above and below would have it.
pub(crate) fn outline(
    seen: &RgbaImage,
    torso: &Torso,
    below: f32,
    is_arm: impl Fn(usize, usize) -> bool,
) -> Field<bool> {
    let (width, height) = (seen.width() as usize, seen.height() as usize);
    let mut outline = Field::filled(width, height, false);
    let top = torso.right.y.min(torso.left.y).max(0.0) as usize;
    let bottom = (torso.right_hip.y.max(torso.left_hip.y) + below).max(0.0) as usize;
    let rows = top..bottom.min(height);
    let (mut left, mut right): (Vec<End>, Vec<End>) =
        rows.clone().map(|row| ends(seen, row, &is_arm)).unzip();
    straighten(&mut left, f32::min);
    straighten(&mut right, f32::max);
    for (row, ends) in rows.zip(left.iter().zip(&right)) {
        if let (Some((first, _)), Some((last, _))) = ends {
            let (first, last) = (first.max(0.0) as usize, (last.max(0.0) as usize).min(width - 1));
            outline.values[row * width + first.min(last)..=row * width + last].fill(true);
        }
    }
    let corners = torso.corners();
    for (index, value) in outline.values.iter_mut().enumerate() {
        let point = vector((index % width) as f32 + 0.5, (index / width) as f32 + 0.5);
        *value |= is_inside(&corners, point);
    }
    outline
}

/// The first and the last pixel of the trunk in a row, each with whether an arm follows.
fn ends(seen: &RgbaImage, row: usize, is_arm: &impl Fn(usize, usize) -> bool) -> (End, End) {
    /// Pixels from an end to what follows it.
    const BESIDE: usize = 3;
    let Some((first, last)) = solid_ends(seen, row) else { return (None, None) };
    let is_hidden = (first >= BESIDE && is_arm(first - BESIDE, row), {
        let beside = last + BESIDE;
        beside < seen.width() as usize && is_arm(beside, row)
    });
    (Some((first as f32, is_hidden.0)), Some((last as f32, is_hidden.1)))
}

/// The first and the last pixel of a row that are hardly transparent.
pub(crate) fn solid_ends(seen: &RgbaImage, row: usize) -> Option<(usize, usize)> {
    let mut columns = 0..seen.width() as usize;
    let solid = |x: usize| seen.get_pixel(x as u32, row as u32).0[3] > 200;
    let first = columns.find(|x| solid(*x))?;
    Some((first, columns.rev().find(|x| solid(*x)).unwrap_or(first)))
}

/// Puts ends that are hidden onto the straight line between those above and below that are not; `outer` of two ends counts.
fn straighten(side: &mut [End], outer: fn(f32, f32) -> f32) {
    let known = |end: &End| end.filter(|(_, hidden)| !hidden).map(|(place, _)| place);
    let mut row = 0;
    while row < side.len() {
        let end = (row..side.len()).find(|row| known(&side[*row]).is_some()).unwrap_or(side.len());
        let above = row.checked_sub(1).and_then(|row| known(&side[row]));
        let below = side.get(end).and_then(known);
        if let Some((above, below)) = above.zip(below) {
            let step = (below - above) / (end + 1 - row) as f32;
            for (index, hidden) in side[row..end].iter_mut().enumerate() {
                let straight = above + step * (index + 1) as f32;
                *hidden = Some((hidden.map_or(straight, |(own, _)| outer(own, straight)), true));
            }
        }
        row = end + 1;
    }
}

/// Whether a point lies within a convex polygon.
pub(crate) fn is_inside(corners: &[Vector], point: Vector) -> bool {
    let sides = corners.iter().zip(corners.iter().cycle().skip(1));
    let turns: Vec<f32> = sides.map(|(from, to)| (*to - *from).cross(point - *from)).collect();
    turns.iter().all(|turn| *turn >= 0.0) || turns.iter().all(|turn| *turn <= 0.0)
}
