//! Convolution of maps `(batch, channels, height, width)`.

mod direct;
mod trained;
mod winograd;

use super::gradient::Differentiable;
use super::product::panel_width;
use super::stored::{usable, with_weights};
use super::values::{filled, serve, suits, with_all, with_optional};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder};
use std::sync::{Arc, OnceLock};

use direct::Shape;

/// With more weights than this they are kept transformed alone, not twice,
const LARGEST_KEPT_TWICE: usize = 9 * 256 * 256;
/// and with more than this as they were read: transformed they take four times their memory.
const LARGEST_KEPT: usize = 9 * 1280 * 1024;
/// Fewer channels are not worth a transform.
const FEWEST_CHANNELS: usize = 16;
/// Weights that are transformed again each time need this many tiles to be worth it.
const FEWEST_TILES: usize = 16;

/// How often a layer is passed through: what decides whether transformed weights are worth their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// More than once in every step of a frame.
    Many,
    /// Once in every step.
    OnceAStep,
    /// Once a frame or less.
    Few,
}

/// A convolution with square kernels. On the CPU, for maps of 32 bits, it runs on this crate's kernels. They are
/// accurate to 4·10⁻⁶ of the results' root mean square where Winograd's transform is used, to 4·10⁻⁷ elsewhere.
#[derive(Debug, Clone)]
pub struct Convolution {
    kernels: Kernels,
    bias: Tensor,
    config: Conv2dConfig,
    outputs: usize,
    /// Inputs of one group.
    inputs: usize,
    side: usize,
    /// Whether weights as they were read are transformed for maps that are large enough.
    can_be_transformed: bool,
}

/// The weights, `(outputs, inputs, side, side)`.
#[derive(Debug, Clone)]
enum Kernels {
    /// As they were read. For large maps they are transformed; that is kept if there is a place for it, else made again.
    AsRead { weight: Tensor, kept: Option<Arc<OnceLock<Vec<f32>>>> },
    /// Transformed alone.
    Transformed(Arc<Vec<f32>>),
}

impl Convolution {
    /// `inputs` channels in, `outputs` channels out, kernels of `side` × `side`, with bias.
    pub fn new(
        inputs: usize,
        outputs: usize,
        side: usize,
        config: Conv2dConfig,
        passes: Passes,
        vb: VarBuilder,
    ) -> Result<Self> {
        let bias = vb.get(outputs, "bias")?;
        Self::build((inputs, outputs, side), config, passes, bias, vb)
    }

    /// 3×3 with zeros around, without bias.
    pub fn without_bias(inputs: usize, outputs: usize, passes: Passes, vb: VarBuilder) -> Result<Self> {
        let bias = Tensor::zeros(outputs, vb.dtype(), vb.device())?;
        let config = Conv2dConfig { padding: 1, ..Default::default() };
        Self::build((inputs, outputs, 3), config, passes, bias, vb)
    }

    fn build(
        (inputs, outputs, side): (usize, usize, usize),
        config: Conv2dConfig,
        passes: Passes,
        bias: Tensor,
        vb: VarBuilder,
    ) -> Result<Self> {
        let inputs = inputs / config.groups;
        let weight = vb.get((outputs, inputs, side, side), "weight")?;
        let can_be_transformed = suits_winograd(&weight, config)?;
        let count = weight.elem_count();
        let (whole, small) = (weight.dtype() == DType::F32, count <= LARGEST_KEPT_TWICE);
        let kernels =
            if whole && can_be_transformed && passes == Passes::Many && !small && count <= LARGEST_KEPT {
                Kernels::Transformed(Arc::new(transformed(&weight)?))
            } else {
                let kept = (whole && small && passes != Passes::Few).then(Arc::default);
                Kernels::AsRead { weight, kept }
            };
        Ok(Self { kernels, bias, config, outputs, inputs, side, can_be_transformed })
    }

    /// The result, with `shift` `(1 or batch, outputs)` added to every pixel, and `residual` of the result's shape.
    pub fn forward_onto(
        &self,
        input: &Tensor,
        shift: Option<&Tensor>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let given: Vec<&Tensor> = [Some(input), shift, residual].into_iter().flatten().collect();
        let one_shift = shift.is_none_or(|shift| shift.dims().first() == Some(&1));
        if self.serves() && one_shift && serve(&given) {
            return self.convolve(input, shift, residual);
        }
        let mut result = if self.serves() && suits(input) { self.apply(input)? } else { self.plain(input)? };
        if let Some(shift) = shift {
            result = result.broadcast_add(&shift.unsqueeze(2)?.unsqueeze(3)?)?;
        }
        match residual {
            Some(residual) => residual + result,
            None => Ok(result),
        }
    }

