//! The previous frame as it was while it was made: what entered its self-attention layers at each step.
//!
//! Looking back at these costs no pass through the network, where noising the finished frame anew costs one for each pass
//! of the picture (and its ControlNets). They are kept in 16 bits: about half a gigabyte for 20 steps of Stable Diffusion
//! 1.5 at 512×512.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::model::attention::ReferenceTokens;
use crate::model::transformer::{LayerFeatures, ReferencePass};

/// A frame's trajectory as a file holds it: `step.layer` → `(1, tokens, channels)` in 16 bits.
pub type TrajectoryTensors = BTreeMap<String, Tensor>;

/// What entered the layers, by step: guidance of weight zero leaves the pass out that is kept, so that steps may lack.
type Steps = BTreeMap<usize, Vec<Tensor>>;

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
        let tokens = |features: &Tensor| -> Result<Option<ReferenceTokens>> {
            let log_weights = match self.weight {
                1.0 => None,
                weight => Some(Tensor::full(weight.ln() as f32, features.dim(1)?, features.device())?),
            };
            Ok(Some(ReferenceTokens { features: features.clone(), log_weights }))
        };
        layers.iter().map(tokens).collect::<Result<_>>().map(Some)
    }

    /// A new frame begins: what a frame that was cut off left behind is dropped.
    pub(super) fn begin(&mut self) {
        self.present.clear();
    }

    /// Keeps what a step saw.
    pub(super) fn keep(&mut self, step: usize, layers: Vec<LayerFeatures>) -> Result<()> {
        let small = |layer: LayerFeatures| layer.features.to_dtype(DType::F16);
        self.present.insert(step, layers.into_iter().map(small).collect::<candle_core::Result<_>>()?);
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
        let of_step = |(step, layers): (&usize, &Vec<Tensor>)| {
            let named = |(layer, tensor): (usize, &Tensor)| (name(*step, layer), tensor.clone());
            layers.iter().enumerate().map(named).collect::<Vec<_>>()
        };
        self.past.iter().flat_map(of_step).collect()
    }

    /// Takes up the trajectory of a frame.
    pub(super) fn resume(&mut self, tensors: TrajectoryTensors, device: &Device) -> Result<()> {
        let unknown = |name: &str| Error::setting("trajectory", format!("{name} is no step.layer"));
        let mut layers = BTreeMap::new();
        for (name, tensor) in tensors {
            let numbers = name.split_once('.').map(|(step, layer)| (step.parse(), layer.parse::<usize>()));
            let Some((Ok(step), Ok(layer))) = numbers else { return Err(unknown(&name)) };
            layers.insert((step, layer), tensor.to_device(device)?);
        }
        self.past.clear();
        for ((step, _), tensor) in layers {
            self.past.entry(step).or_default().push(tensor);
        }
        Ok(())
    }
}
