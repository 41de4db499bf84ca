//! The autoencoder between pictures and latents (`AutoencoderKL`).
//!
//! Architecture: diffusers `models/autoencoders/autoencoder_kl.py`, `vae.py`.

use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::blocks::{Downsample, ResnetBlock, ResnetSettings, Upsample, conv1x1, conv3x3};
use super::config::VaeConfig;
use dreamtuner_kernels::{Convolution, GroupNorm, Linear, Passes};
use dreamtuner_kernels::{Segment, weighted_attention};

/// Encodes pictures into latents and decodes them again.
#[derive(Debug)]
pub struct Vae {
    /// From pictures to latents.
    pub encoder: VaeEncoder,
    /// From latents to pictures.
    pub decoder: VaeDecoder,
}

impl Vae {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &VaeConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self { encoder: VaeEncoder::new(config, vb.clone())?, decoder: VaeDecoder::new(config, vb)? })
    }
}

/// From pictures to latents.
#[derive(Debug)]
pub struct VaeEncoder {
    encoder: Encoder,
    quant_conv: Option<Convolution>,
    config: VaeConfig,
}

impl VaeEncoder {
    /// Builds the encoder of the network that `config` describes with the weights under `vb`.
    pub fn new(config: &VaeConfig, vb: VarBuilder) -> Result<Self> {
        let moments = 2 * config.latent_channels;
        let quant_conv = config.use_quant_conv.then(|| conv1x1(moments, moments, vb.pp("quant_conv")));
        Ok(Self {
            encoder: Encoder::new(config, vb.pp("encoder"))?,
            quant_conv: quant_conv.transpose()?,
            config: config.clone(),
        })
    }

    /// Pixels per latent value, along each side.
    pub fn factor(&self) -> usize {
        self.config.factor()
    }

    /// The most likely latent of a picture `(batch, 3, height, width)` with values in [-1, 1], scaled to a variance of
    /// about one: `(batch, latent channels, height / factor, width / factor)`.
    pub fn encode(&self, picture: &Tensor) -> Result<Tensor> {
        self.scale(&self.mean(picture)?)
    }

    /// [`Self::encode`] in overlapping tiles of `tile` pixels a side, so that memory does not grow with the picture.
    pub fn encode_tiled(&self, picture: &Tensor, tile: usize) -> Result<Tensor> {
        let tiling = Tiling { input: tile, output: tile / self.factor() };
        self.scale(&tiling.run(picture, |part| self.mean(part))?)
    }

    fn mean(&self, picture: &Tensor) -> Result<Tensor> {
        let mut moments = self.encoder.forward(picture)?;
        if let Some(conv) = &self.quant_conv {
            moments = conv.forward(&moments)?;
        }
        moments.narrow(1, 0, self.config.latent_channels)
    }

    fn scale(&self, mean: &Tensor) -> Result<Tensor> {
        (mean - self.config.shift_factor.unwrap_or(0.0))? * self.config.scaling_factor
    }
}

/// From latents to pictures.
#[derive(Debug)]
pub struct VaeDecoder {
    post_quant_conv: Option<Convolution>,
    decoder: Decoder,
    config: VaeConfig,
}

impl VaeDecoder {
    fn new(config: &VaeConfig, vb: VarBuilder) -> Result<Self> {
        let latent = config.latent_channels;
        let post_quant_conv =
            config.use_post_quant_conv.then(|| conv1x1(latent, latent, vb.pp("post_quant_conv")));
        Ok(Self {
            post_quant_conv: post_quant_conv.transpose()?,
            decoder: Decoder::new(config, vb.pp("decoder"))?,
            config: config.clone(),
        })
    }

    /// Pixels per latent value, along each side.
    pub fn factor(&self) -> usize {
        self.config.factor()
    }

    /// The picture `(batch, 3, height · factor, width · factor)` with values around [-1, 1] of a scaled latent.
    pub fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        self.decode_unscaled(&self.unscale(latent)?)
    }

    /// [`Self::decode`] in overlapping tiles of `tile` pixels a side.
    pub fn decode_tiled(&self, latent: &Tensor, tile: usize) -> Result<Tensor> {
        let tiling = Tiling { input: tile / self.factor(), output: tile };
        tiling.run(&self.unscale(latent)?, |part| self.decode_unscaled(part))
    }

    fn decode_unscaled(&self, latent: &Tensor) -> Result<Tensor> {
        match &self.post_quant_conv {
            Some(conv) => self.decoder.forward(&conv.forward(latent)?),
            None => self.decoder.forward(latent),
        }
    }

    fn unscale(&self, latent: &Tensor) -> Result<Tensor> {
        (latent / self.config.scaling_factor)? + self.config.shift_factor.unwrap_or(0.0)
    }
}

