//! The few operations MoveNet is made of. Maps are (height, width, channels), 32 bits, on the CPU.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use candle_nn::VarBuilder;
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use dreamtuner_kernels::PackedWeights;

/// What follows a convolution.
#[derive(Debug, Clone, Copy)]
pub(super) enum Activation {
    /// Nothing.
    Linear,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
}

impl Activation {
    fn range(self) -> (f32, f32) {
        match self {
            Self::Linear => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }
}

/// A convolution of 1×1: a matrix product over the pixels.
#[derive(Debug)]
pub(super) struct Pointwise {
    weights: PackedWeights,
    bias: Vec<f32>,
    activation: Activation,
}

/// Pixels that are worked on at once, in maps that have more of them, and in others.
const PIXELS: usize = 96;
const FEW_PIXELS: usize = 24;

impl Pointwise {
    pub(super) fn load(
        inputs: usize,
        outputs: usize,
        activation: Activation,
        vb: VarBuilder,
    ) -> Result<Self> {
        let weight: Vec<f32> = vb.get((inputs, outputs), "weight")?.t()?.flatten_all()?.to_vec1()?;
        let weights = PackedWeights::new(&weight, outputs, inputs);
        Ok(Self { weights, bias: vb.get(outputs, "bias")?.to_vec1()?, activation })
    }

    /// (height, width, inputs) → (height, width, outputs).
    pub(super) fn forward(&self, map: &Tensor) -> Result<Tensor> {
        map.contiguous()?.apply_op1_no_bwd(self)
    }

    /// Some pixels, (pixels, inputs) → (pixels, outputs).
    fn product(&self, pixels: &[f32], result: &mut [f32]) {
        self.weights.apply_here(pixels, &self.bias, result);
        let (least, most) = self.activation.range();
        result.iter_mut().for_each(|value| *value = value.clamp(least, most));
    }
}

impl CustomOp1 for Pointwise {
    fn name(&self) -> &'static str {
        "pointwise-convolution"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (map, (height, width, inputs)) = (values(storage, layout)?, layout.shape().dims3()?);
        let outputs = self.bias.len();
        if inputs != self.weights.inputs() {
            bail!("pointwise-convolution: {inputs} channels instead of {}", self.weights.inputs());
        }
        let at_once = if height * width > PIXELS { PIXELS } else { FEW_PIXELS };
        let mut result = vec![0.0; height * width * outputs];
        result
            .par_chunks_mut(at_once * outputs)
            .zip(map.par_chunks(at_once * inputs))
            .for_each(|(result, pixels)| self.product(pixels, result));
        Ok((CpuStorage::F32(result), (height, width, outputs).into()))
    }
}

/// Channels that are worked on at once; all maps have multiples of it.
const LANES: usize = 8;

/// A convolution of 3×3 in which each channel is by itself, padded as TensorFlow's SAME.
#[derive(Debug)]
pub(super) struct Depthwise {
    /// (9, channels), row by row of the kernel.
    weight: Vec<f32>,
    bias: Vec<f32>,
    stride: usize,
    activation: Activation,
}

impl Depthwise {
    /// With bias and [`Activation::Relu6`], as in the backbone.
    pub(super) fn load(channels: usize, stride: usize, vb: VarBuilder) -> Result<Self> {
        let bias = vb.get(channels, "bias")?.to_vec1()?;
        Ok(Self { bias, activation: Activation::Relu6, ..Self::load_plain(channels, stride, vb)? })
    }

    /// Without bias and activation, as in separable convolutions.
    pub(super) fn load_plain(channels: usize, stride: usize, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get((9, channels), "weight")?.flatten_all()?.to_vec1()?;
        Ok(Self { weight, bias: vec![0.0; channels], stride, activation: Activation::Linear })
    }

    /// (height, width, channels) → (height / stride, width / stride, channels).
    pub(super) fn forward(&self, map: &Tensor) -> Result<Tensor> {
        map.contiguous()?.apply_op1_no_bwd(self)
    }
}

/// One row of what a [`Depthwise`] makes of a map.
struct DepthwiseRow<'a> {
    layer: &'a Depthwise,
    map: &'a [f32],
    height: usize,
    width: usize,
    y: usize,
    result: &'a mut [f32],
}

/// Values and weights of all channels at one tap.
type Tap<'a> = (&'a [[f32; LANES]], &'a [[f32; LANES]]);

