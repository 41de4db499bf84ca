//! Attention that never stores its scores: softmax with a running maximum, a few queries and some keys at a time
//! (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao, "FlashAttention", 2022), over any
//! number of segments of keys, each with weights of its own (DreamTuner, Eq. 3).

use super::Segment;
use crate::functions::power_of_two;
use crate::product::{Left, Panels, Size, arch, panel_width, panel_width_for, product, share, vectors};
use crate::scratch::{Output, Shared, with_scratch};
use crate::values::{filled, values};
use candle_core::{Layout, Result, StorageRef, Tensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Keys that are worked on at once: their scores stay in the first-level cache, and rows of every tile divide them.
const KEYS: usize = 120;
/// Panels of queries that a thread takes at most at once: so often, keys are read from the cache.
const MOST_PANELS: usize = 32;

/// [`weighted_attention`](super::weighted_attention) of tensors of 32 bits on the CPU, without gradients.
pub(super) fn attend(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    let (batch, heads, tokens, width) = queries.dims4()?;
    for Segment { keys, values, log_weights } in segments {
        let count = keys.dim(2)?;
        let shape = [batch, heads, count, width];
        if keys.dims() != shape
            || values.dims() != shape
            || log_weights.iter().any(|log| log.dims() != [count])
        {
            candle_core::bail!(
                "keys {:?}, values {:?} for queries {:?}",
                keys.shape(),
                values.shape(),
                queries.shape()
            );
        }
    }
    let rows =
        |tensor: &Tensor| if tensor.stride()[3] == 1 { Ok(tensor.clone()) } else { tensor.contiguous() };
    let queries = rows(queries)?;
    let segments = segments
        .iter()
        .map(|segment| Ok((rows(&segment.keys)?, rows(&segment.values)?, segment.log_weights()?)))
        .collect::<Result<Vec<_>>>()?;
    let locked: Vec<_> = segments
        .iter()
        .map(|(keys, values, log)| (keys.storage_and_layout(), values.storage_and_layout(), log.as_deref()))
        .collect();
    let segments = locked
        .iter()
        .map(|(keys, values, log_weights)| {
            let tokens = keys.1.dims()[2];
            Ok(Keys { keys: View::of(keys)?, values: View::of(values)?, tokens, log_weights: *log_weights })
        })
        .collect::<Result<Vec<_>>>()?;
    let queries = queries.storage_and_layout();
    let queries = View::of(&queries)?;
    let result = filled((batch, tokens, heads, width), |output| {
        attend_values(Heads { batch, tokens, heads, width }, queries, &segments, output);
        Ok(())
    })?;
    result.transpose(1, 2)
}

/// A tensor `(batch, heads, tokens, width)` of which a token's values lie side by side.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    values: &'a [f32],
    picture: usize,
    head: usize,
    token: usize,
}

impl<'a> View<'a> {
    fn of((storage, layout): &'a (StorageRef<'_>, &Layout)) -> Result<Self> {
        Ok(Self::new(values(storage, layout)?, layout.stride()))
    }

    pub(super) fn new(values: &'a [f32], stride: &[usize]) -> Self {
        Self { values, picture: stride[0], head: stride[1], token: stride[2] }
    }

    fn from(&self, picture: usize, head: usize, token: usize) -> &'a [f32] {
        &self.values[picture * self.picture + head * self.head + token * self.token..]
    }
}

#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    pub keys: View<'a>,
    pub values: View<'a>,
    pub tokens: usize,
    pub log_weights: Option<&'a [f32]>,
}

#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub batch: usize,
    /// Queries of one picture.
    pub tokens: usize,
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
}

/// `output` is `(batch, tokens, heads, width)`.
pub(super) fn attend_values(heads: Heads, queries: View, segments: &[Keys], output: &mut [f32]) {
    let Heads { batch, tokens, heads: count, width } = heads;
    assert_eq!(output.len(), batch * tokens * count * width);
    let panel = panel_width();
    let panels = tokens.div_ceil(panel);
    let at_once = share(panels, batch * count, 1, 1).min(MOST_PANELS);
    let blocks = panels.div_ceil(at_once);
    let (arch, output) = (arch(), Shared::new(output));
    (0..batch * count * blocks).into_par_iter().for_each(|index| {
        let (picture, head, block) = (index / (count * blocks), index / blocks % count, index % blocks);
        let first = block * at_once;
        let part = Part { heads, picture, head, queries, segments, output };
        let some = at_once.min(panels - first);
        let (running, packed) = ((some * (2 * width + 2) + KEYS) * panel, 2 * KEYS * width);
        with_scratch(running + packed, |scratch| {
            arch.dispatch(Block { part, first, panels: some, scratch });
        });
    });
}

/// One head of one picture.
#[derive(Clone, Copy)]
struct Part<'a> {
    heads: Heads,
    picture: usize,
    head: usize,
    queries: View<'a>,
    segments: &'a [Keys<'a>],
    output: Shared<'a>,
}

/// Some panels of queries.
struct Block<'a> {
    part: Part<'a>,
    first: usize,
    panels: usize,
    scratch: &'a mut [f32],
}