#[derive(Debug)]
struct Encoder {
    conv_in: Convolution,
    down_blocks: Vec<(Vec<ResnetBlock>, Option<Downsample>)>,
    mid: MidBlock,
    norm_out: GroupNorm,
    conv_out: Convolution,
}

impl Encoder {
    fn new(config: &VaeConfig, vb: VarBuilder) -> Result<Self> {
        let channels = &config.block_out_channels;
        let deepest = channels[channels.len() - 1];
        let mut down_blocks = Vec::new();
        for (level, &outputs) in channels.iter().enumerate() {
            let vb = vb.pp(format!("down_blocks.{level}"));
            let inputs = channels[level.saturating_sub(1)];
            let resnets = resnets(config, config.layers_per_block, inputs, outputs, &vb)?;
            let last = level + 1 == channels.len();
            let downsample =
                (!last).then(|| Downsample::asymmetric(outputs, vb.pp("downsamplers.0"))).transpose()?;
            down_blocks.push((resnets, downsample));
        }
        Ok(Self {
            conv_in: conv3x3(config.in_channels, channels[0], Passes::Few, vb.pp("conv_in"))?,
            down_blocks,
            mid: MidBlock::new(config, deepest, vb.pp("mid_block"))?,
            norm_out: GroupNorm::new(config.norm_num_groups, deepest, EPSILON, vb.pp("conv_norm_out"))?,
            conv_out: conv3x3(deepest, 2 * config.latent_channels, Passes::Few, vb.pp("conv_out"))?,
        })
    }

    fn forward(&self, picture: &Tensor) -> Result<Tensor> {
        let mut hidden = self.conv_in.forward(picture)?;
        for (resnets, downsample) in &self.down_blocks {
            for resnet in resnets {
                hidden = resnet.forward(&hidden, None)?;
            }
            if let Some(downsample) = downsample {
                hidden = downsample.forward(&hidden)?;
            }
        }
        let hidden = self.mid.forward(&hidden)?;
        self.conv_out.forward(&self.norm_out.forward_silu(&hidden)?)
    }
}

#[derive(Debug)]
struct Decoder {
    conv_in: Convolution,
    mid: MidBlock,
    up_blocks: Vec<(Vec<ResnetBlock>, Option<Upsample>)>,
    norm_out: GroupNorm,
    conv_out: Convolution,
}

impl Decoder {
    fn new(config: &VaeConfig, vb: VarBuilder) -> Result<Self> {
        let channels = &config.block_out_channels;
        let levels = channels.len();
        let deepest = channels[levels - 1];
        let mut up_blocks = Vec::new();
        for index in 0..levels {
            let level = levels - 1 - index;
            let vb = vb.pp(format!("up_blocks.{index}"));
            let inputs = channels[(level + 1).min(levels - 1)];
            let resnets = resnets(config, config.layers_per_block + 1, inputs, channels[level], &vb)?;
            let upsample = (level > 0)
                .then(|| Upsample::new(channels[level], Passes::Few, vb.pp("upsamplers.0")))
                .transpose()?;
            up_blocks.push((resnets, upsample));
        }
        Ok(Self {
            conv_in: conv3x3(config.latent_channels, deepest, Passes::Few, vb.pp("conv_in"))?,
            mid: MidBlock::new(config, deepest, vb.pp("mid_block"))?,
            up_blocks,
            norm_out: GroupNorm::new(config.norm_num_groups, channels[0], EPSILON, vb.pp("conv_norm_out"))?,
            conv_out: conv3x3(channels[0], config.out_channels, Passes::Few, vb.pp("conv_out"))?,
        })
    }

    fn forward(&self, latent: &Tensor) -> Result<Tensor> {
        let mut hidden = self.mid.forward(&self.conv_in.forward(latent)?)?;
        for (resnets, upsample) in &self.up_blocks {
            for resnet in resnets {
                hidden = resnet.forward(&hidden, None)?;
            }
            if let Some(upsample) = upsample {
                let (_, _, height, width) = hidden.dims4()?;
                hidden = upsample.forward(&hidden, (2 * height, 2 * width))?;
            }
        }
        self.conv_out.forward(&self.norm_out.forward_silu(&hidden)?)
    }
}

/// The ε of every group norm.
const EPSILON: f64 = 1e-6;

fn resnet_settings(config: &VaeConfig) -> ResnetSettings {
    ResnetSettings { groups: config.norm_num_groups, epsilon: EPSILON, time_width: None, passes: Passes::Few }
}

fn resnets(
    config: &VaeConfig,
    count: usize,
    inputs: usize,
    outputs: usize,
    vb: &VarBuilder,
) -> Result<Vec<ResnetBlock>> {
    (0..count)
        .map(|layer| {
            let inputs = if layer == 0 { inputs } else { outputs };
            ResnetBlock::new(inputs, outputs, resnet_settings(config), vb.pp(format!("resnets.{layer}")))
        })
        .collect()
}

