//! Convolutions whose weights train.

use super::Convolution;
use crate::gradient::Differentiable;
use crate::values::values;
use candle_core::{CpuStorage, CustomOp2, DType, Device, Layout, Result, Shape, Tensor, bail};
use candle_nn::Conv2dConfig;
use rayon::prelude::*;

/// A convolution of maps with weights, both in 32 bits on the CPU, with gradients for both; without bias.
pub(super) fn convolve(maps: &Tensor, weight: &Tensor, config: Conv2dConfig) -> Result<Tensor> {
    maps.contiguous()?.apply_op2(&weight.contiguous()?, Trained(config))
}

struct Trained(Conv2dConfig);

impl CustomOp2 for Trained {
    fn name(&self) -> &'static str {
        "trained convolution"
    }

    fn cpu_fwd(
        &self,
        maps: &CpuStorage,
        maps_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F32(maps), CpuStorage::F32(weight)) = (maps, weight) else {
            bail!("a trained convolution was not given 32 bits")
        };
        let weight = &weight[weight_layout.start_offset()..][..weight_layout.shape().elem_count()];
        let weight = Tensor::from_slice(weight, weight_layout.shape(), &Device::Cpu)?;
        let layer = Convolution::of_weights(weight, self.0)?;
        let result = Shape::from(layer.result_shape(maps_layout.dims())?);
        let mut output = vec![0.0; result.elem_count()];
        let maps = &maps[maps_layout.start_offset()..][..maps_layout.shape().elem_count()];
        layer.forward(maps_layout.dims(), maps, &mut output)?;
        Ok((CpuStorage::F32(output), result))
    }

    fn bwd(
        &self,
        maps: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let layer = Convolution::of_weights(weight.detach(), self.0)?;
        let gradient = gradient.detach();
        let of_maps = maps.track_op().then(|| layer.backward(&maps.detach(), &gradient)).transpose()?;
        Ok((of_maps, Some(of_weight(&layer, &maps.detach(), &gradient)?)))
    }
}

/// Gradient with respect to the weights: pixels under each kernel value, times the gradient of their results.
fn of_weight(layer: &Convolution, maps: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let shape = layer.shape(maps.dims())?;
    let (height, width) = shape.results();
    let (taps, pixels) = (layer.inputs * layer.side * layer.side, height * width);
    let mut sum: Option<Tensor> = None;
    for picture in 0..shape.batch {
        let columns = {
            let maps = maps.narrow(0, picture, 1)?.contiguous()?;
            let (storage, layout) = maps.storage_and_layout();
            columns(values(&storage, layout)?, &shape)
        };
        let columns = Tensor::from_vec(columns, (taps, pixels), &Device::Cpu)?;
        let gradient = gradient.narrow(0, picture, 1)?.reshape((layer.outputs, pixels))?;
        let product = gradient.matmul(&columns.t()?)?;
        sum = Some(match sum {
            Some(sum) => (sum + product)?,
            None => product,
        });
    }
    let weight = (layer.outputs, layer.inputs, layer.side, layer.side);
    match sum {
        Some(sum) => sum.reshape(weight),
        None => Tensor::zeros(weight, DType::F32, &Device::Cpu),
    }
}

/// What each kernel value sees at each result, `(inputs · side · side, results)`: zeros beyond the edge.
fn columns(picture: &[f32], shape: &super::direct::Shape) -> Vec<f32> {
    let super::direct::Shape { inputs, height, width, side, stride, padding, .. } = *shape;
    let (down, across) = shape.results();
    let mut columns = vec![0.0; inputs * side * side * down * across];
    columns.par_chunks_mut(down * across).enumerate().for_each(|(tap, column)| {
        let (input, y, x) = (tap / (side * side), tap / side % side, tap % side);
        let map = &picture[input * height * width..][..height * width];
        for (row, line) in column.chunks_exact_mut(across).enumerate() {
            let Some(from) = (row * stride + y).checked_sub(padding).filter(|&from| from < height) else {
                continue;
            };
            let from = &map[from * width..][..width];
            for (place, value) in line.iter_mut().enumerate() {
                let at = (place * stride + x).checked_sub(padding);
                *value = at.and_then(|at| from.get(at)).copied().unwrap_or(0.0);
            }
        }
    });
    columns
}
