//! Results of frozen networks, remembered from one epoch to the next.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use candle_core::Tensor;

use crate::error::Result;

/// Most values that are remembered: 1 GiB in 32 bits.
const MOST_VALUES: usize = 1 << 28;

/// Tensors by name, up to a gigabyte.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<(HashMap<String, Tensor>, usize)>);

impl Remembered {
    /// The tensor called `name`, from `make` where it is not remembered.
    pub fn get(&self, name: &str, make: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tensor) = lock().0.get(name) {
            return Ok(tensor.clone());
        }
        let tensor = make()?;
        let (tensors, values) = &mut *lock();
        if *values + tensor.elem_count() <= MOST_VALUES {
            *values += tensor.elem_count();
            tensors.insert(name.to_owned(), tensor.clone());
        }
        Ok(tensor)
    }
}
