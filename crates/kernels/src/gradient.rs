//! Kernels through which gradients flow: with respect to what goes in. Weights that kernels serve are frozen; they stay out
//! of the graph, and take neither memory nor time for gradients of their own.

use super::values::{filled, with_all};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// A function of one tensor in 32 bits on the CPU.
pub(super) trait Differentiable: Clone + Send + Sync + 'static {
    /// For messages.
    const NAME: &'static str;

    /// Shape of the result for an input of `shape`.
    fn result_shape(&self, shape: &[usize]) -> Result<Vec<usize>>;

    /// Fills in the result.
    fn forward(&self, shape: &[usize], input: &[f32], output: &mut [f32]) -> Result<()>;

    /// Gradient with respect to the input, from `gradient` with respect to the result.
    fn backward(&self, input: &Tensor, gradient: &Tensor) -> Result<Tensor>;

    /// The result; where a gradient is asked for, it is passed on.
    fn apply(&self, input: &Tensor) -> Result<Tensor> {
        if input.track_op() {
            return input.contiguous()?.apply_op1(Operation(self.clone()));
        }
        filled(self.result_shape(input.dims())?, |output| {
            with_all(input, |values| self.forward(input.dims(), values, output))?
        })
    }
}

struct Operation<F>(F);

impl<F: Differentiable> CustomOp1 for Operation<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let CpuStorage::F32(input) = storage else { bail!("{} was not given 32 bits", F::NAME) };
        let shape = Shape::from(self.0.result_shape(layout.dims())?);
        let mut output = vec![0.0; shape.elem_count()];
        let input = &input[layout.start_offset()..][..layout.shape().elem_count()];
        self.0.forward(layout.dims(), input, &mut output)?;
        Ok((CpuStorage::F32(output), shape))
    }

    fn bwd(&self, input: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        self.0.backward(&input.detach(), &gradient.detach()).map(Some)
    }
}