    /// By operations that also train weights and bias.
    fn plain(&self, input: &Tensor) -> Result<Tensor> {
        let bias = self.bias.to_dtype(input.dtype())?;
        let weight = self.weight()?.to_dtype(input.dtype())?;
        if self.is_simple() && suits(input) {
            let result = trained::convolve(input, &weight, self.config)?;
            return result.broadcast_add(&bias.reshape((1, (), 1, 1))?);
        }
        Conv2d::new(weight, Some(bias), self.config).forward(input)
    }

    /// Without bias, of frozen weights `(outputs, inputs, side, side)` in 32 bits on the CPU.
    fn of_weights(weight: Tensor, config: Conv2dConfig) -> Result<Self> {
        let (outputs, inputs, side, _) = weight.dims4()?;
        Ok(Self {
            can_be_transformed: suits_winograd(&weight, config)?,
            kernels: Kernels::AsRead { weight, kept: None },
            bias: Tensor::zeros(outputs, DType::F32, &Device::Cpu)?,
            config,
            outputs,
            inputs,
            side,
        })
    }

    fn serves(&self) -> bool {
        let usable = match &self.kernels {
            Kernels::AsRead { weight, .. } => usable(weight),
            Kernels::Transformed(_) => true,
        };
        usable && !self.bias.track_op() && self.is_simple()
    }

    fn is_simple(&self) -> bool {
        self.config.groups == 1 && self.config.dilation == 1 && self.config.padding < self.side
    }

    /// The weights as they were read.
    fn weight(&self) -> Result<Tensor> {
        match &self.kernels {
            Kernels::AsRead { weight, .. } => Ok(weight.clone()),
            Kernels::Transformed(values) => {
                let shape = (self.outputs, self.inputs, self.side, self.side);
                Tensor::from_vec(winograd::recovered(values), shape, &Device::Cpu)
            }
        }
    }

    /// The bias of each output, and the shift.
    fn start(&self, shift: Option<&Tensor>) -> Result<Vec<f32>> {
        let mut bias: Vec<f32> = self.bias.to_dtype(DType::F32)?.to_vec1()?;
        if let Some(shift) = shift {
            let shift: Vec<f32> = shift.squeeze(0)?.to_vec1()?;
            if shift.len() != bias.len() {
                candle_core::bail!("a shift of {} values for {} outputs", shift.len(), bias.len());
            }
            bias.iter_mut().zip(shift).for_each(|(bias, shift)| *bias += shift);
        }
        Ok(bias)
    }

    fn convolve(&self, input: &Tensor, shift: Option<&Tensor>, residual: Option<&Tensor>) -> Result<Tensor> {
        let result_shape = self.result_shape(input.dims())?;
        if residual.is_some_and(|residual| residual.dims() != result_shape) {
            candle_core::bail!("{result_shape:?} cannot be added to a residual of another shape");
        }
        let bias = self.start(shift)?;
        filled(result_shape, |output| {
            with_optional(residual, |residual| {
                let start = Start { bias: &bias, residual };
                with_all(input, |values| self.fold(self.shape(input.dims())?, values, start, output))?
            })?
        })
    }

    /// Of this convolution of maps `(batch, inputs, height, width)`.
    fn shape(&self, maps: &[usize]) -> Result<Shape> {
        let Self { outputs, side, .. } = *self;
        let Conv2dConfig { stride, padding, .. } = self.config;
        match *maps {
            [batch, inputs, height, width]
                if inputs == self.inputs && height.min(width) + 2 * padding >= side =>
            {
                Ok(Shape { batch, inputs, outputs, height, width, side, stride, padding })
            }
            _ => {
                let expected = self.inputs;
                candle_core::bail!(
                    "maps {maps:?} do not fit a convolution of {expected} channels, {side}x{side}"
                )
            }
        }
    }

