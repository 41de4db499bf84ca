//! Weights as Winograd's products want them.

use super::{FREQUENCIES, SIDE, load, times, transposed, write_line};
use crate::product::arch;
use crate::scratch::{Output, Shared};
use crate::stored::Values;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::array::from_fn;
use std::ops::Range;

/// Values of a kernel.
const TAPS: usize = 9;
/// Kernels that a thread transforms at once.
pub(super) const AT_ONCE: usize = 64;

/// Weights of `outputs` × `inputs` kernels.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Weights<'a> {
    pub kernels: Kernels<'a>,
    pub outputs: usize,
    pub inputs: usize,
}

#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Kernels<'a> {
    /// `(frequencies, outputs, inputs)`.
    Transformed(&'a [f32]),
    /// `(outputs, inputs, 3, 3)`, to be transformed each time.
    AsRead(Values<'a>),
}

/// `(outputs, inputs, 3, 3)` from transformed weights, accurate to 10⁻⁶ of a kernel's largest value.
pub(in super::super) fn recovered(transformed: &[f32]) -> Vec<f32> {
    let count = transformed.len() / FREQUENCIES;
    let line = |values: [f64; SIDE]| [4.0 * values[0], 3.0 * (values[2] - values[1]), values[5]];
    let kernel = |index: usize| -> [f32; TAPS] {
        let value = |place: usize| f64::from(transformed[place * count + index]);
        let rows: [[f64; 3]; SIDE] = from_fn(|row| line(from_fn(|column| value(row * SIDE + column))));
        let columns: [[f64; 3]; 3] = from_fn(|column| line(from_fn(|row| rows[row][column])));
        from_fn(|index| columns[index % 3][index / 3] as f32)
    };
    (0..count).flat_map(kernel).collect()
}

/// Number of values of transformed weights.
pub(in super::super) fn transformed_length(outputs: usize, inputs: usize) -> usize {
    FREQUENCIES * outputs * inputs
}

/// Transforms `weight` `(outputs, inputs, 3, 3)`.
pub(in super::super) fn transform(weight: Values, transformed: &mut [f32]) {
    let count = weight.len() / TAPS;
    assert_eq!(transformed.len(), FREQUENCIES * count);
    let (arch, place) = (arch(), Shared::new(transformed));
    (0..count.div_ceil(AT_ONCE)).into_par_iter().for_each(|part| {
        arch.dispatch(Transform { weight, first: part * AT_ONCE, count, place });
    });
}

/// `G·g·Gᵀ` of the kernels from `first` on.
struct Transform<'a> {
    weight: Values<'a>,
    first: usize,
    /// Of all kernels.
    count: usize,
    place: Shared<'a>,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weight, first, count, place } = self;
        let some = AT_ONCE.min(count - first);
        let mut lines = [[0.0; AT_ONCE]; FREQUENCIES];
        let place_of_lines = Output::of(lines.as_flattened_mut(), AT_ONCE);
        // SAFETY: borrowed by nobody else.
        unsafe { transform_some(simd, weight, first..first + some, place_of_lines) };
        for (frequency, line) in lines.iter().enumerate() {
            // SAFETY: every kernel has its own places.
            let own = unsafe { place.slice(frequency * count + first, some) };
            own.copy_from_slice(&line[..some]);
        }
    }
}

/// Transforms some kernels, at most [`AT_ONCE`]: a row of `place` for each frequency.
///
/// # Safety
/// Nobody else may use the first [`AT_ONCE`] values of these rows meanwhile.
#[inline(always)]
pub(super) unsafe fn transform_some<S: Simd>(simd: S, weight: Values, some: Range<usize>, place: Output) {
    let mut kernels = [0.0; TAPS * AT_ONCE];
    weight.widen(TAPS * some.start, &mut kernels[..TAPS * some.len()]);
    let mut taps = [[0.0; AT_ONCE]; TAPS];
    for (index, kernel) in kernels.chunks_exact(TAPS).enumerate() {
        for tap in 0..TAPS {
            taps[tap][index] = kernel[tap];
        }
    }
    for start in (0..some.len()).step_by(S::F32_LANES) {
        // SAFETY: a vector does not reach beyond `AT_ONCE`, which is a multiple of its lanes.
        unsafe { write_frequencies(simd, &taps, start, place.shifted(start)) };
    }
}

/// `G·g·Gᵀ`, row by row, of as many kernels from `start` on as a vector has lanes: a row of `place` for each frequency.
///
/// # Safety
/// Nobody else may use the first vector of these rows meanwhile.
#[inline(always)]
unsafe fn write_frequencies<S: Simd>(simd: S, taps: &[[f32; AT_ONCE]; TAPS], start: usize, place: Output) {
    let (first, step) = (place.first(FREQUENCIES, S::F32_LANES), place.row_step);
    let mut columns = [[simd.splat_f32s(0.0); SIDE]; 3];
    for column in 0..3 {
        let mut line = [simd.splat_f32s(0.0); 3];
        for row in 0..3 {
            line[row] = load::<S>(&taps[row * 3 + column][start..]);
        }
        columns[column] = weights_line(simd, line);
    }
    let lines = transposed(columns);
    for row in 0..SIDE {
        let line = weights_line(simd, lines[row]);
        // SAFETY: there is room, as was just made sure; the rest the caller vouches for.
        unsafe { write_line(line, first.add(row * SIDE * step), step) };
    }
}

/// `G·g`.
#[inline(always)]
fn weights_line<S: Simd>(simd: S, [a, b, c]: [S::f32s; 3]) -> [S::f32s; SIDE] {
    let outer = share(simd, simd.add_f32s(a, c), 6.0);
    let inner = share(simd, b, 6.0);
    let far = times(simd, 1.0 / 6.0, c, share(simd, a, 24.0));
    let half = share(simd, b, 12.0);
    [
        share(simd, a, 4.0),
        simd.neg_f32s(simd.add_f32s(outer, inner)),
        simd.sub_f32s(inner, outer),
        simd.add_f32s(far, half),
        simd.sub_f32s(far, half),
        c,
    ]
}

#[inline(always)]
fn share<S: Simd>(simd: S, value: S::f32s, of: f32) -> S::f32s {
    simd.mul_f32s(value, simd.splat_f32s(1.0 / of))
}
