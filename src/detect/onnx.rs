//! Networks in ONNX files, run by tract.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tract_onnx::prelude::{
    DatumExt, Framework, InferenceModel, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedModel,
    TypedRunnableModel, tvec,
};
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

use crate::error::{Error, Result};
use crate::inputs::{guarded, read};

/// Longest file that is read.
const MAX_BYTES: u64 = 2 << 30;

/// A network with one input.
pub struct Onnx {
    plan: Arc<TypedRunnableModel>,
    input: Vec<usize>,
    outputs: Vec<Vec<usize>>,
    path: PathBuf,
}

impl Onnx {
    /// Reads a network from a file.
    ///
    /// # Errors
    /// A file that is missing or no ONNX network; a network whose input or outputs have no fixed size. The number of pictures
    /// may be open.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = read(path, MAX_BYTES).map_err(Error::of_weights)?;
        guarded(path, || Self::decode(path, &bytes)).map_err(Error::of_weights)
    }

    fn decode(path: &Path, mut bytes: &[u8]) -> Result<Self> {
        let fail = |error| Error::weights(path, format!("is no ONNX network that can be run: {error:#}"));
        let open = |what: &str| Error::weights(path, format!("{what} has no fixed size"));
        let model = tract_onnx::onnx().model_for_read(&mut bytes).map_err(fail)?;
        let input = input_shape(&model).map_err(fail)?.ok_or_else(|| open("its input"))?;
        let model = optimized(model, &input).map_err(fail)?;
        let outputs = output_shapes(&model).map_err(fail)?.ok_or_else(|| open("an output"))?;
        let plan = model.into_runnable().map_err(fail)?;
        Ok(Self { plan, input, outputs, path: path.to_path_buf() })
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
    /// A network that fails on this input.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Vec<f32>>> {
        let run = || -> TractResult<Vec<Vec<f32>>> {
            let outputs = self.plan.run(tvec!(Tensor::from_shape(&self.input, input)?.into()))?;
            let values = |output: &Tensor| -> TractResult<Vec<f32>> {
                let output = output.cast_to::<f32>()?;
                Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect())
            };
            outputs.iter().map(|output| values(output)).collect()
        };
        let fail = |error| Error::weights(&self.path, format!("fails: {error:#}"));
        guarded(&self.path, || run().map_err(fail)).map_err(Error::of_weights)
    }
}

/// The shape of the first input, of one picture where their number is open.
fn input_shape(model: &InferenceModel) -> TractResult<Option<Vec<usize>>> {
    let dims = model.input_fact(0)?.shape.dims().enumerate();
    let known = dims.map(|(index, dim)| {
        let size = dim.concretize().and_then(|size| size.to_usize().ok());
        size.or((index == 0).then_some(1)).filter(|&size| size > 0)
    });
    Ok(known.collect())
}

/// The network for inputs of a shape.
fn optimized(model: InferenceModel, input: &[usize]) -> TractResult<TypedModel> {
    model.with_input_fact(0, f32::fact(input).into())?.into_optimized()
}

fn output_shapes(model: &TypedModel) -> TractResult<Option<Vec<Vec<usize>>>> {
    let outlets = model.output_outlets()?.iter();
    let facts = outlets.map(|&outlet| model.outlet_fact(outlet)).collect::<TractResult<Vec<_>>>()?;
    Ok(facts.iter().map(|fact| fact.shape.as_concrete().map(<[usize]>::to_vec)).collect())
}