    fn fold(&self, shape: Shape, input: &[f32], start: Start, output: &mut [f32]) -> Result<()> {
        let maps = winograd::Maps { batch: shape.batch, height: shape.height, width: shape.width };
        let transformed = |kernels: winograd::Kernels, output: &mut [f32]| {
            let weights = winograd::Weights { kernels, outputs: self.outputs, inputs: self.inputs };
            winograd::convolve(maps, input, weights, start, output);
        };
        match &self.kernels {
            Kernels::Transformed(values) => transformed(winograd::Kernels::Transformed(values), output),
            Kernels::AsRead { weight, kept: Some(place) }
                if self.can_be_transformed && 4 * maps.tiles() >= 3 * panel_width() =>
            {
                transformed(winograd::Kernels::Transformed(kept(weight, place)?), output);
            }
            Kernels::AsRead { weight, kept } => with_weights(weight, |weight| {
                if self.can_be_transformed && kept.is_none() && maps.tiles() >= FEWEST_TILES {
                    transformed(winograd::Kernels::AsRead(weight), output);
                } else {
                    direct::convolve(shape, input, weight, start, output);
                }
            })?,
        }
        Ok(())
    }
}

impl Differentiable for Convolution {
    const NAME: &'static str = "convolution";

    fn result_shape(&self, maps: &[usize]) -> Result<Vec<usize>> {
        let shape = self.shape(maps)?;
        let (height, width) = shape.results();
        Ok(vec![shape.batch, shape.outputs, height, width])
    }

    fn forward(&self, maps: &[usize], input: &[f32], output: &mut [f32]) -> Result<()> {
        let bias = self.start(None)?;
        self.fold(self.shape(maps)?, input, Start { bias: &bias, residual: None }, output)
    }

    /// A convolution with turned kernels from outputs to inputs.
    fn backward(&self, input: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let Shape { height, width, side, stride, padding, .. } = self.shape(input.dims())?;
        let weight = self.weight()?.transpose(0, 1)?.contiguous()?.flip(&[2, 3])?;
        let config = Conv2dConfig { padding: side - 1 - padding, ..Default::default() };
        let padded = |length: usize| length + 2 * padding + 1 - side;
        Self::of_weights(weight, config)?.apply(&spread(gradient, stride, padded(height), padded(width))?)
    }
}

/// Maps of which pixels lie `stride` apart, zeros between them.
fn spread(maps: &Tensor, stride: usize, height: usize, width: usize) -> Result<Tensor> {
    if stride == 1 {
        return Ok(maps.clone());
    }
    let (batch, channels, down, across) = maps.dims4()?;
    let apart = maps.reshape((batch * channels, down, 1, across, 1))?;
    let apart = apart.pad_with_zeros(2, 0, stride - 1)?.pad_with_zeros(4, 0, stride - 1)?;
    let apart = apart.reshape((batch, channels, down * stride, across * stride))?;
    apart.narrow(2, 0, height)?.narrow(3, 0, width)
}

/// Whether Winograd's transform serves these weights.
fn suits_winograd(weight: &Tensor, config: Conv2dConfig) -> Result<bool> {
    let (outputs, inputs, side, _) = weight.dims4()?;
    Ok(usable(weight)
        && (side, config.stride, config.padding) == (3, 1, 1)
        && (config.groups, config.dilation) == (1, 1)
        && inputs.min(outputs) >= FEWEST_CHANNELS)
}

fn transformed(weight: &Tensor) -> Result<Vec<f32>> {
    let (outputs, inputs, _, _) = weight.dims4()?;
    let mut values = vec![0.0; winograd::transformed_length(outputs, inputs)];
    with_weights(weight, |weight| winograd::transform(weight, &mut values))?;
    Ok(values)
}

/// The transform is divided among the threads, so it is made before the lock is held. A thread that waits for its parts
/// may take up another pass through this very layer.
fn kept<'a>(weight: &Tensor, place: &'a OnceLock<Vec<f32>>) -> Result<&'a Vec<f32>> {
    if let Some(values) = place.get() {
        return Ok(values);
    }
    let values = transformed(weight)?;
    Ok(place.get_or_init(|| values))
}

/// What a convolution is added to.
#[derive(Clone, Copy)]
struct Start<'a> {
    /// `(outputs)`.
    bias: &'a [f32],
    /// As the results.
    residual: Option<&'a [f32]>,
}

impl Module for Convolution {
    /// `(batch, inputs, height, width)` to `(batch, outputs, height, width)`, by the stride.
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.forward_onto(input, None, None)
    }
}
