//! Group norm, layer norm, and what follows them.

use super::functions::silu;
use super::product::arch;
use super::stored::usable;
use super::values::{filled, serve, with_all};
use candle_core::{DType, Result, Tensor};
use candle_nn::{Module, VarBuilder};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Group norm over maps `(batch, channels, …)`. In 32 bits on the CPU it runs on this crate's kernels, accurate to 10⁻⁶.
#[derive(Debug)]
pub struct GroupNorm {
    groups: usize,
    epsilon: f64,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    /// `channels` in `groups`.
    pub fn new(groups: usize, channels: usize, epsilon: f64, vb: VarBuilder) -> Result<Self> {
        let (weight, bias) = (vb.get(channels, "weight")?, vb.get(channels, "bias")?);
        Ok(Self { groups, epsilon, weight, bias })
    }

    /// The norm, then SiLU.
    pub fn forward_silu(&self, input: &Tensor) -> Result<Tensor> {
        if self.serves(input) { self.normalize(input, true) } else { self.plain(input)?.silu() }
    }

    fn plain(&self, input: &Tensor) -> Result<Tensor> {
        let [weight, bias] = in_type(input.dtype(), [&self.weight, &self.bias])?;
        let channels = weight.elem_count();
        candle_nn::GroupNorm::new(weight, bias, channels, self.groups, self.epsilon)?.forward(input)
    }

    fn serves(&self, input: &Tensor) -> bool {
        serve(&[input]) && usable(&self.weight) && usable(&self.bias)
    }

    fn normalize(&self, input: &Tensor, silu: bool) -> Result<Tensor> {
        let (channels, groups) = (self.weight.elem_count(), self.groups);
        if input.dim(1)? != channels {
            candle_core::bail!("maps {:?} given to a group norm of {channels} channels", input.shape());
        }
        let pixels = input.elem_count() / input.dim(0)? / channels;
        let size = pixels * channels / groups;
        filled(input.shape(), |output| {
            let [weight, bias] = in_type(DType::F32, [&self.weight, &self.bias])?;
            let (weight, bias) = (weight.to_vec1::<f32>()?, bias.to_vec1::<f32>()?);
            with_all(input, |input| {
                let arch = arch();
                input.par_chunks(size).zip(output.par_chunks_mut(size)).enumerate().for_each(
                    |(index, (input, output))| {
                        let first = index % groups * (channels / groups);
                        let (weight, bias) = (&weight[first..], &bias[first..]);
                        arch.dispatch(Group {
                            input,
                            output,
                            weight,
                            bias,
                            pixels,
                            epsilon: self.epsilon,
                            silu,
                        });
                    },
                );
            })
        })
    }
}

impl Module for GroupNorm {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        if self.serves(input) { self.normalize(input, false) } else { self.plain(input) }
    }
}

/// Weights in the type of what they are applied to.
fn in_type(dtype: DType, weights: [&Tensor; 2]) -> Result<[Tensor; 2]> {
    let [weight, bias] = weights.map(|weight| weight.to_dtype(dtype));
    Ok([weight?, bias?])
}

/// One group of one picture: some channels, each with its pixels.
struct Group<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    pixels: usize,
    epsilon: f64,
    silu: bool,
}

impl WithSimd for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { input, output, weight, bias, pixels, epsilon, silu: then_silu } = self;
        let (mean, deviation) = moments(simd, input, epsilon);
        let channels = input.chunks_exact(pixels).zip(output.chunks_exact_mut(pixels));
        for ((input, output), (weight, bias)) in channels.zip(weight.iter().zip(bias)) {
            let scale = f64::from(*weight) / deviation;
            Scaled::around(mean, scale, f64::from(*bias)).apply(simd, input, output, then_silu);
        }
    }
}

/// Mean, and the root of variance plus ε. The parts' sums are formed in 32 bits, the whole in 64.
#[inline(always)]
fn moments<S: Simd>(simd: S, values: &[f32], epsilon: f64) -> (f64, f64) {
    let count = values.len() as f64;
    let first = values.first().copied().unwrap_or(0.0);
    let mean = f64::from(first) + sum(simd, values, first, false) / count;
    let variance = sum(simd, values, mean as f32, true) / count;
    (mean, (variance + epsilon).sqrt())
}

/// The sum of all differences from `center`, or of their squares.
#[inline(always)]
fn sum<S: Simd>(simd: S, values: &[f32], center: f32, squared: bool) -> f64 {
    /// Vectors that are summed in 32 bits.
    const PART: usize = 64;
    let (vectors, rest) = S::as_simd_f32s(values);
    let middle = simd.splat_f32s(center);
    let mut total = 0.0;
    for part in vectors.chunks(PART) {
        let mut sums = [simd.splat_f32s(0.0); 4];
        for (index, &value) in part.iter().enumerate() {
            let place = &mut sums[index % 4];
            let difference = simd.sub_f32s(value, middle);
            *place = if squared {
                simd.mul_add_e_f32s(difference, difference, *place)
            } else {
                simd.add_f32s(*place, difference)
            };
        }
        let sums = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
        total += f64::from(simd.reduce_sum_f32s(sums));
    }
    for &value in rest {
        let difference = f64::from(value - center);
        total += if squared { difference * difference } else { difference };
    }
    total
}

