//! 3×3 convolution with stride 1 by Winograd's F(4×4, 3×3): 36 products of 1/16 of the pixels instead of 9 of all, a
//! quarter of the multiplications (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).
//!
//! Tiles of 4×4 results, from 6×6 values each, are the columns of the products; eight or more are transformed at once.

use super::super::product::{DEPTH, Left, Output, Panels, ROWS, Size, panel_width, product, vectors};
use super::super::scratch::{Shared, with_scratch};
use super::Start;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::array::from_fn;

/// Results along one side of a tile.
const RESULTS: usize = 4;
/// Values along one side of a tile.
const SIDE: usize = 6;
/// Values of a tile, each a frequency by itself.
const FREQUENCIES: usize = SIDE * SIDE;
/// Values of scratch memory that is worked on at once: about the third-level cache.
const SCRATCH: usize = 3 << 20;

/// Weights as Winograd's products want them: `(frequencies, outputs, inputs)`.
#[derive(Debug)]
pub(super) struct Weights {
    values: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Weights {
    /// From `(outputs, inputs, 3, 3)`.
    pub(super) fn new(weight: &[f32], outputs: usize, inputs: usize) -> Self {
        let mut values = vec![0.0; FREQUENCIES * outputs * inputs];
        let place = Shared::new(&mut values);
        weight.par_chunks_exact(9).enumerate().for_each(|(index, kernel)| {
            for (frequency, value) in transformed_kernel(kernel).into_iter().enumerate() {
                // SAFETY: index < outputs · inputs, and every kernel has its own places.
                unsafe { *place.at(frequency * outputs * inputs + index) = value };
            }
        });
        Self { values, inputs, outputs }
    }

    fn frequency(&self, frequency: usize) -> &[f32] {
        &self.values[frequency * self.outputs * self.inputs..][..self.outputs * self.inputs]
    }
}

/// `G·g·Gᵀ`.
fn transformed_kernel(kernel: &[f32]) -> [f32; FREQUENCIES] {
    let line = |[a, b, c]: [f64; 3]| {
        [
            a / 4.0,
            -(a + b + c) / 6.0,
            (b - a - c) / 6.0,
            a / 24.0 + b / 12.0 + c / 6.0,
            a / 24.0 - b / 12.0 + c / 6.0,
            c,
        ]
    };
    let columns: [[f64; SIDE]; 3] = from_fn(|x| line(from_fn(|y| f64::from(kernel[y * 3 + x]))));
    let rows: [[f64; SIDE]; SIDE] = from_fn(|y| line(from_fn(|x| columns[x][y])));
    from_fn(|index| rows[index / SIDE][index % SIDE] as f32)
}

/// Maps that are folded: `(batch, channels, height, width)`.
#[derive(Clone, Copy)]
pub(super) struct Maps {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
}

impl Maps {
    fn tiles_across(&self) -> usize {
        self.width.div_ceil(RESULTS)
    }

    fn tiles(&self) -> usize {
        self.batch * self.height.div_ceil(RESULTS) * self.tiles_across()
    }

    /// Picture of the batch, and the row and column of its first result.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (across, down) = (self.tiles_across(), self.height.div_ceil(RESULTS));
        (tile / (across * down), tile / across % down * RESULTS, tile % across * RESULTS)
    }
}

/// Folds `input` `(batch, inputs, height, width)`, zeros around it, to `output` `(batch, outputs, height, width)`.
pub(super) fn convolve(maps: Maps, input: &[f32], weights: &Weights, start: Start, output: &mut [f32]) {
    let pixels = maps.batch * maps.height * maps.width;
    assert_eq!((input.len(), output.len()), (pixels * weights.inputs, pixels * weights.outputs));
    let width = panel_width();
    let per_tile = FREQUENCIES * (weights.inputs + weights.outputs);
    let at_once = (SCRATCH / per_tile).max(1).next_multiple_of(width);
    let output = Shared::new(output);
    for first in (0..maps.tiles()).step_by(at_once) {
        let count = at_once.min(maps.tiles() - first);
        let part = Part { maps, input, weights, start, output, first, count, panels: count.div_ceil(width) };
        part.fold(width);
    }
}

