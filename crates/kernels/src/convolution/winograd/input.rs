//! From values to frequencies.

use super::{FREQUENCIES, Maps, Part, SIDE, WIDEST, load, times, transposed, write_line};
use crate::product::panel_width_for;
use crate::scratch::{Output, Shared};
use pulp::{Simd, WithSimd};
use std::array::from_fn;
use std::ops::Range;

/// `Bᵀ·d·B` of some channels' tiles of one panel, to `(frequencies, panels, inputs, panel width)`.
pub(super) struct Transform<'a> {
    pub part: Part<'a>,
    pub panel: usize,
    pub channels: Range<usize>,
    pub values: Shared<'a>,
}

/// Tiles side by side: value by value, a lane for each.
type Tiles = [[f32; WIDEST]; FREQUENCIES];

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, panel, channels, values } = self;
        let (lanes, inputs, width) = (S::F32_LANES, part.weights.inputs, panel_width_for::<S>());
        let mut tiles: Tiles = [[0.0; WIDEST]; FREQUENCIES];
        for start in (0..width).step_by(lanes) {
            let first = panel * width + start;
            let places: [(usize, usize, usize); WIDEST] =
                from_fn(|lane| part.maps.place(part.first + (first + lane).min(part.count - 1)));
            for channel in channels.clone() {
                for (lane, &(picture, y, x)) in places.iter().enumerate().take(lanes) {
                    gather(
                        part.maps,
                        &part.input[(picture * inputs + channel) * part.maps.pixels()..],
                        (y, x),
                        lane,
                        &mut tiles,
                    );
                }
                let place =
                    values.rows((panel * inputs + channel) * width + start, part.panels * inputs * width);
                // SAFETY: the panel's and channel's own place, for each frequency.
                unsafe { write_frequencies(simd, &tiles, place) };
            }
        }
    }
}

/// Reads the tile whose first result lies at row y, column x of a map; zeros lie around the map.
#[inline(always)]
fn gather(maps: Maps, map: &[f32], (y, x): (usize, usize), lane: usize, tiles: &mut Tiles) {
    let Maps { height, width, .. } = maps;
    if y > 0 && x > 0 && y + SIDE - 1 <= height && x + SIDE - 1 <= width {
        for row in 0..SIDE {
            let line = &map[(y - 1 + row) * width + x - 1..][..SIDE];
            for column in 0..SIDE {
                tiles[row * SIDE + column][lane] = line[column];
            }
        }
        return;
    }
    for row in 0..SIDE {
        for column in 0..SIDE {
            let (y, x) = ((y + row).wrapping_sub(1), (x + column).wrapping_sub(1));
            let inside = y < height && x < width;
            tiles[row * SIDE + column][lane] = if inside { map[y * width + x] } else { 0.0 };
        }
    }
}

/// `Bᵀ·d·B`, row by row: a row of `place` for each frequency.
///
/// # Safety
/// Nobody else may use the first vector of these rows meanwhile.
#[inline(always)]
unsafe fn write_frequencies<S: Simd>(simd: S, tiles: &Tiles, place: Output) {
    let (start, step) = (place.first(FREQUENCIES, S::F32_LANES), place.row_step);
    let mut columns = [[simd.splat_f32s(0.0); SIDE]; SIDE];
    for column in 0..SIDE {
        let mut line = [simd.splat_f32s(0.0); SIDE];
        for row in 0..SIDE {
            line[row] = load::<S>(&tiles[row * SIDE + column]);
        }
        columns[column] = values_line(simd, line);
    }
    let lines = transposed(columns);
    for row in 0..SIDE {
        let line = values_line(simd, lines[row]);
        // SAFETY: there is room, as was just made sure; the rest the caller vouches for.
        unsafe { write_line(line, start.add(row * SIDE * step), step) };
    }
}

/// `Bᵀ·d`.
#[inline(always)]
fn values_line<S: Simd>(simd: S, d: [S::f32s; SIDE]) -> [S::f32s; SIDE] {
    let outer = times(simd, -4.0, d[2], d[4]);
    let inner = times(simd, -4.0, d[1], d[3]);
    let wide = simd.sub_f32s(d[4], d[2]);
    let narrow = simd.sub_f32s(d[3], d[1]);
    [
        times(simd, 4.0, d[0], times(simd, -5.0, d[2], d[4])),
        simd.add_f32s(outer, inner),
        simd.sub_f32s(outer, inner),
        times(simd, 2.0, narrow, wide),
        times(simd, -2.0, narrow, wide),
        times(simd, 4.0, d[1], times(simd, -5.0, d[3], d[5])),
    ]
}
