//! MoveNet's layers (Votel and Li 2021, <https://www.tensorflow.org/hub/tutorials/movenet>; after CenterNet, Zhou et al.,
//! arXiv 1904.07850): MobileNetV2 with a feature pyramid, and four heads on maps of a quarter of the picture's size.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use rayon::prelude::*;

use super::layers::{Activation, Depthwise, Pointwise, source, upsample_and_add};
use crate::pose::COCO_POINTS;

/// MobileNetV2's blocks after the first: outputs at width 1, and stride.
const BLOCKS: [(usize, usize); 16] = [
    (24, 2),
    (24, 1),
    (32, 2),
    (32, 1),
    (32, 1),
    (64, 2),
    (64, 1),
    (64, 1),
    (64, 1),
    (96, 1),
    (96, 1),
    (96, 1),
    (160, 2),
    (160, 1),
    (160, 1),
    (320, 1),
];
/// The blocks whose results the feature pyramid takes, and their strides.
const TAKEN: [(usize, usize); 3] = [(2, 4), (5, 8), (9, 16)];
/// Factor by which the inner channels of a block are more than its inputs.
const EXPANSION: usize = 6;
/// Channels of the last map of the backbone.
const FINAL_CHANNELS: usize = 1280;
/// Channels of the pyramid's levels of stride 32, 16, 8 and 4.
const PYRAMID: [usize; 4] = [64, 64, 32, 24];
/// Channels inside a head.
const HEAD_CHANNELS: usize = 96;
/// 2 / 255, as the published graph has it.
const PIXEL_SCALE: f32 = 0.007_843_018;

/// The network.
#[derive(Debug)]
pub(super) struct Network {
    stem: Pointwise,
    blocks: Vec<Block>,
    last: Pointwise,
    laterals: Vec<Pointwise>,
    merges: Vec<Separable>,
    center: Head,
    heatmap: Head,
    regress: Head,
    offset: Head,
}

/// What the heads say, each (side, side, channels) with sides of a quarter of the picture's.
pub(super) struct Maps {
    /// Logit of a person's centre.
    pub(super) center: Vec<f32>,
    /// Logit of each joint.
    pub(super) heatmap: Vec<f32>,
    /// From a person's centre to each joint: y of all joints, then x, as pairs of one joint.
    pub(super) regress: Vec<f32>,
    /// From the cell's corner to the joint: pairs of y and x.
    pub(super) offset: Vec<f32>,
}

impl Network {
    /// Reads the weights; `width` is the factor of MobileNetV2's channels.
    pub(super) fn load(weights: &[u8], width: f64) -> Result<Self> {
        let vb = VarBuilder::from_slice_safetensors(weights, DType::F32, &Device::Cpu)?;
        let scaled = |channels: usize| round_channels(channels as f64 * width);
        let stem = scaled(32);
        let first = scaled(16);
        let mut blocks = vec![Block::load_first(stem, first, vb.pp("blocks.0"))?];
        let mut inputs = first;
        for (index, &(outputs, stride)) in BLOCKS.iter().enumerate() {
            let outputs = scaled(outputs);
            blocks.push(Block::load(inputs, outputs, stride, vb.pp(format!("blocks.{}", index + 1)))?);
            inputs = outputs;
        }
        let taken = |stride: usize| {
            let block = TAKEN.iter().find(|(_, of)| *of == stride).map_or(0, |(block, _)| *block);
            scaled(BLOCKS[block - 1].0)
        };
        let lateral = |stride: usize, inputs: usize, outputs: usize| {
            Pointwise::load(inputs, outputs, Activation::Linear, vb.pp(format!("lateral.{stride}")))
        };
        let merge = |stride: usize, inputs: usize, outputs: usize| {
            Separable::load(inputs, outputs, vb.pp(format!("merge.{stride}")))
        };
        let head = |name: &str, outputs: usize| Head::load(outputs, vb.pp(name));
        Ok(Self {
            stem: Pointwise::load(27, stem, Activation::Relu6, vb.pp("stem"))?,
            blocks,
            last: Pointwise::load(inputs, FINAL_CHANNELS, Activation::Relu6, vb.pp("final"))?,
            laterals: vec![
                lateral(32, FINAL_CHANNELS, PYRAMID[0])?,
                lateral(16, taken(16), PYRAMID[1])?,
                lateral(8, taken(8), PYRAMID[2])?,
                lateral(4, taken(4), PYRAMID[3])?,
            ],
            merges: vec![
                merge(16, PYRAMID[1], PYRAMID[2])?,
                merge(8, PYRAMID[2], PYRAMID[3])?,
                merge(4, PYRAMID[3], PYRAMID[3])?,
            ],
            center: head("center", 1)?,
            heatmap: head("heatmap", COCO_POINTS)?,
            regress: head("regress", 2 * COCO_POINTS)?,
            offset: head("offset", 2 * COCO_POINTS)?,
        })
    }

