//! Networks in ONNX files, run by tract.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tract_onnx::prelude::{
    DatumExt, Framework, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedModel,
    TypedRunnableModel, tvec,
};

use crate::error::{Error, Result};

/// A network with one input of a fixed shape.
pub struct Onnx {
    plan: Arc<TypedRunnableModel>,
    shape: Vec<usize>,
    path: PathBuf,
}

/// One output: its shape, and its values in row-major order.
pub type Output = (Vec<usize>, Vec<f32>);

impl Onnx {
    /// Reads a network for inputs of `shape`, and as many of its `outputs` as are wanted, from the first one on; `None`
    /// for all. `path` is what errors name.
    ///
    /// # Errors
    /// A file that is no ONNX network, or one that does not take such an input.
    pub fn read(path: &Path, from: &mut dyn Read, shape: &[usize], outputs: Option<usize>) -> Result<Self> {
        let plan = plan(from, shape, outputs).map_err(|error| {
            Error::weights(path, format!("is no network for inputs {shape:?}: {error:#}"))
        })?;
        Ok(Self { plan, shape: shape.to_vec(), path: path.to_path_buf() })
    }

    /// The outputs for one input, whose values are in row-major order.
    ///
    /// # Errors
    /// A network that fails on this input.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Output>> {
        let run = || -> TractResult<Vec<Output>> {
            let input = Tensor::from_shape(&self.shape, input)?;
            let outputs = self.plan.run(tvec!(input.into()))?;
            outputs
                .iter()
                .map(|output| {
                    let values = output.cast_to::<f32>()?;
                    Ok((
                        output.shape().to_vec(),
                        values.to_plain_array_view::<f32>()?.iter().copied().collect(),
                    ))
                })
                .collect()
        };
        run().map_err(|error| Error::weights(&self.path, format!("fails: {error:#}")))
    }
}

fn plan(
    from: &mut dyn Read,
    shape: &[usize],
    outputs: Option<usize>,
) -> TractResult<Arc<TypedRunnableModel>> {
    let mut model = tract_onnx::onnx().model_for_read(from)?.with_input_fact(0, f32::fact(shape).into())?;
    if let Some(count) = outputs {
        let first: Vec<_> = model.output_outlets()?.iter().take(count).copied().collect();
        model.select_output_outlets(&first)?;
    }
    let model: TypedModel = model.into_optimized()?;
    model.into_runnable()
}
