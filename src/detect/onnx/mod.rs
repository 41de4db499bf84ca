//! Networks in ONNX files, run by ONNX Runtime.

mod runtime;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ort::session::Session;
use ort::value::{Outlet, TensorRef};

use crate::error::{Error, Result};
use crate::files::{guarded, read};

/// Longest file that is read.
const MAX_BYTES: u64 = 2 << 30;
/// Most values that a network may take in: 32 times what a picture of 832×832 pixels needs.
const MAX_INPUT: usize = 1 << 26;

/// A network with one input.
pub struct Onnx {
    // A session runs one input at a time, on threads of its own.
    session: Mutex<Session>,
    input: Vec<usize>,
    outputs: Vec<Vec<usize>>,
    path: PathBuf,
}

/// The outputs of a network, each with its shape and its values in row-major order.
type Outputs = Vec<(Vec<usize>, Vec<f32>)>;

impl Onnx {
    /// Reads a network from a file, and tries it on an empty picture.
    ///
    /// # Errors
    /// No ONNX Runtime on this machine; a file that is missing or no ONNX network. A network that has several inputs,
    /// whose input has no fixed size, or that fails. The number of pictures may be open.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = read(path, MAX_BYTES).map_err(Error::of_weights)?;
        guarded(path, || Self::decode(path, &bytes)).map_err(Error::of_weights)
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let environment = runtime::environment(path)?;
        let fail =
            |error: ort::Error| Error::weights(path, format!("is no ONNX network that can be run: {error}"));
        let session = runtime::session(environment, bytes).map_err(fail)?;
        let input = input_shape(session.inputs()).map_err(|problem| Error::weights(path, problem))?;
        let mut network =
            Self { session: Mutex::new(session), input, outputs: Vec::new(), path: path.to_path_buf() };
        let empty = vec![0.0; network.input.iter().product()];
        network.outputs = network.infer(&empty)?.into_iter().map(|(shape, _)| shape).collect();
        Ok(network)
    }

    /// The input's shape.
    pub fn input(&self) -> &[usize] {
        &self.input
    }

    /// The outputs' shapes.
    pub fn outputs(&self) -> &[Vec<usize>] {
        &self.outputs
    }

    /// The error of a file whose shapes are not those of `what`; `expected` tells them.
    pub fn is_no(&self, what: &str, expected: &str) -> Error {
        let Self { input, outputs, path, .. } = self;
        Error::weights(path, format!("is no {what}: it gives {outputs:?} for {input:?}; {expected}"))
    }

    /// The outputs for an input, all in row-major order.
    ///
    /// # Errors
    /// A network that fails on this input, or gives other shapes than for an empty picture.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Vec<f32>>> {
        let outputs = guarded(&self.path, || self.infer(input)).map_err(Error::of_weights)?;
        let shapes = outputs.iter().map(|(shape, _)| shape);
        if !shapes.eq(&self.outputs) {
            return Err(Error::weights(&self.path, "gives outputs of other shapes for other pictures"));
        }
        Ok(outputs.into_iter().map(|(_, values)| values).collect())
    }

    fn infer(&self, input: &[f32]) -> Result<Outputs> {
        let run = || -> ort::Result<Outputs> {
            let input = TensorRef::from_array_view((self.input.as_slice(), input))?;
            // What another thread's panic left of a session is still a session.
            let mut session = self.session.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let outputs = session.run(ort::inputs![input])?;
            let values = outputs.values().map(|output| {
                let (shape, values) = output.try_extract_tensor::<f32>()?;
                Ok((shape.iter().map(|&size| size as usize).collect(), values.to_vec()))
            });
            values.collect()
        };
        run().map_err(|error| Error::weights(&self.path, format!("fails: {error}")))
    }
}

/// The shape of the only input, of one picture where their number is open; or what is wrong with it.
fn input_shape(inputs: &[Outlet]) -> std::result::Result<Vec<usize>, String> {
    let [input] = inputs else {
        return Err(format!("has {} inputs; a network with 1 is expected", inputs.len()));
    };
    let shape = input.dtype().tensor_shape().ok_or("its input is no tensor")?;
    let known = shape.iter().enumerate().map(|(index, &size)| match usize::try_from(size) {
        Ok(size) if size > 0 => Some(size),
        _ => (index == 0 && size < 0).then_some(1),
    });
    let known: Option<Vec<usize>> = known.collect();
    let shape = known.ok_or("its input has no fixed size")?;
    let values = shape.iter().try_fold(1_usize, |values, &size| values.checked_mul(size));
    match values {
        Some(values) if values <= MAX_INPUT => Ok(shape),
        _ => Err(format!("its input is {shape:?}; at most {MAX_INPUT} values are taken in")),
    }
}
