//! Linear layers: tokens times weights that are packed once.

use super::product::{
    DEPTH, Left, Output, Panels, ROWS, Size, arch, panel_width, panel_width_for, product, share,
};
use super::scratch::{Shared, with_scratch};
use super::stored::{Stored, Values, usable, with_weights};
use super::values::{filled, serve, with_all, with_optional};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// A linear layer. On the CPU its weights of 32 or 16 bits are packed once, and products with inputs of 32 bits run on this
/// crate's kernels: accurate to 4·10⁻⁷ of the results' root mean square.
#[derive(Debug)]
pub struct Linear(Kind);

#[derive(Debug)]
enum Kind {
    Packed { weights: Weights, bias: Option<Vec<f32>> },
    Plain(candle_nn::Linear),
}

impl Linear {
    /// With weights `(outputs, inputs)` and a bias `(outputs)`.
    pub fn from_weights(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        if !usable(&weight) || !bias.iter().all(usable) {
            return Ok(Self(Kind::Plain(candle_nn::Linear::new(weight, bias))));
        }
        let (outputs, inputs) = weight.dims2()?;
        let weights = with_weights(&weight, |weight| Weights::new(weight, outputs, inputs))?;
        let bias = bias.map(|bias| bias.to_dtype(DType::F32)?.to_vec1()).transpose()?;
        Ok(Self(Kind::Packed { weights, bias }))
    }

    /// With a bias.
    pub fn new(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        let bias = vb.get(outputs, "bias")?;
        Self::from_weights(vb.get((outputs, inputs), "weight")?, Some(bias))
    }

    /// Without a bias.
    pub fn no_bias(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        Self::from_weights(vb.get((outputs, inputs), "weight")?, None)
    }

    /// Packed weights and a bias, where there are both.
    pub(super) fn packed(&self) -> Option<(&Weights, &[f32])> {
        match &self.0 {
            Kind::Packed { weights, bias: Some(bias) } => Some((weights, bias)),
            _ => None,
        }
    }

    /// The layer's result added to `residual` of its shape.
    pub fn forward_onto(&self, residual: &Tensor, input: &Tensor) -> Result<Tensor> {
        if matches!(self.0, Kind::Packed { .. }) && serve(&[input, residual]) {
            return self.apply(input, Some(residual));
        }
        residual + self.apply(input, None)?
    }

    fn apply(&self, input: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        match &self.0 {
            Kind::Plain(plain) => plain.forward(input),
            Kind::Packed { weights, bias } => {
                if !serve(&[input]) {
                    let weight = weights.unpacked()?.to_dtype(input.dtype())?;
                    let bias = bias
                        .as_ref()
                        .map(|bias| Tensor::new(&bias[..], &Device::Cpu)?.to_dtype(input.dtype()));
                    return candle_nn::Linear::new(weight, bias.transpose()?).forward(input);
                }
                let Some((_, rest)) = input.dims().split_last().filter(|(last, _)| **last == weights.inputs)
                else {
                    candle_core::bail!(
                        "{:?} given to a linear layer of {} inputs",
                        input.shape(),
                        weights.inputs
                    );
                };
                let shape = [rest, &[weights.outputs]].concat();
                if residual.is_some_and(|residual| residual.dims() != shape) {
                    candle_core::bail!("{shape:?} cannot be added to a residual of another shape");
                }
                filled(shape, |output| {
                    with_optional(residual, |residual| {
                        let start = Start { bias: bias.as_deref(), residual };
                        with_all(input, |input| apply(input, weights, start, output))
                    })?
                })
            }
        }
    }
}

impl Module for Linear {
    /// `(…, inputs)` to `(…, outputs)`.
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.apply(input, None)
    }
}

/// Weights as products want them: panels of outputs.
#[derive(Debug)]
pub(crate) struct Weights {
    stored: Stored,
    inputs: usize,
    outputs: usize,
}

