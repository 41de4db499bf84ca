//! From frequencies to results.

use super::{Part, RESULTS, SIDE, WIDEST, load, store, times, transposed};
use crate::product::panel_width_for;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// `Aᵀ·m·A` of some outputs' tiles of one panel, and what they are added to.
pub(super) struct Transform<'a> {
    pub part: Part<'a>,
    pub panel: usize,
    pub channels: Range<usize>,
    /// `(frequencies, outputs, columns)`.
    pub products: &'a [f32],
}

/// Results of tiles side by side: pixel by pixel, a lane for each tile.
type Tiles = [[f32; WIDEST]; RESULTS * RESULTS];

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, panel, channels, products } = self;
        let (lanes, width) = (S::F32_LANES, panel_width_for::<S>());
        let (outputs, columns) = (part.weights.outputs, part.panels * width);
        let mut tiles: Tiles = [[0.0; WIDEST]; RESULTS * RESULTS];
        for channel in channels {
            let bias = simd.splat_f32s(part.start.bias[channel]);
            for first in (panel * width..(panel + 1) * width).step_by(lanes) {
                let own = &products[channel * columns + first..];
                read_results(simd, own, outputs * columns, bias, &mut tiles);
                for lane in 0..lanes.min(part.count.saturating_sub(first)) {
                    scatter(part, channel, part.first + first + lane, lane, &tiles);
                }
            }
        }
    }
}

/// `Aᵀ·m·A` and the bias, row by row. Frequencies lie `step` values apart.
#[inline(always)]
fn read_results<S: Simd>(simd: S, products: &[f32], step: usize, bias: S::f32s, tiles: &mut Tiles) {
    let mut columns = [[simd.splat_f32s(0.0); RESULTS]; SIDE];
    for column in 0..SIDE {
        let mut line = [simd.splat_f32s(0.0); SIDE];
        for row in 0..SIDE {
            line[row] = load::<S>(&products[(row * SIDE + column) * step..]);
        }
        columns[column] = results_line(simd, line);
    }
    let lines = transposed(columns);
    for row in 0..RESULTS {
        let line = results_line(simd, lines[row]);
        for column in 0..RESULTS {
            store::<S>(&mut tiles[row * RESULTS + column], simd.add_f32s(line[column], bias));
        }
    }
}

/// Writes a tile's results where they lie inside the map.
#[inline(always)]
fn scatter(part: Part, channel: usize, tile: usize, lane: usize, tiles: &Tiles) {
    let (height, width) = (part.maps.height, part.maps.width);
    let (picture, y, x) = part.maps.place(tile);
    let first = ((picture * part.weights.outputs + channel) * height + y) * width + x;
    for row in 0..RESULTS.min(height - y) {
        let start = first + row * width;
        let count = RESULTS.min(width - x);
        // SAFETY: the tile's own pixels, which lie inside the map.
        let line = unsafe { part.output.slice(start, count) };
        for (column, value) in line.iter_mut().enumerate() {
            let residual = part.start.residual.map_or(0.0, |residual| residual[start + column]);
            *value = tiles[row * RESULTS + column][lane] + residual;
        }
    }
}

/// `Aᵀ·m`.
#[inline(always)]
fn results_line<S: Simd>(simd: S, m: [S::f32s; SIDE]) -> [S::f32s; RESULTS] {
    let (near, near_difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (far, far_difference) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(m[0], simd.add_f32s(near, far)),
        times(simd, 2.0, far_difference, near_difference),
        times(simd, 4.0, far, near),
        simd.add_f32s(m[5], times(simd, 8.0, far_difference, near_difference)),
    ]
}
