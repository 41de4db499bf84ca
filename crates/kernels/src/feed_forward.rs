//! A gated feed-forward layer, some tokens at a time: what lies between its two linear layers, eight times as wide as the
//! tokens, never leaves the second-level cache.

use super::gate::{Gate, gated_gelu};
use super::linear::{Linear, PackedWeights, Start};
use super::product::{DEPTH, Left, arch, panel_width};
use super::scratch::{Output, Shared, with_scratch};
use super::values::{filled, serve, with_all};
use candle_core::{Result, Tensor};
use candle_nn::Module;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Tokens that a thread takes at once.
const TOKENS: usize = 96;

/// `residual + out(GEGLU(gated(input)))`: `input` and `residual` are `(…, channels)`, `gated` has twice as many outputs as
/// `out` has inputs. Equal, bit for bit, to the layers one after the other.
pub fn feed_forward(residual: &Tensor, input: &Tensor, gated: &Linear, out: &Linear) -> Result<Tensor> {
    let layers = gated.packed().zip(out.packed()).filter(|((gated, _), (out, _))| {
        let channels = input.dims().last() == Some(&gated.inputs()) && input.dims() == residual.dims();
        let inner = out.inputs();
        let halves = gated.outputs() == 2 * inner && inner.is_multiple_of(panel_width());
        channels && halves && out.outputs() == gated.inputs()
    });
    let Some(((gated_weights, gated_bias), (out_weights, out_bias))) =
        layers.filter(|_| serve(&[residual, input]) && worth_it(input))
    else {
        return out.forward_onto(residual, &gated_gelu(&gated.forward(input)?)?);
    };
    let layer = Layer { gated: gated_weights, gated_bias, out: out_weights };
    filled(input.shape(), |output| {
        with_all(residual, |residual| {
            let start = Start { bias: Some(out_bias), residual: Some(residual) };
            with_all(input, |input| layer.apply(input, start, output))
        })?
    })
}

/// Whether every thread has some tokens to work on; else the layers' outputs are divided among the threads as well.
fn worth_it(input: &Tensor) -> bool {
    let channels = input.dims().last().copied().unwrap_or(1).max(1);
    input.elem_count() / channels >= 4 * TOKENS * rayon::current_num_threads()
}

#[derive(Clone, Copy)]
struct Layer<'a> {
    gated: &'a PackedWeights,
    gated_bias: &'a [f32],
    out: &'a PackedWeights,
}

impl Layer<'_> {
    fn apply(self, input: &[f32], start: Start, output: &mut [f32]) {
        let channels = self.gated.inputs();
        let tokens = input.len() / channels;
        let output = Shared::new(output);
        let widened = self.gated.scratch(DEPTH).max(self.out.scratch(channels));
        (0..tokens.div_ceil(TOKENS)).into_par_iter().for_each(|index| {
            let rows = index * TOKENS..tokens.min((index + 1) * TOKENS);
            with_scratch(3 * TOKENS * DEPTH + widened, |scratch| {
                arch().dispatch(Block { layer: self, input, start, rows, scratch, output });
            });
        });
    }
}

/// Some tokens.
struct Block<'a> {
    layer: Layer<'a>,
    input: &'a [f32],
    start: Start<'a>,
    rows: Range<usize>,
    /// Values, gates and what the gates let through, each `(tokens, DEPTH)`, and room for widened weights.
    scratch: &'a mut [f32],
    output: Shared<'a>,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, input, start, rows, scratch, output } = self;
        let (channels, inner) = (layer.out.outputs(), layer.out.inputs());
        let (values, rest) = scratch.split_at_mut(TOKENS * DEPTH);
        let (gates, rest) = rest.split_at_mut(TOKENS * DEPTH);
        let (passed, widened) = rest.split_at_mut(TOKENS * DEPTH);
        for row in rows.clone() {
            // SAFETY: a row of its own.
            let line = unsafe { output.slice(row * channels, channels) };
            start.write(line, row * channels, 0);
        }
        let input = &input[rows.start * channels..];
        for first in (0..inner).step_by(DEPTH) {
            let some = first..inner.min(first + DEPTH);
            layer.project(simd, input, rows.len(), some.clone(), widened, values);
            layer.project(simd, input, rows.len(), inner + some.start..inner + some.end, widened, gates);
            let lines = values.chunks_exact(DEPTH).zip(gates.chunks_exact(DEPTH));
            for ((values, gates), passed) in lines.zip(passed.chunks_exact_mut(DEPTH)).take(rows.len()) {
                let count = some.len();
                let gate =
                    Gate { values: &values[..count], gates: &gates[..count], output: &mut passed[..count] };
                gate.with_simd(simd);
            }
            let left = Left { values: passed, row_step: DEPTH, depth_step: 1 };
            let output = output.rows(rows.start * channels, channels);
            // SAFETY: rows of its own.
            unsafe { layer.out.multiply(simd, (left, rows.len()), some, 0..channels, widened, output, true) };
        }
    }
}

impl Layer<'_> {
    /// Some outputs of the first layer, `(rows, DEPTH)`.
    #[inline(always)]
    fn project<S: Simd>(
        self,
        simd: S,
        input: &[f32],
        rows: usize,
        columns: Range<usize>,
        widened: &mut [f32],
        output: &mut [f32],
    ) {
        for line in output.chunks_exact_mut(DEPTH).take(rows) {
            line[..columns.len()].copy_from_slice(&self.gated_bias[columns.clone()]);
        }
        let output = Output::of(output, DEPTH);
        // SAFETY: borrowed by nobody else.
        unsafe { self.gated.multiply_all(simd, (input, rows), columns, widened, output, true) };
    }
}