/// ResNet, attention over all positions, ResNet.
#[derive(Debug)]
struct MidBlock {
    resnets: [ResnetBlock; 2],
    attention: Option<PictureAttention>,
}

impl MidBlock {
    fn new(config: &VaeConfig, channels: usize, vb: VarBuilder) -> Result<Self> {
        let resnet = |index| {
            ResnetBlock::new(channels, channels, resnet_settings(config), vb.pp(format!("resnets.{index}")))
        };
        let attention = config
            .mid_block_add_attention
            .then(|| PictureAttention::new(config.norm_num_groups, channels, vb.pp("attentions.0")))
            .transpose()?;
        Ok(Self { resnets: [resnet(0)?, resnet(1)?], attention })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let mut hidden = self.resnets[0].forward(input, None)?;
        if let Some(attention) = &self.attention {
            hidden = attention.forward(&hidden)?;
        }
        self.resnets[1].forward(&hidden, None)
    }
}

/// One-headed self-attention with a skip.
#[derive(Debug)]
struct PictureAttention {
    norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl PictureAttention {
    fn new(groups: usize, channels: usize, vb: VarBuilder) -> Result<Self> {
        let projection = |name: &str| Linear::new(channels, channels, vb.pp(name));
        Ok(Self {
            norm: GroupNorm::new(groups, channels, EPSILON, vb.pp("group_norm"))?,
            to_q: projection("to_q")?,
            to_k: projection("to_k")?,
            to_v: projection("to_v")?,
            to_out: projection("to_out.0")?,
        })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let shape = input.shape();
        let tokens = self.norm.forward(input)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let headed = |linear: &Linear| linear.forward(&tokens)?.unsqueeze(1);
        let segment = Segment { keys: headed(&self.to_k)?, values: headed(&self.to_v)?, log_weights: None };
        let attended = weighted_attention(&headed(&self.to_q)?, &[segment])?.squeeze(1)?;
        input + self.to_out.forward(&attended)?.transpose(1, 2)?.reshape(shape)?
    }
}

/// Overlapping tiles, a quarter of their side blended into the next: diffusers `tiled_encode`, `tiled_decode`.
struct Tiling {
    /// Side of a tile before the network.
    input: usize,
    /// Side of a tile after it.
    output: usize,
}

impl Tiling {
    fn run(&self, input: &Tensor, network: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let (_, _, height, width) = input.dims4()?;
        let stride = (self.input * 3 / 4).max(1);
        let blend = self.output / 4;
        let keep = self.output - blend;
        let mut above: Vec<Tensor> = Vec::new();
        let mut bands = Vec::new();
        for top in (0..height).step_by(stride) {
            let mut row: Vec<Tensor> = Vec::new();
            for (column, left) in (0..width).step_by(stride).enumerate() {
                let part = input
                    .narrow(2, top, self.input.min(height - top))?
                    .narrow(3, left, self.input.min(width - left))?
                    .contiguous()?;
                let mut tile = network(&part)?;
                if let Some(upper) = above.get(column) {
                    tile = blend_edge(upper, &tile, 2, blend)?;
                }
                if let Some(before) = row.last() {
                    tile = blend_edge(before, &tile, 3, blend)?;
                }
                row.push(tile);
            }
            let cropped: Vec<Tensor> = row
                .iter()
                .map(|tile| tile.narrow(2, 0, keep.min(tile.dim(2)?))?.narrow(3, 0, keep.min(tile.dim(3)?)))
                .collect::<Result<_>>()?;
            bands.push(Tensor::cat(&cropped, 3)?);
            above = row;
        }
        Tensor::cat(&bands, 2)
    }
}

/// The first `extent` rows or columns of `tile` faded in from the last ones of `before`.
fn blend_edge(before: &Tensor, tile: &Tensor, dim: usize, extent: usize) -> Result<Tensor> {
    let extent = extent.min(before.dim(dim)?).min(tile.dim(dim)?);
    if extent == 0 {
        return Ok(tile.clone());
    }
    let ramp: Vec<f32> = (0..extent).map(|i| i as f32 / extent as f32).collect();
    let mut shape = [1usize; 4];
    shape[dim] = extent;
    let ramp = Tensor::from_vec(ramp, &shape[..], tile.device())?.to_dtype(tile.dtype())?;
    let old = before.narrow(dim, before.dim(dim)? - extent, extent)?;
    let new = tile.narrow(dim, 0, extent)?;
    let blended = (&old + (new - &old)?.broadcast_mul(&ramp)?)?;
    let rest = tile.narrow(dim, extent, tile.dim(dim)? - extent)?;
    Tensor::cat(&[&blended, &rest], dim)
}
