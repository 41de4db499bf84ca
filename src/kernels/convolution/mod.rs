//! Convolution of maps `(batch, channels, height, width)`.

mod direct;
mod winograd;

use super::product::panel_width;
use super::values::{filled, serve, with_all};
use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder, conv2d};
use std::sync::OnceLock;

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

    fn convolve(&self, input: &Tensor) -> Result<Tensor> {
        let config = self.plain.config();
        let (batch, inputs, height, width) = input.dims4()?;
        let (outputs, expected, side, _) = self.plain.weight().dims4()?;
        if inputs != expected || (height.min(width) + 2 * config.padding) < side {
            candle_core::bail!(
                "maps {:?} do not fit a convolution of {expected} channels, {side}x{side}",
                input.shape()
            );
        }
        let shape = direct::Shape {
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
        let bias = self.plain.bias().map(|bias| bias.to_vec1::<f32>()).transpose()?;
        filled((batch, outputs, result_height, result_width), |output| {
            with_all(input, |input| {
                with_all(self.plain.weight(), |weight| {
                    if worth_transforming(&shape) {
                        let weights =
                            self.transformed.get_or_init(|| winograd::Weights::new(weight, outputs, inputs));
                        let maps = winograd::Maps { batch, height, width };
                        winograd::convolve(maps, input, weights, bias.as_deref(), output);
                    } else {
                        direct::convolve(shape, input, weight, bias.as_deref(), output);
                    }
                })
            })?
        })
    }
}

fn worth_transforming(shape: &direct::Shape) -> bool {
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
        if self.served() && serve(&[input]) { self.convolve(input) } else { self.plain.forward(input) }
    }
}
