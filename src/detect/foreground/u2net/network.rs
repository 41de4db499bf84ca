//! U²-Net-p's layers: U-shaped blocks, nested in a U of blocks. Maps are (batch, channels, height, width).

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops::sigmoid;
use candle_nn::{Conv2dConfig, Module, VarBuilder};

use dreamtuner_kernels::{Convolution, Passes};

/// Channels inside a block, and of what it gives.
const INNER: usize = 16;
const OUTER: usize = 64;
/// The encoder's blocks. The decoder's are the same without the last, from there back.
const BLOCKS: [Shape; 6] = [
    Shape { depth: 7, shrinks: true },
    Shape { depth: 6, shrinks: true },
    Shape { depth: 5, shrinks: true },
    Shape { depth: 4, shrinks: true },
    Shape { depth: 4, shrinks: false },
    Shape { depth: 4, shrinks: false },
];

/// The network.
pub(super) struct Network {
    encoder: Vec<Block>,
    decoder: Vec<Block>,
    /// What each level of the decoder, from the largest on, says by itself.
    sides: Vec<Convolution>,
    fusion: Convolution,
}

impl Network {
    pub(super) fn load(weights: &[u8]) -> Result<Self> {
        let vb = VarBuilder::from_slice_safetensors(weights, DType::F32, &Device::Cpu)?;
        let levels = 1..=BLOCKS.len();
        let encoder = levels.clone().map(|level| {
            let inputs = if level == 1 { 3 } else { OUTER };
            Block::load(BLOCKS[level - 1], inputs, vb.pp(format!("stage{level}")))
        });
        let decoder = (1..BLOCKS.len())
            .rev()
            .map(|level| Block::load(BLOCKS[level - 1], 2 * OUTER, vb.pp(format!("stage{level}d"))));
        let sides = levels.map(|level| convolution(OUTER, 1, 3, 1, vb.pp(format!("side{level}"))));
        Ok(Self {
            encoder: encoder.collect::<Result<_>>()?,
            decoder: decoder.collect::<Result<_>>()?,
            sides: sides.collect::<Result<_>>()?,
            fusion: convolution(BLOCKS.len(), 1, 1, 1, vb.pp("outconv"))?,
        })
    }

    /// (batch, 3, height, width) → (batch, 1, height, width), 0 to 1.
    pub(super) fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        let mut maps: Vec<Tensor> = Vec::new();
        for block in &self.encoder {
            let input = maps.last().map_or(Ok(pictures.clone()), shrunk)?;
            maps.push(block.forward(&input)?);
        }
        // Each map gives way to the decoder's of its size.
        for (level, block) in (0..maps.len() - 1).rev().zip(&self.decoder) {
            maps[level] = block.forward(&joined(&maps[level + 1], &maps[level])?)?;
        }
        let sides = self.sides.iter().zip(&maps).map(|(side, map)| enlarged(&side.forward(map)?, pictures));
        let sides = sides.collect::<Result<Vec<_>>>()?;
        sigmoid(&self.fusion.forward(&Tensor::cat(&sides, 1)?)?)
    }
}

/// The kind of a block: how many levels it has, and whether each is half as large as the one before it or sees as much further.
#[derive(Clone, Copy)]
struct Shape {
    depth: usize,
    shrinks: bool,
}

impl Shape {
    /// Distance of the pixels that the convolution of a level (from 1) looks at.
    fn dilation(self, level: usize) -> usize {
        match self {
            Self { shrinks: false, .. } => 1 << (level - 1),
            Self { depth, .. } if level == depth => 2,
            _ => 1,
        }
    }

    /// Whether a level sees a smaller map than the one before it.
    fn shrinks_at(self, level: usize) -> bool {
        self.shrinks && (2..self.depth).contains(&level)
    }
}

/// A residual U-block: a small U-Net, whose input is added to its result.
struct Block {
    shape: Shape,
    inward: Convolution,
    down: Vec<Convolution>,
    up: Vec<Convolution>,
}

impl Block {
    fn load(shape: Shape, inputs: usize, vb: VarBuilder) -> Result<Self> {
        let layer = |name: String, inputs: usize, outputs: usize, dilation: usize| {
            convolution(inputs, outputs, 3, dilation, vb.pp(name))
        };
        let down = (1..=shape.depth).map(|level| {
            let inputs = if level == 1 { OUTER } else { INNER };
            layer(format!("rebnconv{level}"), inputs, INNER, shape.dilation(level))
        });
        let up = (1..shape.depth).rev().map(|level| {
            let outputs = if level == 1 { OUTER } else { INNER };
            layer(format!("rebnconv{level}d"), 2 * INNER, outputs, shape.dilation(level))
        });
        Ok(Self {
            shape,
            inward: layer("rebnconvin".into(), inputs, OUTER, 1)?,
            down: down.collect::<Result<_>>()?,
            up: up.collect::<Result<_>>()?,
        })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let inward = self.inward.forward(input)?.relu()?;
        let mut maps = Vec::with_capacity(self.down.len());
        for (layer, level) in self.down.iter().zip(1..) {
            let input = maps.last().unwrap_or(&inward);
            let map = if self.shape.shrinks_at(level) {
                layer.forward(&shrunk(input)?)?
            } else {
                layer.forward(input)?
            };
            maps.push(map.relu()?);
        }
        let mut result = maps.pop().unwrap_or_else(|| inward.clone());
        for (layer, map) in self.up.iter().zip(maps.iter().rev()) {
            result = layer.forward(&joined(&result, map)?)?.relu()?;
        }
        result + inward
    }
}

/// A convolution with a border of zeros, so that maps keep their size.
fn convolution(
    inputs: usize,
    outputs: usize,
    side: usize,
    dilation: usize,
    vb: VarBuilder,
) -> Result<Convolution> {
    let config = Conv2dConfig { padding: side / 2 * dilation, dilation, ..Default::default() };
    Convolution::new(inputs, outputs, side, config, Passes::Few, vb)
}

/// Half the size: the largest of each 2×2 pixels.
fn shrunk(map: &Tensor) -> Result<Tensor> {
    map.max_pool2d(2)
}

/// The channels of a map, made as large as another, and those of the other.
fn joined(map: &Tensor, other: &Tensor) -> Result<Tensor> {
    Tensor::cat(&[&enlarged(map, other)?, other], 1)
}

/// Bilinear interpolation to the size of another map.
fn enlarged(map: &Tensor, other: &Tensor) -> Result<Tensor> {
    let (.., height, width) = other.dims4()?;
    match map.dims4()? {
        (.., rows, columns) if (rows, columns) == (height, width) => Ok(map.clone()),
        _ => map.upsample_bilinear2d(height, width, false),
    }
}
