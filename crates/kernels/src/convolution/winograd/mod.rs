//! 3×3 convolution with stride 1 by Winograd's F(4×4, 3×3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural
//! Networks", 2016). Instead of 9 products of all pixels it takes 36 products of 1/16 of them: a quarter of the
//! multiplications.
//!
//! Tiles of 4×4 results, from 6×6 values each, are the columns of the products; eight or more are transformed at once.

mod input;
mod output;
mod weights;

use crate::product::{DEPTH, Left, Panels, ROWS, Size, arch, panel_width, panel_width_for, product};
use crate::scratch::{Output, Shared, with_scratch};
use crate::stored::Values;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

use super::Start;
use weights::{AT_ONCE, transform_some};
pub(super) use weights::{Kernels, Weights, recovered, transform, transformed_length};

/// Results along one side of a tile.
const RESULTS: usize = 4;
/// Values along one side of a tile.
const SIDE: usize = 6;
/// Values of a tile, each a frequency by itself.
const FREQUENCIES: usize = SIDE * SIDE;
/// Values of scratch memory that is worked on at once: about the third-level cache.
const SCRATCH: usize = 3 << 20;
/// The same where weights are transformed again: the more tiles, the less often.
const SCRATCH_ANEW: usize = 4 * SCRATCH;
/// Outputs whose weights are transformed again at once: with [`AT_ONCE`] inputs a part of the second-level cache.
const OUTPUTS_ANEW: usize = 24;

/// Maps that are folded: `(batch, channels, height, width)`.
#[derive(Clone, Copy)]
pub(super) struct Maps {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
}

impl Maps {
    fn pixels(&self) -> usize {
        self.height * self.width
    }

    fn tiles_across(&self) -> usize {
        self.width.div_ceil(RESULTS)
    }

    pub(super) fn tiles(&self) -> usize {
        self.batch * self.height.div_ceil(RESULTS) * self.tiles_across()
    }

    /// Picture of the batch, and the row and column of its first result.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (across, down) = (self.tiles_across(), self.height.div_ceil(RESULTS));
        (tile / (across * down), tile / across % down * RESULTS, tile % across * RESULTS)
    }
}

/// Folds `input` `(batch, inputs, height, width)`, zeros around it, to `output` `(batch, outputs, height, width)`.
pub(super) fn convolve(maps: Maps, input: &[f32], weights: Weights, start: Start, output: &mut [f32]) {
    let Weights { kernels, inputs, outputs } = weights;
    let pixels = maps.batch * maps.height * maps.width;
    assert_eq!((input.len(), output.len()), (pixels * inputs, pixels * outputs));
    let scratch = match kernels {
        Kernels::Transformed(_) => SCRATCH,
        Kernels::AsRead(_) => SCRATCH_ANEW,
    };
    let width = panel_width();
    let at_once = (scratch / (FREQUENCIES * (inputs + outputs))).max(1).next_multiple_of(width);
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
    weights: Weights<'a>,
    start: Start<'a>,
    output: Shared<'a>,
    first: usize,
    count: usize,
    panels: usize,
}

impl Part<'_> {
    fn fold(self, width: usize) {
        let Weights { inputs, outputs, .. } = self.weights;
        let columns = self.panels * width;
        with_scratch(FREQUENCIES * columns * (inputs + outputs), |scratch| {
            let (values, products) = scratch.split_at_mut(FREQUENCIES * columns * inputs);
            let (arch, place) = (arch(), Shared::new(values));
            self.each_panel(inputs, |panel, channels| {
                arch.dispatch(input::Transform { part: self, panel, channels, values: place });
            });
            self.multiply(values, Shared::new(products));
            let products = &*products;
            self.each_panel(outputs, |panel, channels| {
                arch.dispatch(output::Transform { part: self, panel, channels, products });
            });
        });
    }

    /// `values` `(frequencies, panels, inputs, panel width)` times the weights: `(frequencies, outputs, columns)`.
    fn multiply(self, values: &[f32], products: Shared) {
        let Weights { kernels, inputs, outputs } = self.weights;
        match kernels {
            Kernels::Transformed(weights) => {
                let parts = outputs.div_ceil(ROWS);
                (0..FREQUENCIES * parts).into_par_iter().for_each(|index| {
                    let (frequency, start) = (index / parts, index % parts * ROWS);
                    let weights = &weights[frequency * outputs * inputs..][..outputs * inputs];
                    arch().dispatch(Product { part: self, frequency, start, weights, values, products });
                });
            }
            Kernels::AsRead(kernels) => {
                (0..outputs.div_ceil(OUTPUTS_ANEW)).into_par_iter().for_each(|index| {
                    let rows = index * OUTPUTS_ANEW..outputs.min((index + 1) * OUTPUTS_ANEW);
                    with_scratch(FREQUENCIES * ANEW_STEP, |scratch| {
                        arch().dispatch(Anew { part: self, rows, kernels, scratch, values, products });
                    });
                });
            }
        }
    }

    /// Divides panels and channels among the threads.
    fn each_panel(self, channels: usize, work: impl Fn(usize, Range<usize>) + Sync) {
        const CHANNELS: usize = 8;
        (0..self.panels * channels.div_ceil(CHANNELS)).into_par_iter().for_each(|index| {
            let (panel, start) = (index % self.panels, index / self.panels * CHANNELS);
            work(panel, start..(start + CHANNELS).min(channels));
        });
    }
}

