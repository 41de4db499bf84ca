//! Convolution of maps `(batch, channels, height, width)`.

mod direct;
mod winograd;

use super::product::panel_width;
use super::values::{filled, serve, with_all, with_optional};
use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder, conv2d};
use std::sync::OnceLock;

use direct::Shape;

/// Kernels of 3×3 with more weights than this are not transformed: it would take four times their memory, and such layers
/// work on small maps, where reading the weights is what takes time.
const LARGEST_TRANSFORMED: usize = 9 * 1280 * 1024;

/// A convolution with square kernels. In 32 bits on the CPU it runs on this crate's kernels: accurate to 4·10⁻⁶ of the
/// results' root mean square where Winograd's transform is used, to 4·10⁻⁷ elsewhere.
#[derive(Debug)]
pub struct Convolution {
    plain: Conv2d,
    transformed: OnceLock<winograd::Weights>,
}

impl Convolution {
    /// `inputs` channels in, `outputs` channels out, kernels of `side` × `side`, with bias.
    pub fn new(
        inputs: usize,
        outputs: usize,
        side: usize,
        config: Conv2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        Ok(Self { plain: conv2d(inputs, outputs, side, config, vb)?, transformed: OnceLock::new() })
    }

    fn served(&self) -> bool {
        let config = self.plain.config();
        config.groups == 1 && config.dilation == 1 && serve(&[self.plain.weight()])
    }

    /// The result, with `shift` `(1, outputs)` added to every pixel, and `residual` of the result's shape.
    pub fn forward_onto(
        &self,
        input: &Tensor,
        shift: Option<&Tensor>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let given: Vec<&Tensor> = [Some(input), shift, residual].into_iter().flatten().collect();
        if self.served() && serve(&given) {
            return self.convolve(input, shift, residual);
        }
        let mut result = self.plain.forward(input)?;
        if let Some(shift) = shift {
            result = result.broadcast_add(&shift.unsqueeze(2)?.unsqueeze(3)?)?;
        }
        match residual {
            Some(residual) => residual + result,
            None => Ok(result),
        }
    }

    /// The bias of each output, and the shift.
    fn bias(&self, shift: Option<&Tensor>) -> Result<Vec<f32>> {
        let mut bias = match self.plain.bias() {
            Some(bias) => bias.to_vec1()?,
            None => vec![0.0; self.plain.weight().dim(0)?],
        };
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
        let config = self.plain.config();
        let (batch, inputs, height, width) = input.dims4()?;
        let (outputs, expected, side, _) = self.plain.weight().dims4()?;
        if inputs != expected || (height.min(width) + 2 * config.padding) < side {
            candle_core::bail!(
                "maps {:?} do not fit a convolution of {expected} channels, {side}x{side}",
                input.shape()
            );
        }
        let shape = Shape {
            batch,
            inputs,
            outputs,
            height,
            width,
            side,
            stride: config.stride,
            padding: config.padding,
        };
        let (result_height, result_width) = shape.results();
        let result_shape = [batch, outputs, result_height, result_width];
        if residual.is_some_and(|residual| residual.dims() != result_shape) {
            candle_core::bail!("{result_shape:?} cannot be added to a residual of another shape");
        }
        let bias = self.bias(shift)?;
        filled(&result_shape[..], |output| {
            with_optional(residual, |residual| {
                let start = Start { bias: &bias, residual };
                with_all(input, |input| self.fold(&shape, input, start, output))?
            })?
        })
    }

    fn fold(&self, shape: &Shape, input: &[f32], start: Start, output: &mut [f32]) -> Result<()> {
        with_all(self.plain.weight(), |weight| {
            if !worth_transforming(shape) {
                return direct::convolve(*shape, input, weight, start, output);
            }
            let weights = self.transformed(weight, shape);
            let maps = winograd::Maps { batch: shape.batch, height: shape.height, width: shape.width };
            winograd::convolve(maps, input, weights, start, output);
        })
    }

    /// The transform is divided among the threads, so it is made before the lock is held: a thread that waits for its
    /// parts may take up another pass through this very layer.
    fn transformed(&self, weight: &[f32], shape: &Shape) -> &winograd::Weights {
        if let Some(weights) = self.transformed.get() {
            return weights;
        }
        let weights = winograd::Weights::new(weight, shape.outputs, shape.inputs);
        self.transformed.get_or_init(|| weights)
    }
}

/// What a convolution is added to.
#[derive(Clone, Copy)]
struct Start<'a> {
    /// `(outputs)`.
    bias: &'a [f32],
    /// As the results.
    residual: Option<&'a [f32]>,
}

fn worth_transforming(shape: &Shape) -> bool {
    let fitting = (shape.side, shape.stride, shape.padding) == (3, 1, 1);
    let tiles = shape.batch * shape.height.div_ceil(4) * shape.width.div_ceil(4);
    let weights = 9 * shape.inputs * shape.outputs;
    fitting
        && shape.inputs.min(shape.outputs) >= 16
        && 4 * tiles >= 3 * panel_width()
        && weights <= LARGEST_TRANSFORMED
}

impl Module for Convolution {
    /// `(batch, inputs, height, width)` to `(batch, outputs, height, width)`, by the stride.
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.forward_onto(input, None, None)
    }
}