impl Weights {
    /// From `(outputs, inputs)`.
    pub(crate) fn new(weight: Values, outputs: usize, inputs: usize) -> Self {
        assert_eq!(weight.len(), outputs * inputs);
        let stored = match weight {
            Values::F32(weight) => Stored::F32(packed(weight, outputs, inputs)),
            Values::F16(weight) => Stored::F16(packed(weight, outputs, inputs)),
            Values::BF16(weight) => Stored::BF16(packed(weight, outputs, inputs)),
        };
        Self { stored, inputs, outputs }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `input · weightᵀ + bias` on this thread alone: `(tokens, inputs)` to `(tokens, outputs)`.
    pub(crate) fn apply_here(&self, input: &[f32], bias: &[f32], output: &mut [f32]) {
        let tokens = input.len() / self.inputs;
        assert_eq!((input.len(), output.len()), (tokens * self.inputs, tokens * self.outputs));
        let (rows, columns) = (0..tokens, 0..self.outputs);
        let output = Shared::new(output);
        let start = Start { bias: Some(bias), residual: None };
        with_scratch(self.scratch(self.outputs), |widened| {
            arch().dispatch(Block { input, weights: self, start, rows, columns, widened, output });
        });
    }

    /// Writes rows of `left`, which start at input `depth.start`, times the weights of these inputs and some outputs, or
    /// adds them where `add` is set. At most [`DEPTH`] inputs.
    ///
    /// # Safety
    /// As for [`product`].
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the coordinates of a block in three matrices")]
    pub(super) unsafe fn multiply<S: Simd>(
        &self,
        simd: S,
        (left, rows): (Left, usize),
        depth: Range<usize>,
        columns: Range<usize>,
        widened: &mut [f32],
        output: Output,
        add: bool,
    ) {
        let panel = panel_width_for::<S>();
        let (start, panels) =
            (columns.start * self.inputs + depth.start * panel, columns.len().div_ceil(panel));
        let (values, step) =
            self.stored.values().lines(start, self.inputs * panel, panels, depth.len() * panel, widened);
        let size = Size { rows, depth: depth.len(), columns: columns.len() };
        // SAFETY: the caller vouches for it.
        unsafe { product(simd, size, left, Panels { values, step }, output, add) };
    }

    /// Scratch memory for `columns` of the outputs.
    pub(super) fn scratch(&self, columns: usize) -> usize {
        self.stored.values().scratch(columns.next_multiple_of(panel_width()) * DEPTH.min(self.inputs))
    }

    /// `(outputs, inputs)` again, where a gradient is asked for.
    fn unpacked(&self) -> Result<Tensor> {
        let shape = (self.outputs, self.inputs);
        match &self.stored {
            Stored::F32(values) => Tensor::from_vec(unpacked(values, shape), shape, &Device::Cpu),
            Stored::F16(values) => Tensor::from_vec(unpacked(values, shape), shape, &Device::Cpu),
            Stored::BF16(values) => Tensor::from_vec(unpacked(values, shape), shape, &Device::Cpu),
        }
    }
}

/// `(outputs, inputs)` to panels of outputs.
fn packed<T: Copy + Default + Send + Sync>(weight: &[T], outputs: usize, inputs: usize) -> Vec<T> {
    let panel = panel_width();
    let mut values = vec![T::default(); outputs.next_multiple_of(panel) * inputs];
    values.par_chunks_mut((panel * inputs).max(1)).enumerate().for_each(|(index, values)| {
        for (column, output) in (index * panel..outputs).take(panel).enumerate() {
            for (depth, value) in weight[output * inputs..][..inputs].iter().enumerate() {
                values[depth * panel + column] = *value;
            }
        }
    });
    values
}

/// Panels of outputs to `(outputs, inputs)`.
fn unpacked<T: Copy>(values: &[T], (outputs, inputs): (usize, usize)) -> Vec<T> {
    let panel = panel_width();
    let value = |output: usize, depth: usize| {
        values[output / panel * panel * inputs + depth * panel + output % panel]
    };
    (0..outputs).flat_map(|output| (0..inputs).map(move |depth| value(output, depth))).collect()
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    /// `(outputs)`.
    pub bias: Option<&'a [f32]>,
    /// `(tokens, outputs)`.
    pub residual: Option<&'a [f32]>,
}

impl Start<'_> {
    fn is_zero(&self) -> bool {
        self.bias.is_none() && self.residual.is_none()
    }

    /// Some outputs of one token: `place` is that of the first among all results, `column` among the outputs.
    #[inline(always)]
    pub(super) fn write(&self, line: &mut [f32], place: usize, column: usize) {
        match (self.bias, self.residual) {
            (Some(bias), Some(residual)) => {
                let sums = bias[column..].iter().zip(&residual[place..]);
                line.iter_mut().zip(sums).for_each(|(value, (bias, residual))| *value = bias + residual);
            }
            (Some(bias), None) => line.copy_from_slice(&bias[column..][..line.len()]),
            (None, Some(residual)) => line.copy_from_slice(&residual[place..][..line.len()]),
            (None, None) => {}
        }
    }
}

/// `start + input · weightᵀ`: `(tokens, inputs)` to `(tokens, outputs)`.
fn apply(input: &[f32], weights: &Weights, start: Start, output: &mut [f32]) {
    let Weights { inputs, outputs, .. } = *weights;
    let tokens = input.len() / inputs;
    assert_eq!((input.len(), output.len()), (tokens * inputs, tokens * outputs));
    let panel = panel_width();
    let blocks = tokens.div_ceil(ROWS);
    let columns = share(outputs, blocks, panel, 4 * panel);
    let parts = outputs.div_ceil(columns);
    let (arch, output) = (arch(), Shared::new(output));
    (0..blocks * parts).into_par_iter().for_each(|index| {
        let (block, part) = (index / parts, index % parts);
        let rows = block * ROWS..tokens.min((block + 1) * ROWS);
        let columns = part * columns..outputs.min((part + 1) * columns);
        with_scratch(weights.scratch(columns.len()), |widened| {
            arch.dispatch(Block { input, weights, start, rows, columns, widened, output });
        });
    });
}

/// Some outputs of some tokens.
struct Block<'a> {
    input: &'a [f32],
    weights: &'a Weights,
    start: Start<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    widened: &'a mut [f32],
    output: Shared,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { input, weights, start: before, rows, columns, widened, output } = self;
        let Weights { inputs, outputs, .. } = *weights;
        if !before.is_zero() {
            for row in rows.clone() {
                let place = row * outputs + columns.start;
                // SAFETY: rows and columns of its own.
                let line = unsafe { std::slice::from_raw_parts_mut(output.at(place), columns.len()) };
                before.write(line, place, columns.start);
            }
        }
        for first in (0..inputs).step_by(DEPTH) {
            let depth = first..inputs.min(first + DEPTH);
            let left =
                Left { values: &input[rows.start * inputs + first..], row_step: inputs, depth_step: 1 };
            // SAFETY: rows and columns of its own.
            unsafe {
                let start = output.at(rows.start * outputs + columns.start);
                let output = Output { start, row_step: outputs };
                let add = !before.is_zero() || first > 0;
                weights.multiply(simd, (left, rows.len()), depth, columns.clone(), widened, output, add);
            }
        }
    }
}
