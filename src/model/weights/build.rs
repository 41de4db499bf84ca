//! Building a network from a part's weights: conversion, LoRA, and the report of what did not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;

use super::entry::Entry;
use super::keys::is_harmless;
use super::lora::{Delta, Lora};
use super::part::PartFiles;
use crate::error::{Error, Result};

/// Longest list that is printed in full.
const LISTED: usize = 40;
/// Largest tensor that stands in for a missing one: larger ones come from a configuration that is wrong.
const MAX_PLACEHOLDER: usize = 1 << 32;

/// A tensor whose shape is not the one that the network asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MisShaped {
    /// Its canonical name.
    pub name: String,
    /// The shape that the network has by its configuration.
    pub expected: Vec<usize>,
    /// The shape in the file.
    pub found: Vec<usize>,
}

/// What a network and the files it was built from do not have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Canonical names that the network asked for in vain. Empty once a network has been built.
    pub missing: Vec<String>,
    /// Tensors of another shape than the network's. Empty once a network has been built.
    pub mis_shaped: Vec<MisShaped>,
    /// Tensors that cannot be used, with the reason (NaN, a stored type that cannot be read, overflow in f16). Empty
    /// once a network has been built.
    pub unreadable: Vec<String>,
    /// Tensors that the network did not ask for; those known to be harmless are left out.
    pub unused: Vec<String>,
    /// How many weights LoRAs changed.
    pub lora_layers: usize,
}

impl LoadReport {
    /// Whether the network got every tensor it asked for.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.mis_shaped.is_empty() && self.unreadable.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mis_shaped = self.mis_shaped.iter().map(|MisShaped { name, expected, found }| {
            format!("{name}: {found:?} in the file, {expected:?} in the network")
        });
        let mut first = true;
        for (title, lines) in [
            ("missing", self.missing.clone()),
            ("of another shape", mis_shaped.collect()),
            ("unreadable", self.unreadable.clone()),
            ("unused", self.unused.clone()),
        ] {
            if lines.is_empty() {
                continue;
            }
            let newline = if std::mem::take(&mut first) { "" } else { "\n" };
            write!(f, "{newline}{title} ({}):", lines.len())?;
            for line in lines.iter().take(LISTED) {
                write!(f, "\n  {line}")?;
            }
            if lines.len() > LISTED {
                write!(f, "\n  … and {} more", lines.len() - LISTED)?;
            }
        }
        Ok(())
    }
}

impl PartFiles {
    /// Builds a network. `make` gets a builder with canonical names whose tensors have the type `dtype` and lie on
    /// `device`. The LoRAs are merged into them (in f32), each multiplied by the number beside it.
    ///
    /// `make` is handed zeros in place of what does not fit, so that one error can list everything.
    ///
    /// # Errors
    /// Missing, mis-shaped or unreadable tensors, all of them listed; a LoRA that does not fit the network; errors of
    /// `make`.
    pub fn build<T>(
        &self,
        dtype: DType,
        device: &Device,
        loras: &[(&Lora, f64)],
        make: impl FnOnce(VarBuilder) -> candle_core::Result<T>,
    ) -> Result<(T, LoadReport)> {
        self.build_from(loras, |source| {
            make(VarBuilder::from_backend(Box::new(source), dtype, device.clone()))
        })
    }

    /// [`Self::build`], where `make` is given the source of the builder.
    pub(super) fn build_from<T>(
        &self,
        loras: &[(&Lora, f64)],
        make: impl FnOnce(Source) -> candle_core::Result<T>,
    ) -> Result<(T, LoadReport)> {
        let mut deltas: BTreeMap<String, Vec<Delta>> = BTreeMap::new();
        for &(lora, weight) in loras {
            for (name, delta) in lora.deltas(self, weight)? {
                deltas.entry(name).or_default().push(delta);
            }
        }
        let log = Mutex::new(Log::default());
        let made = make(Source { part: self, deltas: &deltas, log: &log });
        let report = self.report(log.into_inner().unwrap_or_else(PoisonError::into_inner), deltas.len());
        if !report.is_complete() {
            let problem =
                format!("does not fit the {} that its configuration describes\n{report}", self.part());
            return Err(Error::weights(self.path(), problem));
        }
        Ok((made?, report))
    }