/// Some tiles.
#[derive(Clone, Copy)]
struct Part<'a> {
    maps: Maps,
    input: &'a [f32],
    weights: &'a Weights,
    start: Start<'a>,
    output: Shared,
    first: usize,
    count: usize,
    panels: usize,
}

impl Part<'_> {
    fn fold(self, width: usize) {
        let Weights { inputs, outputs, .. } = *self.weights;
        let columns = self.panels * width;
        with_scratch(FREQUENCIES * columns * (inputs + outputs), |scratch| {
            let (values, products) = scratch.split_at_mut(FREQUENCIES * columns * inputs);
            let place = Shared::new(values);
            let (arch, chunk) = (Arch::new(), 8);
            (0..self.panels * inputs.div_ceil(chunk)).into_par_iter().for_each(|index| {
                let (panel, start) = (index % self.panels, index / self.panels * chunk);
                let channels = start..(start + chunk).min(inputs);
                arch.dispatch(Transform { part: self, panel, channels, values: place });
            });
            let place = Shared::new(products);
            let values = &*values;
            (0..FREQUENCIES * outputs.div_ceil(ROWS)).into_par_iter().for_each(|index| {
                let (frequency, start) =
                    (index / outputs.div_ceil(ROWS), index % outputs.div_ceil(ROWS) * ROWS);
                arch.dispatch(Product { part: self, frequency, start, values, products: place });
            });
            let products = &*products;
            let chunk = 4;
            (0..self.panels * outputs.div_ceil(chunk)).into_par_iter().for_each(|index| {
                let (panel, start) = (index % self.panels, index / self.panels * chunk);
                let channels = start..(start + chunk).min(outputs);
                arch.dispatch(TransformBack { part: self, panel, channels, products });
            });
        });
    }
}

