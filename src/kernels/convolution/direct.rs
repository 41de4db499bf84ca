//! Convolution as a matrix product: weights times the values that each result sees, which are packed bit by bit, never
//! all at once.

use super::Start;
use crate::kernels::product::{
    DEPTH, Left, Output, Panels, ROWS, Size, arch, panel_width, panel_width_for, product, share,
};
use crate::kernels::scratch::{Shared, with_scratch};
use crate::kernels::stored::Values;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Panels that are worked on at once: with [`DEPTH`], a part of the second-level cache.
const PANELS: usize = 8;

/// Maps and kernel of a convolution; maps are `(batch, channels, height, width)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub height: usize,
    pub width: usize,
    /// Side of the kernel.
    pub side: usize,
    pub stride: usize,
    /// Zeros on each side of a map.
    pub padding: usize,
}

impl Shape {
    /// Height and width of the results.
    pub(super) fn results(&self) -> (usize, usize) {
        let along = |length: usize| (length + 2 * self.padding - self.side) / self.stride + 1;
        (along(self.height), along(self.width))
    }

    fn padded(&self) -> (usize, usize) {
        (self.height + 2 * self.padding, self.width + 2 * self.padding)
    }

    fn depth(&self) -> usize {
        self.inputs * self.side * self.side
    }
}

/// Folds `input` with `weight` `(outputs, inputs, side, side)` and adds the bias.
pub(super) fn convolve(shape: Shape, input: &[f32], weight: Values, start: Start, output: &mut [f32]) {
    let (height, width) = shape.results();
    assert_eq!(input.len(), shape.batch * shape.inputs * shape.height * shape.width);
    assert_eq!(weight.len(), shape.outputs * shape.depth());
    assert_eq!(output.len(), shape.batch * shape.outputs * height * width);
    output.par_chunks_mut((height * width).max(1)).enumerate().for_each(|(map, values)| {
        let bias = start.bias[map % shape.outputs];
        match start.residual {
            None => values.fill(bias),
            Some(residual) => {
                let residual = &residual[map * height * width..];
                values.iter_mut().zip(residual).for_each(|(value, residual)| *value = residual + bias);
            }
        }
    });
    if shape.padding == 0 {
        return fold(shape, input, weight, output);
    }
    let (padded_height, padded_width) = shape.padded();
    with_scratch(shape.batch * shape.inputs * padded_height * padded_width, |padded| {
        let maps = input.par_chunks(shape.height * shape.width);
        padded
            .par_chunks_mut(padded_height * padded_width)
            .zip(maps)
            .for_each(|(padded, map)| pad(shape, map, padded));
        fold(shape, padded, weight, output);
    });
}

fn pad(shape: Shape, map: &[f32], padded: &mut [f32]) {
    let width = shape.padded().1;
    padded.fill(0.0);
    let rows = padded[shape.padding * width..].chunks_mut(width);
    for (row, values) in rows.zip(map.chunks(shape.width)) {
        row[shape.padding..][..shape.width].copy_from_slice(values);
    }
}

/// Adds the products to `output`; `input` has its zeros.
fn fold(shape: Shape, input: &[f32], weight: Values, output: &mut [f32]) {
    let (height, width) = shape.results();
    let at_once = PANELS * panel_width();
    let blocks = (height * width).div_ceil(at_once);
    // Few results: the outputs are divided among the threads as well.
    let rows = share(shape.outputs, shape.batch * blocks, 12, 48);
    let row_parts = shape.outputs.div_ceil(rows);
    let (arch, output) = (arch(), Shared::new(output));
    (0..shape.batch * blocks * row_parts).into_par_iter().for_each(|index| {
        let (picture, block, part) =
            (index / (blocks * row_parts), index / row_parts % blocks, index % row_parts);
        let columns = block * at_once..(height * width).min((block + 1) * at_once);
        let rows = part * rows..shape.outputs.min((part + 1) * rows);
        let depth = DEPTH.min(shape.depth());
        let (values, weights) = (at_once * depth, weight.scratch(ROWS.min(rows.len()) * depth));
        with_scratch(values + weights, |scratch| {
            let (packed, widened) = scratch.split_at_mut(values);
            arch.dispatch(Block { shape, picture, columns, rows, input, weight, packed, widened, output });
        });
    });
}

/// Some outputs of some pixels of one picture.
struct Block<'a> {
    shape: Shape,
    picture: usize,
    columns: Range<usize>,
    rows: Range<usize>,
    input: &'a [f32],
    weight: Values<'a>,
    packed: &'a mut [f32],
    widened: &'a mut [f32],
    output: Shared,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, picture, columns, rows, input, weight, packed, widened, output } = self;
        let (height, width) = shape.results();
        let (padded_height, padded_width) = shape.padded();
        let map = padded_height * padded_width;
        let input = &input[picture * shape.inputs * map..][..shape.inputs * map];
        let panel = panel_width_for::<S>();
        let panels = columns.len().div_ceil(panel);
        let depth = shape.depth();
        let mut starts = [0; PANELS * 32];
        for (place, column) in starts.iter_mut().zip(columns.clone()) {
            *place = (column / width * padded_width + column % width) * shape.stride;
        }
        for first in (0..depth).step_by(DEPTH) {
            let some = first..depth.min(first + DEPTH);
            for index in 0..panels {
                let count = panel.min(columns.len() - index * panel);
                let starts = &starts[index * panel..][..count];
                let packed = &mut packed[index * panel * some.len()..][..panel * some.len()];
                pack::<S>(shape, input, some.clone(), starts, packed);
            }
            let right = Panels { values: packed, step: panel * some.len() };
            for row in rows.clone().step_by(ROWS) {
                let count = ROWS.min(rows.end - row);
                let (values, row_step) = weight.lines(row * depth + first, depth, count, some.len(), widened);
                let left = Left { values, row_step, depth_step: 1 };
                let size = Size { rows: count, depth: some.len(), columns: columns.len() };
                let start = (picture * shape.outputs + row) * height * width + columns.start;
                // SAFETY: rows and columns of its own.
                unsafe {
                    let result = Output { start: output.at(start), row_step: height * width };
                    product(simd, size, left, right, result, true);
                }
            }
        }
    }
}

/// Packs what the results that start at `starts` see: one row of the panel for each input and place in the kernel.
#[inline(always)]
fn pack<S: Simd>(shape: Shape, input: &[f32], depth: Range<usize>, starts: &[usize], packed: &mut [f32]) {
    let panel = panel_width_for::<S>();
    let (height, width) = shape.padded();
    let side = shape.side;
    let consecutive = starts.len() == panel && starts[panel - 1] - starts[0] == panel - 1;
    for (row, index) in packed.chunks_exact_mut(panel).zip(depth) {
        let (channel, tap) = (index / (side * side), index % (side * side));
        let values = &input[channel * height * width + tap / side * width + tap % side..];
        if consecutive {
            let (from, _) = S::as_simd_f32s(&values[starts[0]..][..panel]);
            let (to, _) = S::as_mut_simd_f32s(row);
            to.copy_from_slice(from);
        } else {
            for (place, &start) in row.iter_mut().zip(starts) {
                *place = values[start];
            }
            row[starts.len()..].fill(0.0);
        }
    }
}
