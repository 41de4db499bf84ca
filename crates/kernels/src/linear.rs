//! Linear layers: tokens times weights that are packed once.

use super::gradient::Differentiable;
use super::product::{DEPTH, Left, Panels, ROWS, Size, arch, panel_width, panel_width_for, product, share};
use super::scratch::{Output, Shared, with_scratch};
use super::stored::{Stored, Values, usable, with_weights};
use super::values::{filled, serve, suits, with_all};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// A linear layer. On the CPU its weights of 32 or 16 bits are packed once, and products with inputs of 32 bits run on
/// this crate's kernels. They are accurate to 4·10⁻⁷ of the results' root mean square.
#[derive(Debug)]
pub struct Linear {
    kind: Kind,
    change: Option<LowRank>,
}

#[derive(Debug)]
enum Kind {
    Packed(Packed),
    Plain { weight: Tensor, bias: Option<Tensor> },
}

#[derive(Debug, Clone)]
struct Packed {
    weights: Arc<PackedWeights>,
    bias: Option<Arc<Vec<f32>>>,
}

impl Linear {
    /// With weights `(outputs, inputs)` and a bias `(outputs)`.
    pub fn from_weights(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        if !usable(&weight) || !bias.iter().all(usable) {
            return Ok(Self { kind: Kind::Plain { weight, bias }, change: None });
        }
        let (outputs, inputs) = weight.dims2()?;
        let weights = with_weights(&weight, |weight| PackedWeights::pack(weight, outputs, inputs))?;
        let bias = bias.map(|bias| bias.to_dtype(DType::F32)?.to_vec1()).transpose()?;
        let kind = Kind::Packed(Packed { weights: Arc::new(weights), bias: bias.map(Arc::new) });
        Ok(Self { kind, change: None })
    }

    /// With a bias, and a low-rank change where there is one.
    pub fn new(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        let bias = vb.get(outputs, "bias")?;
        let layer = Self::from_weights(vb.get((outputs, inputs), "weight")?, Some(bias))?;
        Ok(Self { change: LowRank::find(&vb)?, ..layer })
    }

    /// Without a bias, with a low-rank change where there is one.
    pub fn no_bias(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        let layer = Self::from_weights(vb.get((outputs, inputs), "weight")?, None)?;
        Ok(Self { change: LowRank::find(&vb)?, ..layer })
    }

    /// Packed weights and a bias, where there are both and nothing else.
    pub(super) fn packed(&self) -> Option<(&PackedWeights, &[f32])> {
        match self {
            Self { kind: Kind::Packed(Packed { weights, bias: Some(bias) }), change: None } => {
                Some((weights, bias))
            }
            _ => None,
        }
    }

    /// The layer's result added to `residual` of its shape.
    pub fn forward_onto(&self, residual: &Tensor, input: &Tensor) -> Result<Tensor> {
        match self {
            Self { kind: Kind::Packed(packed), change: None } if serve(&[input, residual]) => {
                packed.onto(residual, input)
            }
            _ => residual + self.forward(input)?,
        }
    }
}

/// A change of a layer's weights that trains: `up · down` (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>). It is applied
/// beside the weights, which stay frozen.
#[derive(Debug)]
struct LowRank {
    /// `(rank, inputs)`.
    down: Tensor,
    /// `(outputs, rank)`.
    up: Tensor,
}

impl LowRank {
    /// The change among a layer's weights, under the names that PEFT gives it.
    fn find(vb: &VarBuilder) -> Result<Option<Self>> {
        const NAMES: [&str; 2] = ["lora_A.weight", "lora_B.weight"];
        if !vb.contains_tensor(NAMES[0]) {
            return Ok(None);
        }
        Ok(Some(Self { down: vb.get_unchecked(NAMES[0])?, up: vb.get_unchecked(NAMES[1])? }))
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        plain(&plain(input, &self.down, None)?, &self.up, None)
    }
}

