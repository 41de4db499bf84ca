//! In place of [`onnx`](super::onnx) where the feature `onnx` is off: no network can be opened.

use std::path::Path;

use crate::error::{Error, Result};

/// No network.
pub enum Onnx {}

impl Onnx {
    /// # Errors
    /// Always: this build reads no ONNX files.
    pub fn open(path: &Path) -> Result<Self> {
        Err(Error::weights(path, "cannot be read: this program was built without the feature `onnx`"))
    }

    pub fn input(&self) -> &[usize] {
        match *self {}
    }

    pub fn outputs(&self) -> &[Vec<usize>] {
        match *self {}
    }

    pub fn is_no(&self, _what: &str, _expected: &str) -> Error {
        match *self {}
    }

    pub fn run(&self, _input: &[f32]) -> Result<Vec<Vec<f32>>> {
        match *self {}
    }
}