/// Some outputs of one frequency.
struct Product<'a> {
    part: Part<'a>,
    frequency: usize,
    start: usize,
    /// `(outputs, inputs)`.
    weights: &'a [f32],
    values: &'a [f32],
    products: Shared<'a>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, frequency, start, weights, values, products } = self;
        let Weights { inputs, outputs, .. } = part.weights;
        let rows = start..outputs.min(start + ROWS);
        for first in (0..inputs).step_by(DEPTH) {
            let depth = first..inputs.min(first + DEPTH);
            let left = Left { values: &weights[start * inputs + first..], row_step: inputs, depth_step: 1 };
            part.multiply_some(simd, frequency, rows.clone(), depth, left, values, products);
        }
    }
}

/// Values between frequencies of weights transformed again: not a multiple of a cache's lines, so that frequencies do not
/// drive each other out of it.
const ANEW_STEP: usize = OUTPUTS_ANEW * AT_ONCE + 16;

/// Some outputs of all frequencies, of weights transformed again.
struct Anew<'a> {
    part: Part<'a>,
    rows: Range<usize>,
    kernels: Values<'a>,
    /// `(frequencies, outputs, inputs)`, each [`AT_ONCE`] inputs.
    scratch: &'a mut [f32],
    values: &'a [f32],
    products: Shared<'a>,
}

impl WithSimd for Anew<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, rows, kernels, scratch, values, products } = self;
        let inputs = part.weights.inputs;
        for first in (0..inputs).step_by(AT_ONCE) {
            let depth = first..inputs.min(first + AT_ONCE);
            for (index, row) in rows.clone().enumerate() {
                let some = row * inputs + depth.start..row * inputs + depth.end;
                let place = Output::of(&mut scratch[index * AT_ONCE..], ANEW_STEP);
                // SAFETY: borrowed by nobody else.
                unsafe { transform_some(simd, kernels, some, place) };
            }
            for frequency in 0..FREQUENCIES {
                let left =
                    Left { values: &scratch[frequency * ANEW_STEP..], row_step: AT_ONCE, depth_step: 1 };
                part.multiply_some(simd, frequency, rows.clone(), depth.clone(), left, values, products);
            }
        }
    }
}

impl Part<'_> {
    /// Weights `left` of some outputs and some inputs times the values, added to what earlier inputs gave.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the coordinates of a block in three matrices")]
    fn multiply_some<S: Simd>(
        self,
        simd: S,
        frequency: usize,
        rows: Range<usize>,
        depth: Range<usize>,
        left: Left,
        values: &[f32],
        products: Shared,
    ) {
        let Weights { inputs, outputs, .. } = self.weights;
        let width = panel_width_for::<S>();
        let columns = self.panels * width;
        let values = &values[frequency * columns * inputs..][..columns * inputs];
        let right = Panels { values: &values[depth.start * width..], step: inputs * width };
        let size = Size { rows: rows.len(), depth: depth.len(), columns };
        let place = products.rows((frequency * outputs + rows.start) * columns, columns);
        // SAFETY: rows of the caller's own of a matrix (outputs, columns) for every frequency.
        unsafe { product(simd, size, left, right, place, depth.start > 0) };
    }
}

/// Values of the widest vector.
const WIDEST: usize = 16;

/// The first values as a vector.
#[inline(always)]
fn load<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}

/// A vector as the first values.
#[inline(always)]
fn store<S: Simd>(values: &mut [f32], vector: S::f32s) {
    S::as_mut_simd_f32s(&mut values[..S::F32_LANES]).0[0] = vector;
}

/// Writes vectors that lie `step` values apart.
///
/// # Safety
/// There must be room for each.
#[inline(always)]
unsafe fn write_line<T: Copy>(line: [T; SIDE], place: *mut f32, step: usize) {
    for column in 0..SIDE {
        // SAFETY: the caller vouches for it.
        unsafe { place.add(column * step).cast::<T>().write_unaligned(line[column]) };
    }
}

/// Rows to columns.
#[inline(always)]
fn transposed<T: Copy, const R: usize, const C: usize>(rows: [[T; C]; R]) -> [[T; R]; C] {
    let mut columns = [[rows[0][0]; R]; C];
    for row in 0..R {
        for column in 0..C {
            columns[column][row] = rows[row][column];
        }
    }
    columns
}

#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, value: S::f32s, sum: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), value, sum)
}
