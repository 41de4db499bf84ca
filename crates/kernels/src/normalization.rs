//! Group norm, layer norm, and what follows them.

use super::functions::{silu, silu_slope};
use super::gradient::Differentiable;
use super::product::arch;
use super::stored::usable;
use super::values::{filled, suits, with_all};
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
        self.through(input, true)
    }

    fn through(&self, input: &Tensor, silu: bool) -> Result<Tensor> {
        let frozen = usable(&self.weight) && usable(&self.bias);
        if frozen && suits(input) {
            let [weight, bias] = in_type(DType::F32, [&self.weight, &self.bias])?;
            let (weight, bias) = (weight.to_vec1()?, bias.to_vec1()?);
            return Groups { groups: self.groups, epsilon: self.epsilon, weight, bias, silu }.apply(input);
        }
        let [weight, bias] = in_type(input.dtype(), [&self.weight, &self.bias])?;
        let channels = weight.elem_count();
        let norm = candle_nn::GroupNorm::new(weight, bias, channels, self.groups, self.epsilon)?;
        if silu { norm.forward(input)?.silu() } else { norm.forward(input) }
    }
}

impl Module for GroupNorm {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.through(input, false)
    }
}

/// A group norm with frozen weights, and SiLU where asked for.
#[derive(Debug, Clone)]
struct Groups {
    groups: usize,
    epsilon: f64,
    weight: Vec<f32>,
    bias: Vec<f32>,
    silu: bool,
}

impl Groups {
    fn channels_of_group(&self) -> usize {
        self.weight.len() / self.groups
    }

    /// Weights and biases of a group, by its number among those of all pictures.
    fn of(&self, index: usize) -> (&[f32], &[f32]) {
        let first = index % self.groups * self.channels_of_group();
        let channels = first..first + self.channels_of_group();
        (&self.weight[channels.clone()], &self.bias[channels])
    }
}

impl Differentiable for Groups {
    const NAME: &'static str = "group norm";

    fn result_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        let channels = self.weight.len();
        if shape.get(1) != Some(&channels) {
            candle_core::bail!("maps {shape:?} given to a group norm of {channels} channels");
        }
        Ok(shape.to_vec())
    }

    fn forward(&self, shape: &[usize], input: &[f32], output: &mut [f32]) -> Result<()> {
        let pixels = shape[2..].iter().product();
        let (arch, size) = (arch(), pixels * self.channels_of_group());
        let groups = input.par_chunks(size).zip(output.par_chunks_mut(size)).enumerate();
        groups.for_each(|(index, (input, output))| {
            let (weight, bias) = self.of(index);
            let (epsilon, silu) = (self.epsilon, self.silu);
            arch.dispatch(Group { input, output, weight, bias, pixels, epsilon, silu });
        });
        Ok(())
    }

    fn backward(&self, input: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let pixels = input.dims()[2..].iter().product();
        let (arch, size) = (arch(), pixels * self.channels_of_group());
        pulled_back(input, gradient, size, |index, input, gradient, result| {
            let (weight, bias) = self.of(index);
            let (epsilon, silu) = (self.epsilon, self.silu);
            let group = Group { input, output: result, weight, bias, pixels, epsilon, silu };
            arch.dispatch(GroupGradient { group, gradient });
        })
    }
}

/// Gradient with respect to values, from that with respect to results: `work` is given the number of a group of `size`
/// values, its input, the results' gradient, and where the values' goes.
fn pulled_back(
    input: &Tensor,
    gradient: &Tensor,
    size: usize,
    work: impl Fn(usize, &[f32], &[f32], &mut [f32]) + Sync,
) -> Result<Tensor> {
    filled(input.shape(), |output| {
        with_all(input, |input| {
            with_all(gradient, |gradient| {
                let groups = input.par_chunks(size).zip(gradient.par_chunks(size));
                groups
                    .zip(output.par_chunks_mut(size))
                    .enumerate()
                    .for_each(|(index, ((input, gradient), output))| work(index, input, gradient, output));
            })
        })?
    })
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

/// The gradient with respect to a group's input; the group's output is where it goes.
struct GroupGradient<'a> {
    group: Group<'a>,
    /// With respect to the results.
    gradient: &'a [f32],
}

impl WithSimd for GroupGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { group: Group { input, output, weight, bias, pixels, epsilon, silu: then_silu }, gradient } =
            self;
        let (mean, deviation) = moments(simd, input, epsilon);
        output.copy_from_slice(gradient);
        if then_silu {
            let channels = input.chunks_exact(pixels).zip(output.chunks_exact_mut(pixels));
            for ((input, gradient), (weight, bias)) in channels.zip(weight.iter().zip(bias)) {
                let scale = f64::from(*weight) / deviation;
                Scaled::around(mean, scale, f64::from(*bias)).through_silu(simd, input, gradient);
            }
        }
        for (gradient, weight) in output.chunks_exact_mut(pixels).zip(weight) {
            gradient.iter_mut().for_each(|value| *value *= weight);
        }
        through_normalization(input, output, mean, deviation);
    }
}