/// A linear layer by candle's own operations, in the input's type.
fn plain(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let in_type = |tensor: &Tensor| tensor.to_dtype(input.dtype());
    candle_nn::Linear::new(in_type(weight)?, bias.map(in_type).transpose()?).forward(input)
}

impl Packed {
    fn onto(&self, residual: &Tensor, input: &Tensor) -> Result<Tensor> {
        let shape = self.result_shape(input.dims())?;
        if residual.dims() != shape {
            candle_core::bail!("{shape:?} cannot be added to a residual of another shape");
        }
        filled(shape, |output| {
            with_all(residual, |residual| {
                let start = Start { residual: Some(residual), ..self.start() };
                with_all(input, |input| apply(input, &self.weights, start, output))
            })?
        })
    }

    fn start(&self) -> Start<'_> {
        Start { bias: self.bias.as_ref().map(|bias| &bias[..]), residual: None }
    }

    fn plain(&self, input: &Tensor) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(|bias| Tensor::new(&bias[..], &Device::Cpu)).transpose()?;
        plain(input, &self.weights.unpacked()?, bias.as_ref())
    }
}

impl Differentiable for Packed {
    const NAME: &'static str = "linear layer";

    fn result_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        let PackedWeights { inputs, outputs, .. } = *self.weights;
        match shape.split_last() {
            Some((last, rest)) if *last == inputs => Ok([rest, &[outputs]].concat()),
            _ => candle_core::bail!("{shape:?} given to a linear layer of {inputs} inputs"),
        }
    }

    fn forward(&self, _shape: &[usize], input: &[f32], output: &mut [f32]) -> Result<()> {
        apply(input, &self.weights, self.start(), output);
        Ok(())
    }

    fn backward(&self, _input: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let weights = Arc::new(self.weights.transposed());
        Packed { weights, bias: None }.apply(gradient)
    }
}

impl Module for Linear {
    /// `(…, inputs)` to `(…, outputs)`.
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let result = match &self.kind {
            Kind::Plain { weight, bias } => plain(input, weight, bias.as_ref()),
            Kind::Packed(packed) if suits(input) => packed.apply(input),
            Kind::Packed(packed) => packed.plain(input),
        }?;
        match &self.change {
            Some(change) => result + change.forward(input)?,
            None => Ok(result),
        }
    }
}

/// Weights of a linear layer as products want them, in panels of outputs, for whoever has the values and no tensors.
#[derive(Debug)]
pub struct PackedWeights {
    stored: Stored,
    inputs: usize,
    outputs: usize,
}

impl PackedWeights {
    /// From `(outputs, inputs)`, row by row.
    ///
    /// # Panics
    /// Where there are more or fewer values.
    pub fn new(weight: &[f32], outputs: usize, inputs: usize) -> Self {
        Self::pack(Values::F32(weight), outputs, inputs)
    }

    fn pack(weight: Values, outputs: usize, inputs: usize) -> Self {
        assert_eq!(weight.len(), outputs * inputs);
        let stored = match weight {
            Values::F32(weight) => Stored::F32(packed(weight, outputs, inputs)),
            Values::F16(weight) => Stored::F16(packed(weight, outputs, inputs)),
            Values::BF16(weight) => Stored::BF16(packed(weight, outputs, inputs)),
        };
        Self { stored, inputs, outputs }
    }

    /// How many values go in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `input · weightᵀ + bias` on this thread alone: `(tokens, inputs)` to `(tokens, outputs)`.
    ///
    /// # Panics
    /// Where `input` and `output` are not of the same number of tokens.
    pub fn apply_here(&self, input: &[f32], bias: &[f32], output: &mut [f32]) {
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
    /// adds them where `add` is set. At most [`DEPTH`] inputs; `columns` begins with a panel.
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
        debug_assert!(columns.start.is_multiple_of(panel));
        let (start, panels) =
            (columns.start * self.inputs + depth.start * panel, columns.len().div_ceil(panel));
        let (values, step) =
            self.stored.values().lines(start, self.inputs * panel, panels, depth.len() * panel, widened);
        let size = Size { rows, depth: depth.len(), columns: columns.len() };
        // SAFETY: the caller vouches for it.
        unsafe { product(simd, size, left, Panels { values, step }, output, add) };
    }

