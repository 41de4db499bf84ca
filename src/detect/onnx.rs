//! Networks in ONNX files, run by tract.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tract_onnx::prelude::{
    DatumExt, Framework, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedModel,
    TypedRunnableModel, tvec,
};

use crate::error::{Error, Result};

/// A network with one input of a fixed shape, of which the first output is wanted.
pub struct Onnx {
    plan: Arc<TypedRunnableModel>,
    shape: Vec<usize>,
    path: PathBuf,
}

impl Onnx {
    /// Reads a network for inputs of `shape`. `path` is what errors name.
    ///
    /// # Errors
    /// A file that is no ONNX network, or one that does not take such an input.
    pub fn read(path: &Path, from: &mut dyn Read, shape: &[usize]) -> Result<Self> {
        let plan = plan(from, shape).map_err(|error| {
            Error::weights(path, format!("is no network for inputs {shape:?}: {error:#}"))
        })?;
        Ok(Self { plan, shape: shape.to_vec(), path: path.to_path_buf() })
    }

    /// The output for an input, both in row-major order.
    ///
    /// # Errors
    /// A network that fails on this input.
    pub fn run(&self, input: &[f32]) -> Result<Vec<f32>> {
        let run = || -> TractResult<Vec<f32>> {
            let outputs = self.plan.run(tvec!(Tensor::from_shape(&self.shape, input)?.into()))?;
            Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
        };
        run().map_err(|error| Error::weights(&self.path, format!("fails: {error:#}")))
    }
}

fn plan(from: &mut dyn Read, shape: &[usize]) -> TractResult<Arc<TypedRunnableModel>> {
    let mut model = tract_onnx::onnx().model_for_read(from)?.with_input_fact(0, f32::fact(shape).into())?;
    let first = model.output_outlets()?[0];
    model.select_output_outlets(&[first])?;
    let model: TypedModel = model.into_optimized()?;
    model.into_runnable()
}
