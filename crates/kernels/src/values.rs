//! What kernels read of a tensor.

use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// Whoever builds with another matrix library gets it.
pub(super) const OTHER_LIBRARY: bool = cfg!(any(feature = "accelerate", feature = "mkl"));

/// Whether kernels can work with this tensor: 32 bits on the CPU. Otherwise the same is done by candle's own operations.
pub(super) fn suits(tensor: &Tensor) -> bool {
    !OTHER_LIBRARY && tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

/// Whether kernels serve these tensors, and no gradient is asked for.
pub(super) fn serve(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|tensor| suits(tensor) && !tensor.track_op())
}

/// A tensor's values, from its first one on.
pub(super) fn values<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(&values[layout.start_offset()..]),
        _ => bail!("a kernel for 32 bits on the CPU was given something else"),
    }
}

/// Lends the values of a tensor in their order to `work`.
pub(super) fn with_all<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    Ok(work(&values(&storage, layout)?[..tensor.elem_count()]))
}

/// As [`with_all`], where there is a tensor.
pub(super) fn with_optional<T>(tensor: Option<&Tensor>, work: impl FnOnce(Option<&[f32]>) -> T) -> Result<T> {
    match tensor {
        Some(tensor) => with_all(tensor, |values| work(Some(values))),
        None => Ok(work(None)),
    }
}

/// A tensor whose values `work` fills in.
pub(super) fn filled(shape: impl Into<Shape>, work: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<Tensor> {
    let shape = shape.into();
    let mut values = vec![0.0; shape.elem_count()];
    work(&mut values)?;
    Tensor::from_vec(values, shape, &Device::Cpu)
}
