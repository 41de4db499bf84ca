//! Convolution as a matrix product: weights times the values that each result sees, which are packed bit by bit, never
//! all at once.

use super::Start;
use crate::product::{
    DEPTH, Left, Panels, ROWS, Size, WIDEST_PANEL, arch, panel_width, panel_width_for, product, share,
};
use crate::scratch::{Shared, with_scratch};
use crate::stored::Values;
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

    /// Panels of `width` results that a picture has.
    fn panels(&self, width: usize) -> usize {
        (self.results().0 * self.results().1).div_ceil(width)
    }

    /// Where the values that a result sees begin, in padded maps.
    #[inline(always)]
    fn start(&self, picture: usize, result: usize) -> usize {
        let (height, width) = self.padded();
        let across = self.results().1;
        picture * self.inputs * height * width + (result / across * width + result % across) * self.stride
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
    let panels = shape.batch * shape.panels(panel_width());
    let blocks = panels.div_ceil(PANELS);
    // Few results: the outputs are divided among the threads as well.
    let rows = share(shape.outputs, blocks, 12, 48);
    let row_parts = shape.outputs.div_ceil(rows);
    let (arch, output) = (arch(), Shared::new(output));
    (0..blocks * row_parts).into_par_iter().for_each(|index| {
        let (block, part) = (index / row_parts, index % row_parts);
        let panels = block * PANELS..panels.min((block + 1) * PANELS);
        let rows = part * rows..shape.outputs.min((part + 1) * rows);
        let depth = DEPTH.min(shape.depth());
        let (values, weights) =
            (PANELS * panel_width() * depth, weight.scratch(ROWS.min(rows.len()) * depth));
        with_scratch(values + weights, |scratch| {
            let (packed, widened) = scratch.split_at_mut(values);
            arch.dispatch(Block { shape, panels, rows, input, weight, packed, widened, output });
        });
    });
}

/// Some outputs of some panels of pixels. Panels are counted through all pictures, so that those of several small ones share
/// what is read of the weights.
struct Block<'a> {
    shape: Shape,
    panels: Range<usize>,
    rows: Range<usize>,
    input: &'a [f32],
    weight: Values<'a>,
    packed: &'a mut [f32],
    widened: &'a mut [f32],
    output: Shared<'a>,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, panels, rows, input, weight, packed, widened, output } = self;
        let panel = panel_width_for::<S>();
        let (of_picture, depth) = (shape.panels(panel), shape.depth());
        let (height, width) = shape.results();
        let pixels = height * width;
        let mut starts = [[0; WIDEST_PANEL]; PANELS];
        let mut counts = [0; PANELS];
        for (index, place) in panels.clone().enumerate() {
            let (picture, first) = (place / of_picture, place % of_picture * panel);
            counts[index] = panel.min(pixels - first);
            for (column, start) in starts[index].iter_mut().enumerate().take(counts[index]) {
                *start = shape.start(picture, first + column);
            }
        }
        for first in (0..depth).step_by(DEPTH) {
            let some = first..depth.min(first + DEPTH);
            let step = panel * some.len();
            for index in 0..panels.len() {
                let starts = &starts[index][..counts[index]];
                pack::<S>(shape, input, some.clone(), starts, &mut packed[index * step..][..step]);
            }
            for row in rows.clone().step_by(ROWS) {
                let count = ROWS.min(rows.end - row);
                let (values, row_step) = weight.lines(row * depth + first, depth, count, some.len(), widened);
                let left = Left { values, row_step, depth_step: 1 };
                let mut place = panels.start;
                while place < panels.end {
                    let (picture, column) = (place / of_picture, place % of_picture * panel);
                    let end = panels.end.min((picture + 1) * of_picture);
                    let columns = pixels.min(column + (end - place) * panel) - column;
                    let right = Panels { values: &packed[(place - panels.start) * step..], step };
                    let size = Size { rows: count, depth: some.len(), columns };
                    let output = output.rows((picture * shape.outputs + row) * pixels + column, pixels);
                    // SAFETY: rows and columns of its own.
                    unsafe { product(simd, size, left, right, output, true) };
                    place = end;
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