    /// [`Self::multiply`] over all inputs of rows that lie one after the other.
    ///
    /// # Safety
    /// As for [`product`].
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "the coordinates of a block in three matrices")]
    pub(super) unsafe fn multiply_all<S: Simd>(
        &self,
        simd: S,
        (input, rows): (&[f32], usize),
        columns: Range<usize>,
        widened: &mut [f32],
        output: Output,
        add: bool,
    ) {
        for first in (0..self.inputs).step_by(DEPTH) {
            let depth = first..self.inputs.min(first + DEPTH);
            let left = Left { values: &input[first..], row_step: self.inputs, depth_step: 1 };
            let (columns, add) = (columns.clone(), add || first > 0);
            // SAFETY: the caller vouches for it.
            unsafe { self.multiply(simd, (left, rows), depth, columns, widened, output, add) };
        }
    }

    /// Scratch memory for `columns` of the outputs.
    pub(super) fn scratch(&self, columns: usize) -> usize {
        self.stored.values().scratch(columns.next_multiple_of(panel_width()) * DEPTH.min(self.inputs))
    }

    /// Of the layer from outputs to inputs.
    fn transposed(&self) -> Self {
        let Self { inputs, outputs, .. } = *self;
        let stored = match &self.stored {
            Stored::F32(values) => Stored::F32(transposed(values, outputs, inputs)),
            Stored::F16(values) => Stored::F16(transposed(values, outputs, inputs)),
            Stored::BF16(values) => Stored::BF16(transposed(values, outputs, inputs)),
        };
        Self { stored, inputs: outputs, outputs: inputs }
    }

    /// `(outputs, inputs)` again, for candle's own operations.
    fn unpacked(&self) -> Result<Tensor> {
        let shape = (self.outputs, self.inputs);
        match &self.stored {
            Stored::F32(values) => Tensor::from_vec(unpacked(values, shape), shape, &Device::Cpu),
            Stored::F16(values) => Tensor::from_vec(unpacked(values, shape), shape, &Device::Cpu),
            Stored::BF16(values) => Tensor::from_vec(unpacked(values, shape), shape, &Device::Cpu),
        }
    }
}

/// Panels of outputs to panels of inputs.
fn transposed<T: Copy + Default + Send + Sync>(values: &[T], outputs: usize, inputs: usize) -> Vec<T> {
    let panel = panel_width();
    let mut result = vec![T::default(); inputs.next_multiple_of(panel) * outputs];
    result.par_chunks_mut((panel * outputs).max(1)).enumerate().for_each(|(index, result)| {
        for (output, line) in result.chunks_exact_mut(panel).enumerate() {
            let values = &values[output / panel * panel * inputs + output % panel..];
            for (column, input) in (index * panel..inputs).take(panel).enumerate() {
                line[column] = values[input * panel];
            }
        }
    });
    result
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
fn apply(input: &[f32], weights: &PackedWeights, start: Start, output: &mut [f32]) {
    let PackedWeights { inputs, outputs, .. } = *weights;
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
    weights: &'a PackedWeights,
    start: Start<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    widened: &'a mut [f32],
    output: Shared<'a>,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { input, weights, start: before, rows, columns, widened, output } = self;
        let PackedWeights { inputs, outputs, .. } = *weights;
        if !before.is_zero() {
            for row in rows.clone() {
                let place = row * outputs + columns.start;
                // SAFETY: rows and columns of its own.
                let line = unsafe { output.slice(place, columns.len()) };
                before.write(line, place, columns.start);
            }
        }
        let input = (&input[rows.start * inputs..], rows.len());
        let output = output.rows(rows.start * outputs + columns.start, outputs);
        // SAFETY: rows and columns of its own.
        unsafe { weights.multiply_all(simd, input, columns, widened, output, !before.is_zero()) };
    }
}
