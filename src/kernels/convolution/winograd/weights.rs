//! Weights as Winograd's products want them.

use super::{FREQUENCIES, SIDE, WIDEST, load, store, times, transposed};
use crate::kernels::product::arch;
use crate::kernels::scratch::Shared;
use crate::kernels::stored::Values;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::array::from_fn;

/// Values of a kernel.
const TAPS: usize = 9;
/// Kernels that a thread transforms at once.
const AT_ONCE: usize = 64;

/// `(frequencies, outputs, inputs)`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Weights<'a> {
    pub values: &'a [f32],
    pub outputs: usize,
    pub inputs: usize,
}

impl<'a> Weights<'a> {
    pub(super) fn frequency(self, frequency: usize) -> &'a [f32] {
        &self.values[frequency * self.outputs * self.inputs..][..self.outputs * self.inputs]
    }

    /// `(outputs, inputs, 3, 3)` again, accurate to 10⁻⁶ of a kernel's largest value.
    pub(in super::super) fn recovered(self) -> Vec<f32> {
        let count = self.outputs * self.inputs;
        let line = |values: [f64; SIDE]| [4.0 * values[0], 3.0 * (values[2] - values[1]), values[5]];
        let kernel = |index: usize| -> [f32; TAPS] {
            let value = |place: usize| f64::from(self.values[place * count + index]);
            let rows: [[f64; 3]; SIDE] = from_fn(|row| line(from_fn(|column| value(row * SIDE + column))));
            let columns: [[f64; 3]; 3] = from_fn(|column| line(from_fn(|row| rows[row][column])));
            from_fn(|index| columns[index % 3][index / 3] as f32)
        };
        (0..count).flat_map(kernel).collect()
    }
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
    place: Shared,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weight, first, count, place } = self;
        let some = AT_ONCE.min(count - first);
        let mut kernels = [0.0; TAPS * AT_ONCE];
        weight.widen(TAPS * first, &mut kernels[..TAPS * some]);
        let mut taps = [[0.0; WIDEST]; TAPS];
        for start in (0..some).step_by(S::F32_LANES) {
            let lanes = S::F32_LANES.min(some - start);
            for lane in 0..lanes {
                for tap in 0..TAPS {
                    taps[tap][lane] = kernels[(start + lane) * TAPS + tap];
                }
            }
            for (frequency, vector) in frequencies(simd, &taps).into_iter().flatten().enumerate() {
                // SAFETY: first + start + lanes <= count, and every kernel has its own places.
                let own = unsafe {
                    std::slice::from_raw_parts_mut(place.at(frequency * count + first + start), lanes)
                };
                if lanes == S::F32_LANES {
                    store::<S>(own, vector);
                } else {
                    let mut values = [0.0; WIDEST];
                    store::<S>(&mut values, vector);
                    own.copy_from_slice(&values[..lanes]);
                }
            }
        }
    }
}

/// `G·g·Gᵀ`, row by row.
#[inline(always)]
fn frequencies<S: Simd>(simd: S, taps: &[[f32; WIDEST]; TAPS]) -> [[S::f32s; SIDE]; SIDE] {
    let mut columns = [[simd.splat_f32s(0.0); SIDE]; 3];
    for column in 0..3 {
        let mut line = [simd.splat_f32s(0.0); 3];
        for row in 0..3 {
            line[row] = load::<S>(&taps[row * 3 + column]);
        }
        columns[column] = weights_line(simd, line);
    }
    let lines = transposed(columns);
    let mut rows = [[simd.splat_f32s(0.0); SIDE]; SIDE];
    for row in 0..SIDE {
        rows[row] = weights_line(simd, lines[row]);
    }
    rows
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