/// What is known of one panel's queries so far: `width` rows of sums, one of maxima, one of the weights' sum.
struct Running<'a> {
    sums: &'a mut [f32],
    maxima: &'a mut [f32],
    totals: &'a mut [f32],
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { part, first, panels, scratch } = self;
        let Heads { width, .. } = part.heads;
        let panel = panel_width_for::<S>();
        let (query_size, running_size) = (width * panel, (width + 2) * panel);
        let (queries, rest) = scratch.split_at_mut(panels * query_size);
        let (running, rest) = rest.split_at_mut(panels * running_size);
        let (scores, rest) = rest.split_at_mut(KEYS * panel);
        let (packed_keys, packed_values) = rest.split_at_mut(KEYS * width);
        for (index, queries) in queries.chunks_exact_mut(query_size).enumerate() {
            part.pack_queries((first + index) * panel, panel, queries);
        }
        for running in running.chunks_exact_mut(running_size) {
            let Running { sums, maxima, totals } = split(running, width, panel);
            sums.fill(0.0);
            maxima.fill(f32::NEG_INFINITY);
            totals.fill(0.0);
        }
        for segment in part.segments {
            for key in (0..segment.tokens).step_by(KEYS) {
                let count = KEYS.min(segment.tokens - key);
                part.pack(segment.keys, key, count, packed_keys);
                part.pack(segment.values, key, count, packed_values);
                let keys = Left { values: packed_keys, row_step: width, depth_step: 1 };
                let values = Left { values: packed_values, row_step: 1, depth_step: width };
                let log_weights = segment.log_weights.map(|weights| &weights[key..][..count]);
                let pairs = queries.chunks_exact(query_size).zip(running.chunks_exact_mut(running_size));
                for (queries, running) in pairs {
                    let scores = &mut scores[..count * panel];
                    let size = Size { rows: count, depth: width, columns: panel };
                    let right = Panels { values: queries, step: 0 };
                    // SAFETY: `scores` is borrowed by nobody else.
                    unsafe { product(simd, size, keys, right, Output::of(scores, panel), false) };
                    weigh(simd, scores, log_weights, split(running, width, panel));
                    let size = Size { rows: width, depth: count, columns: panel };
                    let (sums, right) =
                        (split(running, width, panel).sums, Panels { values: scores, step: 0 });
                    // SAFETY: nor are `sums`.
                    unsafe { product(simd, size, values, right, Output::of(sums, panel), true) };
                }
            }
        }
        for (index, running) in running.chunks_exact_mut(running_size).enumerate() {
            part.store((first + index) * panel, panel, split(running, width, panel));
        }
    }
}

fn split(running: &mut [f32], width: usize, panel: usize) -> Running<'_> {
    let (sums, rest) = running.split_at_mut(width * panel);
    let (maxima, totals) = rest.split_at_mut(panel);
    Running { sums, maxima, totals }
}

impl Part<'_> {
    /// `(tokens, width)` of `count` tokens from `first` on, close together, for the first-level cache.
    #[inline(always)]
    fn pack(&self, tokens: View, first: usize, count: usize, packed: &mut [f32]) {
        let width = self.heads.width;
        for (index, line) in packed.chunks_exact_mut(width).enumerate().take(count) {
            line.copy_from_slice(&tokens.from(self.picture, self.head, first + index)[..width]);
        }
    }

    /// `(width, panel)`, scaled by log₂(e)/√width: weights are powers of two.
    #[inline(always)]
    fn pack_queries(&self, first: usize, panel: usize, packed: &mut [f32]) {
        let Heads { tokens, width, .. } = self.heads;
        let scale = std::f32::consts::LOG2_E / (width as f32).sqrt();
        for column in 0..panel {
            let token = (first + column).min(tokens - 1);
            let query = self.queries.from(self.picture, self.head, token);
            for (row, value) in query[..width].iter().enumerate() {
                packed[row * panel + column] = value * scale;
            }
        }
    }

    #[inline(always)]
    fn store(&self, first: usize, panel: usize, running: Running) {
        let Heads { tokens, heads, width, .. } = self.heads;
        for column in 0..panel.min(tokens - first) {
            let start = ((self.picture * tokens + first + column) * heads + self.head) * width;
            // SAFETY: the query's own place.
            let line = unsafe { self.output.slice(start, width) };
            let scale = 1.0 / running.totals[column];
            for (row, value) in line.iter_mut().enumerate() {
                *value = running.sums[row * panel + column] * scale;
            }
        }
    }
}

/// Turns scores into weights relative to the new maxima, and what was summed before to the same.
#[inline(always)]
fn weigh<S: Simd>(simd: S, scores: &mut [f32], log_weights: Option<&[f32]>, running: Running) {
    let (scores, _) = S::as_mut_simd_f32s(scores);
    let (sums, _) = S::as_mut_simd_f32s(running.sums);
    let (maxima, _) = S::as_mut_simd_f32s(running.maxima);
    let (totals, _) = S::as_mut_simd_f32s(running.totals);
    let step = vectors::<S>();
    if let Some(log_weights) = log_weights {
        for (scores, &weight) in scores.chunks_exact_mut(step).zip(log_weights) {
            let weight = simd.splat_f32s(weight * std::f32::consts::LOG2_E);
            for score in scores {
                *score = simd.add_f32s(*score, weight);
            }
        }
    }
    for vector in 0..step {
        let before = maxima[vector];
        let mut maximum = before;
        for scores in scores.chunks_exact(step) {
            maximum = simd.max_f32s(maximum, scores[vector]);
        }
        maxima[vector] = maximum;
        let scale = power_of_two(simd, simd.sub_f32s(before, maximum));
        let mut total = simd.mul_f32s(totals[vector], scale);
        for scores in scores.chunks_exact_mut(step) {
            let weight = power_of_two(simd, simd.sub_f32s(scores[vector], maximum));
            scores[vector] = weight;
            total = simd.add_f32s(total, weight);
        }
        totals[vector] = total;
        for sums in sums.chunks_exact_mut(step) {
            sums[vector] = simd.mul_f32s(sums[vector], scale);
        }
    }
}
