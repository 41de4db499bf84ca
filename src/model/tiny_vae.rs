//! A tiny decoder in place of the autoencoder's own (TAESD, <https://github.com/madebyollin/taesd>): a small fraction of
//! the time and memory, a little less detail.
//!
//! Architecture: diffusers `models/autoencoders/vae.py`, `DecoderTiny`.

use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::blocks::{conv3x3, double};
use super::config::TinyVaeConfig;
use dreamtuner_kernels::{Convolution, Passes};

/// Latents are squeezed smoothly into plus and minus this.
const LARGEST_LATENT: f64 = 3.0;

/// Decodes latents into pictures.
#[derive(Debug)]
pub struct TinyVae {
    conv_in: Convolution,
    /// Blocks and the convolution after them, once for each resolution, coarsest first.
    stages: Vec<(Vec<Block>, Convolution)>,
    config: TinyVaeConfig,
}

impl TinyVae {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &TinyVaeConfig, vb: VarBuilder) -> Result<Self> {
        let (layer, channels) = (|index: usize| vb.pp(format!("decoder.layers.{index}")), config.channels());
        let conv_in = conv3x3(config.latent_channels, channels, Passes::Few, layer(0))?;
        let mut stages = Vec::new();
        // An activation has number 1; activations and upsampling have no weights.
        let mut next = 2;
        for (stage, &blocks) in config.num_decoder_blocks.iter().enumerate() {
            let blocks = (next..next + blocks).map(|index| Block::new(channels, layer(index)));
            let blocks = blocks.collect::<Result<Vec<_>>>()?;
            next += blocks.len();
            let last = stage + 1 == config.num_decoder_blocks.len();
            let conv = if last {
                conv3x3(channels, config.out_channels, Passes::Few, layer(next))?
            } else {
                next += 2;
                Convolution::without_bias(channels, channels, Passes::Few, layer(next - 1))?
            };
            stages.push((blocks, conv));
        }
        Ok(Self { conv_in, stages, config: config.clone() })
    }

    /// Pixels per latent value, along each side.
    pub fn factor(&self) -> usize {
        self.config.factor()
    }

    /// Channels of the latent.
    pub fn latent_channels(&self) -> usize {
        self.config.latent_channels
    }

    /// The picture `(batch, 3, height · factor, width · factor)` with values around [-1, 1] of a scaled latent
    /// `(batch, latent channels, height, width)`.
    pub fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        let latent = (latent / self.config.scaling_factor)?;
        let latent = ((latent / LARGEST_LATENT)?.tanh()? * LARGEST_LATENT)?;
        let mut hidden = self.conv_in.forward(&latent)?.relu()?;
        for (stage, (blocks, conv)) in self.stages.iter().enumerate() {
            for block in blocks {
                hidden = block.forward(&hidden)?;
            }
            if stage + 1 < self.stages.len() {
                hidden = double(&hidden)?;
            }
            hidden = conv.forward(&hidden)?;
        }
        (hidden * 2.0)? - 1.0
    }
}

/// Three convolutions and a skip (`AutoencoderTinyBlock`).
#[derive(Debug)]
struct Block([Convolution; 3]);

impl Block {
    fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        let conv = |index: usize| conv3x3(channels, channels, Passes::Few, vb.pp(format!("conv.{index}")));
        Ok(Self([conv(0)?, conv(2)?, conv(4)?]))
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let [first, second, third] = &self.0;
        let hidden = second.forward(&first.forward(input)?.relu()?)?.relu()?;
        third.forward_onto(&hidden, None, Some(input))?.relu()
    }
}