/// From the gradient with respect to normalised values to that with respect to the values, in place.
#[inline(always)]
fn through_normalization(values: &[f32], gradient: &mut [f32], mean: f64, deviation: f64) {
    let normalized = |value: f32| (f64::from(value) - mean) / deviation;
    let (mut sum, mut product) = (0.0, 0.0);
    for (&value, &gradient) in values.iter().zip(&*gradient) {
        sum += f64::from(gradient);
        product += f64::from(gradient) * normalized(value);
    }
    let count = values.len() as f64;
    for (&value, gradient) in values.iter().zip(gradient) {
        let rest = f64::from(*gradient) - sum / count - normalized(value) * product / count;
        *gradient = (rest / deviation) as f32;
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

impl Scaled {
    /// Multiplies `gradient` by SiLU's slope.
    #[inline(always)]
    fn through_silu<S: Simd>(&self, simd: S, input: &[f32], gradient: &mut [f32]) {
        let (scale, shift) = (simd.splat_f32s(self.scale), simd.splat_f32s(self.shift));
        let center = simd.splat_f32s(self.center);
        let (values, rest) = S::as_simd_f32s(input);
        let (gradients, last) = S::as_mut_simd_f32s(gradient);
        for (gradient, &value) in gradients.iter_mut().zip(values) {
            let value = simd.mul_add_e_f32s(simd.sub_f32s(value, center), scale, shift);
            *gradient = simd.mul_f32s(*gradient, silu_slope(simd, value));
        }
        if !rest.is_empty() {
            let value = simd.sub_f32s(simd.partial_load_f32s(rest), center);
            let slope = silu_slope(simd, simd.mul_add_e_f32s(value, scale, shift));
            simd.partial_store_f32s(last, simd.mul_f32s(simd.partial_load_f32s(last), slope));
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
        let frozen = usable(&self.weight) && usable(&self.bias);
        if !(frozen && suits(input)) {
            return self.plain(input);
        }
        let [weight, bias] = in_type(DType::F32, [&self.weight, &self.bias])?;
        let (weight, bias) = (weight.to_vec1()?, bias.to_vec1()?);
        Channels { epsilon: self.epsilon, weight, bias }.apply(input)
    }
}

/// A layer norm with frozen weights.
#[derive(Debug, Clone)]
struct Channels {
    epsilon: f64,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Channels {
    /// Values that a thread takes at once.
    fn at_once(&self) -> usize {
        32 * self.weight.len()
    }
}

impl Differentiable for Channels {
    const NAME: &'static str = "layer norm";

    fn result_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        let channels = self.weight.len();
        if shape.last() != Some(&channels) {
            candle_core::bail!("{shape:?} given to a layer norm of {channels} channels");
        }
        Ok(shape.to_vec())
    }

    fn forward(&self, _shape: &[usize], input: &[f32], output: &mut [f32]) -> Result<()> {
        let (arch, at_once, epsilon) = (arch(), self.at_once(), self.epsilon);
        input.par_chunks(at_once).zip(output.par_chunks_mut(at_once)).for_each(|(input, output)| {
            arch.dispatch(Tokens { input, output, weight: &self.weight, bias: &self.bias, epsilon });
        });
        Ok(())
    }

    fn backward(&self, input: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let arch = arch();
        pulled_back(input, gradient, self.at_once(), |_, input, gradient, output| {
            let (weight, epsilon) = (&self.weight, self.epsilon);
            arch.dispatch(TokensGradient { input, gradient, output, weight, epsilon });
        })
    }
}

/// The gradient with respect to some tokens.
struct TokensGradient<'a> {
    input: &'a [f32],
    /// With respect to the results.
    gradient: &'a [f32],
    output: &'a mut [f32],
    weight: &'a [f32],
    epsilon: f64,
}

impl WithSimd for TokensGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.weight.len();
        let tokens = self.input.chunks_exact(channels).zip(self.gradient.chunks_exact(channels));
        for ((input, gradient), output) in tokens.zip(self.output.chunks_exact_mut(channels)) {
            let (mean, deviation) = moments(simd, input, self.epsilon);
            for ((output, gradient), weight) in output.iter_mut().zip(gradient).zip(self.weight) {
                *output = gradient * weight;
            }
            through_normalization(input, output, mean, deviation);
        }
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