    /// The maps of a square picture of `side` pixels, RGB, row by row.
    pub(super) fn forward(&self, picture: &[u8], side: usize) -> Result<Maps> {
        // 1. The backbone, MobileNetV2; maps of stride 4, 8 and 16 are kept.
        let mut map = self.stem.forward(&stem_patches(picture, side)?)?;
        let mut levels = Vec::with_capacity(PYRAMID.len());
        for (index, block) in self.blocks.iter().enumerate() {
            map = block.forward(&map)?;
            if TAKEN.iter().any(|(taken, _)| *taken == index) {
                levels.push(map.clone());
            }
        }
        // 2. The feature pyramid, from stride 32 down to 4.
        map = self.laterals[0].forward(&self.last.forward(&map)?)?;
        for ((merge, lateral), level) in self.merges.iter().zip(&self.laterals[1..]).zip(levels.iter().rev())
        {
            map = merge.forward(&upsample_and_add(&map, &lateral.forward(level)?)?)?;
        }
        // 3. The heads.
        Ok(Maps {
            center: self.center.forward(&map)?,
            heatmap: self.heatmap.forward(&map)?,
            regress: self.regress.forward(&map)?,
            offset: self.offset.forward(&map)?,
        })
    }
}

/// MobileNet's rule: a multiple of 8, not more than a tenth below.
fn round_channels(channels: f64) -> usize {
    let rounded = (((channels + 4.0) / 8.0) as usize * 8).max(8);
    if (rounded as f64) < 0.9 * channels { rounded + 8 } else { rounded }
}

/// The patches of 3×3 pixels at stride 2 that the first convolution sees, values in [-1, 1]: (side / 2, side / 2, 27).
fn stem_patches(picture: &[u8], side: usize) -> Result<Tensor> {
    let half = side / 2;
    let mut patches = vec![0.0; half * half * 27];
    patches.par_chunks_exact_mut(half * 27).enumerate().for_each(|(y, row)| {
        for (x, patch) in row.chunks_exact_mut(27).enumerate() {
            for (tap, values) in patch.chunks_exact_mut(3).enumerate() {
                let Some(row) = source(y, tap / 3, 2, side) else { continue };
                let Some(column) = source(x, tap % 3, 2, side) else { continue };
                let pixel = &picture[3 * (row * side + column)..];
                values
                    .iter_mut()
                    .zip(pixel)
                    .for_each(|(value, &byte)| *value = f32::from(byte) * PIXEL_SCALE - 1.0);
            }
        }
    });
    Tensor::from_vec(patches, (half, half, 27), &Device::Cpu)
}

/// An inverted residual (Sandler et al., arXiv 1801.04381).
#[derive(Debug)]
struct Block {
    expand: Option<Pointwise>,
    depthwise: Depthwise,
    project: Pointwise,
    residual: bool,
}

impl Block {
    fn load_first(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            expand: None,
            depthwise: Depthwise::load(inputs, 1, vb.pp("depthwise"))?,
            project: Pointwise::load(inputs, outputs, Activation::Linear, vb.pp("project"))?,
            residual: false,
        })
    }

    fn load(inputs: usize, outputs: usize, stride: usize, vb: VarBuilder) -> Result<Self> {
        let inner = EXPANSION * inputs;
        Ok(Self {
            expand: Some(Pointwise::load(inputs, inner, Activation::Relu6, vb.pp("expand"))?),
            depthwise: Depthwise::load(inner, stride, vb.pp("depthwise"))?,
            project: Pointwise::load(inner, outputs, Activation::Linear, vb.pp("project"))?,
            residual: stride == 1 && inputs == outputs,
        })
    }

    fn forward(&self, map: &Tensor) -> Result<Tensor> {
        let inner = match &self.expand {
            Some(expand) => self.depthwise.forward(&expand.forward(map)?)?,
            None => self.depthwise.forward(map)?,
        };
        let result = self.project.forward(&inner)?;
        if self.residual { result + map } else { Ok(result) }
    }
}

/// A depthwise convolution, then one of 1×1 with ReLU.
#[derive(Debug)]
struct Separable {
    depthwise: Depthwise,
    pointwise: Pointwise,
}

impl Separable {
    fn load(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            depthwise: Depthwise::load_plain(inputs, 1, vb.pp("depthwise"))?,
            pointwise: Pointwise::load(inputs, outputs, Activation::Relu, vb.pp("pointwise"))?,
        })
    }

    fn forward(&self, map: &Tensor) -> Result<Tensor> {
        self.pointwise.forward(&self.depthwise.forward(map)?)
    }
}

/// A head: separable convolution, then one of 1×1.
#[derive(Debug)]
struct Head {
    depthwise: Depthwise,
    hidden: Pointwise,
    output: Pointwise,
}

impl Head {
    fn load(outputs: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            depthwise: Depthwise::load_plain(PYRAMID[3], 1, vb.pp("depthwise"))?,
            hidden: Pointwise::load(PYRAMID[3], HEAD_CHANNELS, Activation::Relu, vb.pp("hidden"))?,
            output: Pointwise::load(HEAD_CHANNELS, outputs, Activation::Linear, vb.pp("output"))?,
        })
    }

    fn forward(&self, map: &Tensor) -> Result<Vec<f32>> {
        let hidden = self.hidden.forward(&self.depthwise.forward(map)?)?;
        self.output.forward(&hidden)?.flatten_all()?.to_vec1()
    }
}
