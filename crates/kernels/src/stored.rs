//! Weights in the type in which they are kept. In 16 bits they take half the memory; kernels widen the parts that they
//! are working on, and compute in 32.

use super::values::OTHER_LIBRARY;
use candle_core::{CpuStorage, DType, Result, Storage, Tensor, bail};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Whether kernels can work with these weights: on the CPU, in 32 or 16 bits, no gradient is asked for.
pub(super) fn usable(weight: &Tensor) -> bool {
    !OTHER_LIBRARY
        && weight.device().is_cpu()
        && matches!(weight.dtype(), DType::F32 | DType::F16 | DType::BF16)
        && !weight.track_op()
}

/// Some weights.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    BF16(&'a [bf16]),
}

impl<'a> Values<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::BF16(values) => values.len(),
        }
    }

    /// The values from `start` on, as many as `widened` has.
    pub(super) fn widen(self, start: usize, widened: &mut [f32]) {
        let end = start + widened.len();
        match self {
            Self::F32(values) => widened.copy_from_slice(&values[start..end]),
            Self::F16(values) => values[start..end].convert_to_f32_slice(widened),
            Self::BF16(values) => values[start..end].convert_to_f32_slice(widened),
        }
    }

    /// `count` lines of `length` values, the first at `start` and each `step` further: in 32 bits, where they lie or in
    /// `scratch`, and the step between them there.
    pub(super) fn lines<'b>(
        self,
        start: usize,
        step: usize,
        count: usize,
        length: usize,
        scratch: &'b mut [f32],
    ) -> (&'b [f32], usize)
    where
        'a: 'b,
    {
        if let Self::F32(values) = self {
            return (&values[start..], step);
        }
        for (line, widened) in scratch.chunks_exact_mut(length).take(count).enumerate() {
            self.widen(start + line * step, widened);
        }
        (scratch, length)
    }

    /// Values of scratch memory that [`Self::lines`] needs for `length` of them.
    pub(super) fn scratch(self, length: usize) -> usize {
        match self {
            Self::F32(_) => 0,
            _ => length,
        }
    }
}

/// Lends the values of weights in their order to `work`.
pub(super) fn with_weights<T>(weight: &Tensor, work: impl FnOnce(Values) -> T) -> Result<T> {
    let weight = weight.contiguous()?;
    let (storage, layout) = weight.storage_and_layout();
    let range = layout.start_offset()..layout.start_offset() + weight.elem_count();
    Ok(work(match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Values::F32(&values[range]),
        Storage::Cpu(CpuStorage::F16(values)) => Values::F16(&values[range]),
        Storage::Cpu(CpuStorage::BF16(values)) => Values::BF16(&values[range]),
        _ => bail!("a kernel for the CPU was given other weights"),
    }))
}

/// Weights that a layer holds.
#[derive(Debug)]
pub(super) enum Stored {
    F32(Vec<f32>),
    F16(Vec<f16>),
    BF16(Vec<bf16>),
}

impl Stored {
    pub(super) fn values(&self) -> Values<'_> {
        match self {
            Self::F32(values) => Values::F32(values),
            Self::F16(values) => Values::F16(values),
            Self::BF16(values) => Values::BF16(values),
        }
    }
}
