//! The previous frame as it was while it was made: what entered its self-attention layers at each step.
//!
//! Looking back at these costs no pass through the network, where noising the finished frame again costs one for each pass
//! of the picture (and its ControlNets). They are kept in 16 bits: about half a gigabyte for 20 steps of Stable Diffusion
//! 1.5 at 512×512.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::model::attention::ReferenceTokens;
use crate::model::transformer::{LayerFeatures, ReferencePass};

/// A frame's trajectory as a file holds it: `step.layer` → `(1, tokens, channels)` in 16 bits.
pub type TrajectoryTensors = BTreeMap<String, Tensor>;

/// What entered the layers, by step and layer: guidance of weight zero leaves the pass out that is kept, so that steps may
/// lack; a shallow pass leaves out layers.
type Steps = BTreeMap<usize, BTreeMap<usize, Tensor>>;

/// The features of the previous frame's steps, and those of the frame in the making.
#[derive(Debug)]
pub struct Trajectory {
    weight: f64,
    past: Steps,
    present: Steps,
}

impl Trajectory {
    /// Nothing yet. `weight` is ω of the previous frame.
    pub fn new(weight: f64) -> Self {
        Self { weight, past: Steps::new(), present: Steps::new() }
    }

    /// What the previous frame saw at a step, where there is a previous frame.
    pub(super) fn at(&self, step: usize) -> Result<Option<ReferencePass>> {
        let Some(layers) = self.past.get(&step) else { return Ok(None) };
        let tokens = |(&layer, features): (&usize, &Tensor)| -> Result<(usize, ReferenceTokens)> {
            let log_weights = match self.weight {
                1.0 => None,
                weight => Some(Tensor::full(weight.ln() as f32, features.dim(1)?, features.device())?),
            };
            Ok((layer, ReferenceTokens { features: features.clone(), log_weights }))
        };
        layers.iter().map(tokens).collect::<Result<_>>().map(Some)
    }

    /// A new frame begins: what a frame that was cut off left behind is dropped.
    pub(super) fn begin(&mut self) {
        self.present.clear();
    }

    /// Keeps what one of the pictures of a step's pass saw.
    pub(super) fn keep(
        &mut self,
        step: usize,
        picture: usize,
        layers: BTreeMap<usize, LayerFeatures>,
    ) -> Result<()> {
        let small = |(layer, kept): (usize, LayerFeatures)| {
            Ok((layer, kept.features.narrow(0, picture, 1)?.to_dtype(DType::F16)?))
        };
        self.present.insert(step, layers.into_iter().map(small).collect::<Result<_>>()?);
        Ok(())
    }

    /// The frame is finished: now it is the previous one.
    pub(super) fn advance(&mut self) {
        self.past = std::mem::take(&mut self.present);
    }

    /// Leaves the previous frame out of the next one, as at a cut.
    pub(super) fn forget(&mut self) {
        self.past.clear();
    }

    /// The previous frame's, to be kept.
    pub(super) fn tensors(&self) -> TrajectoryTensors {
        let name = |step: usize, layer: usize| format!("{step}.{layer}");
        let of_step = |(step, layers): (&usize, &BTreeMap<usize, Tensor>)| {
            let named = |(layer, tensor): (&usize, &Tensor)| (name(*step, *layer), tensor.clone());
            layers.iter().map(named).collect::<Vec<_>>()
        };
        self.past.iter().flat_map(of_step).collect()
    }

    /// Takes up the trajectory of a frame.
    pub(super) fn resume(&mut self, tensors: TrajectoryTensors, device: &Device) -> Result<()> {
        let unknown = |name: &str| Error::setting("trajectory", format!("{name} is no step.layer"));
        let mut past = Steps::new();
        for (name, tensor) in tensors {
            let numbers = name.split_once('.').map(|(step, layer)| (step.parse(), layer.parse()));
            let Some((Ok(step), Ok(layer))) = numbers else { return Err(unknown(&name)) };
            past.entry(step).or_default().insert(layer, tensor.to_device(device)?);
        }
        self.past = past;
        Ok(())
    }
}