/// `Bᵀ·d·B` of some channels' tiles of one panel, to `(frequencies, panels, inputs, panel width)`.
struct Transform<'a> {
    part: Part<'a>,
    panel: usize,
    channels: std::ops::Range<usize>,
    values: Shared,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, panel, channels, values } = self;
        let (lanes, width) = (S::F32_LANES, panel_width_of::<S>());
        let Maps { height, width: across, .. } = part.maps;
        let inputs = part.weights.inputs;
        let mut tiles = [[0.0f32; 64]; FREQUENCIES];
        for start in (0..width).step_by(lanes) {
            let places: [Option<(usize, usize, usize)>; 64] = from_fn(|lane| {
                let tile = panel * width + start + lane;
                (lane < lanes && tile < part.count).then(|| part.maps.place(part.first + tile))
            });
            for channel in channels.clone() {
                for (lane, place) in places.iter().enumerate().take(lanes) {
                    let Some((picture, y, x)) = *place else { continue };
                    let map =
                        &part.input[(picture * inputs + channel) * height * across..][..height * across];
                    if y > 0 && x > 0 && y + SIDE - 1 <= height && x + SIDE - 1 <= across {
                        for row in 0..SIDE {
                            let line = &map[(y - 1 + row) * across + x - 1..][..SIDE];
                            for column in 0..SIDE {
                                tiles[row * SIDE + column][lane] = line[column];
                            }
                        }
                    } else {
                        for row in 0..SIDE {
                            for column in 0..SIDE {
                                let (y, x) = ((y + row).wrapping_sub(1), (x + column).wrapping_sub(1));
                                let inside = y < height && x < across;
                                tiles[row * SIDE + column][lane] =
                                    if inside { map[y * across + x] } else { 0.0 };
                            }
                        }
                    }
                }
                let mut columns = [[simd.splat_f32s(0.0); SIDE]; SIDE];
                for column in 0..SIDE {
                    let mut line = [simd.splat_f32s(0.0); SIDE];
                    for row in 0..SIDE {
                        // SAFETY: 64 values are enough for any vector.
                        line[row] =
                            unsafe { tiles[row * SIDE + column].as_ptr().cast::<S::f32s>().read_unaligned() };
                    }
                    columns[column] = values_line(simd, line);
                }
                for row in 0..SIDE {
                    let mut line = [simd.splat_f32s(0.0); SIDE];
                    for column in 0..SIDE {
                        line[column] = columns[column][row];
                    }
                    let line = values_line(simd, line);
                    for (column, value) in line.into_iter().enumerate() {
                        let index = (((row * SIDE + column) * part.panels + panel) * inputs + channel)
                            * width
                            + start;
                        // SAFETY: the panel's and channel's own place.
                        unsafe { values.at(index).cast::<S::f32s>().write_unaligned(value) };
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn panel_width_of<S: Simd>() -> usize {
    vectors::<S>() * S::F32_LANES
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

/// Some outputs of one frequency.
struct Product<'a> {
    part: Part<'a>,
    frequency: usize,
    start: usize,
    values: &'a [f32],
    products: Shared,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, frequency, start, values, products } = self;
        let Weights { inputs, outputs, .. } = *part.weights;
        let width = panel_width_of::<S>();
        let columns = part.panels * width;
        let values = &values[frequency * columns * inputs..][..columns * inputs];
        let weights = part.weights.frequency(frequency);
        let rows = ROWS.min(outputs - start);
        for depth in (0..inputs).step_by(DEPTH) {
            let left = Left { values: &weights[start * inputs + depth..], row_step: inputs, depth_step: 1 };
            let right = Panels { values: &values[depth * width..], step: inputs * width };
            let size = Size { rows, depth: DEPTH.min(inputs - depth), columns };
            // SAFETY: rows of its own of a matrix (outputs, columns) for every frequency.
            unsafe {
                let first = products.at((frequency * outputs + start) * columns);
                product(simd, size, left, right, Output { start: first, row_step: columns }, depth > 0);
            }
        }
    }
}

/// `Aᵀ·m·A` of some outputs' tiles of one panel, and the bias.
struct TransformBack<'a> {
    part: Part<'a>,
    panel: usize,
    channels: std::ops::Range<usize>,
    products: &'a [f32],
}

impl WithSimd for TransformBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, panel, channels, products } = self;
        let (lanes, width) = (S::F32_LANES, panel_width_of::<S>());
        let Maps { height, width: across, .. } = part.maps;
        let outputs = part.weights.outputs;
        let columns = part.panels * width;
        let mut tiles = [[0.0f32; 64]; RESULTS * RESULTS];
        for channel in channels {
            let bias = simd.splat_f32s(part.start.bias[channel]);
            for start in (0..width).step_by(lanes) {
                let first = panel * width + start;
                let mut sides = [[simd.splat_f32s(0.0); RESULTS]; SIDE];
                for column in 0..SIDE {
                    let mut line = [simd.splat_f32s(0.0); SIDE];
                    for row in 0..SIDE {
                        let frequency = row * SIDE + column;
                        let values = &products[(frequency * outputs + channel) * columns + first..][..lanes];
                        // SAFETY: a vector's worth of values.
                        line[row] = unsafe { values.as_ptr().cast::<S::f32s>().read_unaligned() };
                    }
                    sides[column] = results_line(simd, line);
                }
                for row in 0..RESULTS {
                    let mut line = [simd.splat_f32s(0.0); SIDE];
                    for column in 0..SIDE {
                        line[column] = sides[column][row];
                    }
                    let line = results_line(simd, line);
                    for (column, value) in line.into_iter().enumerate() {
                        // SAFETY: 64 values are enough for any vector.
                        unsafe {
                            let place = tiles[row * RESULTS + column].as_mut_ptr().cast::<S::f32s>();
                            place.write_unaligned(simd.add_f32s(value, bias));
                        }
                    }
                }
                for lane in 0..lanes.min(part.count.saturating_sub(first)) {
                    let (picture, y, x) = part.maps.place(part.first + first + lane);
                    let first_pixel = ((picture * outputs + channel) * height + y) * across + x;
                    let (down, right) = (RESULTS.min(height - y), RESULTS.min(across - x));
                    for row in 0..down {
                        // SAFETY: the tile's own pixels, which lie inside the map.
                        let line = unsafe {
                            std::slice::from_raw_parts_mut(part.output.at(first_pixel + row * across), right)
                        };
                        for (column, value) in line.iter_mut().enumerate() {
                            let place = first_pixel + row * across + column;
                            let residual = part.start.residual.map_or(0.0, |residual| residual[place]);
                            *value = tiles[row * RESULTS + column][lane] + residual;
                        }
                    }
                }
            }
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

#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, value: S::f32s, sum: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), value, sum)
}