impl NullaryFnOnce for DepthwiseRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { layer, map, height, width, y, result } = self;
        let channels = layer.bias.len();
        for (x, pixel) in result.chunks_exact_mut(channels).enumerate() {
            let (mut taps, mut count): ([Tap; 9], _) = ([(&[], &[]); 9], 0);
            for tap in 0..9 {
                let Some(row) = source(y, tap / 3, layer.stride, height) else { continue };
                let Some(column) = source(x, tap % 3, layer.stride, width) else { continue };
                let values = map[(row * width + column) * channels..][..channels].as_chunks().0;
                taps[count] = (values, layer.weight[tap * channels..][..channels].as_chunks().0);
                count += 1;
            }
            layer.pixel(&taps[..count], pixel);
        }
    }
}

impl Depthwise {
    #[inline(always)]
    fn pixel(&self, taps: &[Tap], result: &mut [f32]) {
        let (least, most) = self.activation.range();
        let (results, biases) = (result.as_chunks_mut().0, self.bias.as_chunks::<LANES>().0);
        for (index, (result, bias)) in results.iter_mut().zip(biases).enumerate() {
            let mut sum = *bias;
            for (values, weights) in taps {
                for ((sum, value), weight) in sum.iter_mut().zip(&values[index]).zip(&weights[index]) {
                    *sum += value * weight;
                }
            }
            *result = sum.map(|value| value.max(least).min(most));
        }
    }
}

/// Where tap `tap` (0 to 2) of a kernel lies for the `place`-th result; `None` in the padding. TensorFlow's SAME pads
/// sides of an even length by one on both ends at stride 1, and at the far end only at stride 2.
pub(super) fn source(place: usize, tap: usize, stride: usize, length: usize) -> Option<usize> {
    let before = if stride == 1 { 1 } else { 0 };
    (place * stride + tap).checked_sub(before).filter(|&index| index < length)
}

impl CustomOp1 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise-convolution"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (map, (height, width, channels)) = (values(storage, layout)?, layout.shape().dims3()?);
        let shape = (height / self.stride, width / self.stride, channels);
        let mut result = vec![0.0; shape.0 * shape.1 * shape.2];
        let arch = Arch::new();
        result.par_chunks_exact_mut(shape.1 * channels).enumerate().for_each(|(y, result)| {
            arch.dispatch(DepthwiseRow { layer: self, map, height, width, y, result });
        });
        Ok((CpuStorage::F32(result), shape.into()))
    }
}

/// The contiguous values of a map.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((start, end)), CpuStorage::F32(values)) => Ok(&values[start..end]),
        _ => bail!("a contiguous map of 32 bits was expected"),
    }
}

/// Twice the size by bilinear interpolation with pixel centres at halves, plus a map of that size.
pub(super) fn upsample_and_add(map: &Tensor, other: &Tensor) -> Result<Tensor> {
    map.contiguous()?.apply_op2_no_bwd(&other.contiguous()?, &UpsampleAndAdd)
}

struct UpsampleAndAdd;

impl CustomOp2 for UpsampleAndAdd {
    fn name(&self) -> &'static str {
        "upsample-and-add"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (map, (height, width, channels)) = (values(storage, layout)?, layout.shape().dims3()?);
        let shape = (2 * height, 2 * width, channels);
        if other_layout.shape().dims3()? != shape {
            bail!("upsample-and-add: {:?} onto {shape:?}", other_layout.shape());
        }
        let mut result = values(other, other_layout)?.to_vec();
        result.par_chunks_exact_mut(shape.1 * channels).enumerate().for_each(|(y, row)| {
            let (rows, down) = neighbours(y, height);
            for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
                let (columns, across) = neighbours(x, width);
                let at = |row: usize, column: usize| &map[(rows[row] * width + columns[column]) * channels..];
                let corners = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let [a, b, c, d] = corners.map(|corner| corner[channel]);
                    let (upper, lower) = (a + (b - a) * across, c + (d - c) * across);
                    *value += upper + (lower - upper) * down;
                }
            }
        });
        Ok((CpuStorage::F32(result), shape.into()))
    }
}

/// The two places of a side of `length` between which the `place`-th of the doubled side lies. The share says how far
/// it is on its way from one to the other.
fn neighbours(place: usize, length: usize) -> ([usize; 2], f32) {
    let first = place.div_ceil(2);
    let share = if place.is_multiple_of(2) { 0.75 } else { 0.25 };
    ([first.saturating_sub(1), first.min(length - 1)], share)
}
