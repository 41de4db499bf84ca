//! From MoveNet's maps to the joints of one person.

use super::network::Maps;
use crate::pose::COCO_POINTS;

/// Added to distances, so that they divide gently.
const SOFTENING: f32 = 1.8;

/// One joint as MoveNet finds it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Detection {
    /// From the left edge, as a share of the picture's side.
    pub x: f32,
    /// From the top edge, as a share of the picture's side.
    pub y: f32,
    /// How sure the network is, 0 to 1.
    pub score: f32,
}

/// The joints of the person nearest to the middle of the picture, in COCO's order.
pub(super) fn decode(maps: &Maps, side: usize) -> [Detection; COCO_POINTS] {
    // 1. The person: the likeliest centre, one in the middle of the picture more than one at its edge.
    let middle = side as f32 / 2.0;
    let from_middle = |cell: usize| distance(cell, side, (middle, middle));
    let center = likeliest(side * side, |cell| sigmoid(maps.center[cell]) / (from_middle(cell) + SOFTENING));
    let center_cell = ((center / side) as f32, (center % side) as f32);
    // 2. Each joint: the likeliest place near to where the person's centre points, and its fraction of a cell.
    std::array::from_fn(|joint| {
        let pointed = pair(&maps.regress, center, joint);
        let expected = (center_cell.0 + pointed.0, center_cell.1 + pointed.1);
        let score = |cell: usize| sigmoid(maps.heatmap[cell * COCO_POINTS + joint]);
        let cell = likeliest(side * side, |cell| score(cell) / (distance(cell, side, expected) + SOFTENING));
        let offset = pair(&maps.offset, cell, joint);
        Detection {
            x: ((cell % side) as f32 + offset.1) / side as f32,
            y: ((cell / side) as f32 + offset.0) / side as f32,
            score: score(cell),
        }
    })
}

/// y and x of a joint at a cell.
fn pair(map: &[f32], cell: usize, joint: usize) -> (f32, f32) {
    let start = (cell * COCO_POINTS + joint) * 2;
    (map[start], map[start + 1])
}

/// Cells between a cell and a point (y, x).
fn distance(cell: usize, side: usize, (y, x): (f32, f32)) -> f32 {
    let (down, across) = ((cell / side) as f32 - y, (cell % side) as f32 - x);
    (down * down + across * across).sqrt()
}

fn likeliest(cells: usize, score: impl Fn(usize) -> f32) -> usize {
    let best = |best: (usize, f32), cell: usize| {
        let value = score(cell);
        if value > best.1 { (cell, value) } else { best }
    };
    (0..cells).fold((0, f32::NEG_INFINITY), best).0
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}