/// `(x - center) · scale + shift`, and SiLU where asked for.
struct Scaled {
    center: f32,
    scale: f32,
    shift: f32,
}

impl Scaled {
    /// `(x - mean) · scale + shift`, as exact where the values hardly differ from their mean.
    fn around(mean: f64, scale: f64, shift: f64) -> Self {
        let center = mean as f32;
        let shift = shift - (mean - f64::from(center)) * scale;
        Self { center, scale: scale as f32, shift: shift as f32 }
    }

    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, input: &[f32], output: &mut [f32], then_silu: bool) {
        let (scale, shift) = (simd.splat_f32s(self.scale), simd.splat_f32s(self.shift));
        let center = simd.splat_f32s(self.center);
        let (values, rest) = S::as_simd_f32s(input);
        let (results, last) = S::as_mut_simd_f32s(output);
        for (result, &value) in results.iter_mut().zip(values) {
            let value = simd.mul_add_e_f32s(simd.sub_f32s(value, center), scale, shift);
            *result = if then_silu { silu(simd, value) } else { value };
        }
        if !rest.is_empty() {
            let value = simd.sub_f32s(simd.partial_load_f32s(rest), center);
            let value = simd.mul_add_e_f32s(value, scale, shift);
            simd.partial_store_f32s(last, if then_silu { silu(simd, value) } else { value });
        }
    }
}

/// Layer norm over the last dimension. In 32 bits on the CPU it runs on this crate's kernels, accurate to 10⁻⁶.
#[derive(Debug)]
pub struct LayerNorm {
    epsilon: f64,
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// Over `channels`.
    pub fn new(channels: usize, epsilon: f64, vb: VarBuilder) -> Result<Self> {
        let (weight, bias) = (vb.get(channels, "weight")?, vb.get(channels, "bias")?);
        Ok(Self { epsilon, weight, bias })
    }

    /// candle's fused layer norm has no gradient.
    fn plain(&self, input: &Tensor) -> Result<Tensor> {
        let [weight, bias] = in_type(input.dtype(), [&self.weight, &self.bias])?;
        if input.track_op() || weight.track_op() || bias.track_op() {
            return candle_nn::ops::layer_norm_slow(input, &weight, &bias, self.epsilon as f32);
        }
        candle_nn::LayerNorm::new(weight, bias, self.epsilon).forward(input)
    }
}

impl Module for LayerNorm {
    /// `(…, channels)` to the same.
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        if !(serve(&[input]) && usable(&self.weight) && usable(&self.bias)) {
            return self.plain(input);
        }
        let channels = self.weight.elem_count();
        if input.dims().last() != Some(&channels) {
            candle_core::bail!("{:?} given to a layer norm of {channels} channels", input.shape());
        }
        filled(input.shape(), |output| {
            let [weight, bias] = in_type(DType::F32, [&self.weight, &self.bias])?;
            let (weight, bias) = (weight.to_vec1::<f32>()?, bias.to_vec1::<f32>()?);
            with_all(input, |input| {
                let (arch, at_once, epsilon) = (arch(), 32 * channels, self.epsilon);
                input.par_chunks(at_once).zip(output.par_chunks_mut(at_once)).for_each(|(input, output)| {
                    arch.dispatch(Tokens { input, output, weight: &weight, bias: &bias, epsilon });
                });
            })
        })
    }
}

/// Some tokens, each with its channels.
struct Tokens<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f64,
}

impl WithSimd for Tokens<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.weight.len();
        let tokens = self.input.chunks_exact(channels).zip(self.output.chunks_exact_mut(channels));
        for (input, output) in tokens {
            let (mean, deviation) = moments(simd, input, self.epsilon);
            Scaled::around(mean, 1.0 / deviation, 0.0).apply(simd, input, output, false);
            let (results, last) = S::as_mut_simd_f32s(output);
            let ((weights, last_weights), (biases, last_biases)) =
                (S::as_simd_f32s(self.weight), S::as_simd_f32s(self.bias));
            for ((result, &weight), &bias) in results.iter_mut().zip(weights).zip(biases) {
                *result = simd.mul_add_e_f32s(*result, weight, bias);
            }
            for ((result, weight), bias) in last.iter_mut().zip(last_weights).zip(last_biases) {
                *result = *result * weight + bias;
            }
        }
    }
}