    fn report(&self, log: Log, lora_layers: usize) -> LoadReport {
        let unasked = self.entries.iter().filter(|(name, _)| !log.asked.contains(*name));
        let unasked = unasked.map(|(_, entry)| entry.key.clone());
        let mut unused: Vec<_> =
            unasked.chain(self.unknown.iter().cloned()).filter(|key| !is_harmless(key)).collect();
        unused.sort();
        unused.dedup();
        let Log { missing, mis_shaped, unreadable, .. } = log;
        LoadReport { missing, mis_shaped, unreadable, unused, lora_layers }
    }
}

/// What the network asked for, and what went wrong.
#[derive(Default)]
pub(super) struct Log {
    asked: BTreeSet<String>,
    missing: Vec<String>,
    mis_shaped: Vec<MisShaped>,
    unreadable: Vec<String>,
}

/// The part's tensors as a source for candle's builder.
pub(super) struct Source<'a> {
    part: &'a PartFiles,
    deltas: &'a BTreeMap<String, Vec<Delta<'a>>>,
    log: &'a Mutex<Log>,
}

impl Source<'_> {
    fn log(&self, record: impl FnOnce(&mut Log)) {
        record(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The tensor, or `None` if it cannot be used, which is then in the log.
    fn load(
        &self,
        name: &str,
        entry: &Entry,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Option<Tensor>> {
        match self.convert(name, entry, dtype, device) {
            Ok(tensor) => Ok(Some(tensor)),
            Err(Error::Compute(error)) => Err(error),
            Err(error) => {
                self.log(|log| log.unreadable.push(error.to_string()));
                Ok(None)
            }
        }
    }

    fn convert(&self, name: &str, entry: &Entry, dtype: DType, device: &Device) -> Result<Tensor> {
        let (mut tensor, mut magnitude) = self.part.read(entry)?;
        let mut origin = "";
        if let Some(deltas) = self.deltas.get(name) {
            tensor = tensor.to_dtype(DType::F32)?;
            for delta in deltas {
                tensor = (tensor + delta.tensor(&entry.shape)?)?;
            }
            magnitude = largest_magnitude(&tensor)?;
            origin = " with the LoRA merged";
        }
        let limit = largest_finite(dtype);
        if magnitude > limit {
            let (path, key) = self.part.place(entry);
            let problem =
                format!("{key}: reaches {magnitude:.3e}{origin}; {} ends at {limit:.5e}", dtype.as_str());
            let advice = if dtype == DType::F16 { ", use f32 or bf16" } else { "" };
            return Err(Error::weights(path, format!("{problem}{advice}")));
        }
        // Not every device knows f64.
        let tensor = if tensor.dtype() == DType::F64 { tensor.to_dtype(DType::F32)? } else { tensor };
        Ok(tensor.to_device(device)?.to_dtype(dtype)?)
    }
}

impl SimpleBackend for Source<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.log(|log| _ = log.asked.insert(name.to_owned()));
        let loaded = match self.part.entries.get(name) {
            None => {
                self.log(|log| log.missing.push(format!("{name} {:?}", shape.dims())));
                None
            }
            Some(entry) if entry.shape != shape.dims() => {
                let (expected, found) = (shape.dims().to_vec(), entry.shape.clone());
                self.log(|log| log.mis_shaped.push(MisShaped { name: name.to_owned(), expected, found }));
                None
            }
            Some(entry) => self.load(name, entry, dtype, device)?,
        };
        loaded.map_or_else(|| placeholder(&shape, dtype, device), Ok)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let entry = self.part.entries.get(name);
        let shape = entry.map_or_else(|| Shape::from(()), |entry| Shape::from(entry.shape.as_slice()));
        self.get(shape, name, candle_nn::Init::Const(0.0), dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.part.entries.contains_key(name)
    }
}

/// Zeros that take no memory, so that a configuration with absurd sizes costs nothing.
fn placeholder(shape: &Shape, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
    let elements = shape.dims().iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if elements.is_none_or(|elements| elements > MAX_PLACEHOLDER) {
        candle_core::bail!("a tensor of the shape {:?} is too large", shape.dims());
    }
    Tensor::zeros((), dtype, device)?.broadcast_as(shape)
}

/// The largest magnitude in an f32 tensor; infinity where there is infinity or NaN.
fn largest_magnitude(tensor: &Tensor) -> Result<f64> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    let magnitude = |value: f32| if value.is_finite() { value.abs() } else { f32::INFINITY };
    Ok(f64::from(values.into_iter().map(magnitude).fold(0.0, f32::max)))
}

/// The largest finite value of a type to compute in.
fn largest_finite(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => half::f16::MAX.to_f64(),
        DType::BF16 => half::bf16::MAX.to_f64(),
        _ => f64::from(f32::MAX),
    }
}
