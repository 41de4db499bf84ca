//! The denoising U-Net of Stable Diffusion 1.x and 2.x (`UNet2DConditionModel`), and its encoder, which a ControlNet
//! is a copy of.
//!
//! Architecture: diffusers `models/unets/unet_2d_condition.py`, `unet_2d_blocks.py`.

use std::fmt;
use std::str::FromStr;

use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::attention::Attention;
use super::blocks::{Downsample, ResnetBlock, ResnetSettings, TimeEmbedding, Upsample, conv3x3};
use super::config::UNetConfig;
use super::transformer::{AttentionContext, KeysValues, Transformer, TransformerSettings};
use dreamtuner_kernels::{Convolution, GroupNorm, Passes};

/// What a ControlNet adds to a U-Net: one tensor for each skip connection, and one for the middle.
#[derive(Debug, Clone)]
pub struct ControlResiduals {
    /// In the order in which the encoder makes its skip connections.
    pub down: Vec<Tensor>,
    /// Added to the middle block's output.
    pub mid: Tensor,
}

impl ControlResiduals {
    /// The residuals of two ControlNets together.
    pub fn add(&self, other: &Self) -> Result<Self> {
        let down = self.down.iter().zip(&other.down).map(|(a, b)| a + b).collect::<Result<_>>()?;
        Ok(Self { down, mid: (&self.mid + &other.mid)? })
    }

    /// The residuals at another strength.
    pub fn scale(&self, strength: f64) -> Result<Self> {
        let down = self.down.iter().map(|tensor| tensor * strength).collect::<Result<_>>()?;
        Ok(Self { down, mid: (&self.mid * strength)? })
    }
}

/// What entered the last three layers of the decoder.
#[derive(Debug, Clone)]
pub struct DeepFeatures(Tensor);

/// Layers of the decoder that a shallow pass computes.
const SHALLOW: usize = 3;

/// Where a layer of attention stands, by the numbers of the original code: `input_blocks.N`, `middle_block`, `output_blocks.N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// `encoderN`.
    Encoder(usize),
    /// `middle`.
    Middle,
    /// `decoderN`.
    Decoder(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Encoder(number) => write!(formatter, "encoder{number}"),
            Self::Middle => formatter.write_str("middle"),
            Self::Decoder(number) => write!(formatter, "decoder{number}"),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |digits: &str| digits.parse().ok();
        let place = match text {
            "middle" => Some(Self::Middle),
            _ => text
                .strip_prefix("encoder")
                .and_then(number)
                .map(Self::Encoder)
                .or_else(|| text.strip_prefix("decoder").and_then(number).map(Self::Decoder)),
        };
        place.ok_or_else(|| format!("{text}: encoderN, middle and decoderN are allowed"))
    }
}

/// Predicts the noise (or velocity, or picture) in a noisy latent.
#[derive(Debug)]
pub struct UNet {
    encoder: UNetEncoder,
    up_blocks: Vec<UpBlock>,
    finest: UpBlock,
    norm_out: GroupNorm,
    conv_out: Convolution,
}

impl UNet {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &UNetConfig, vb: VarBuilder) -> Result<Self> {
        config.check_decoder()?;
        let finest = config.block_out_channels[0];
        let levels = config.block_out_channels.len();
        let up_block = |index| UpBlock::new(config, index, vb.pp(format!("up_blocks.{index}")));
        Ok(Self {
            encoder: UNetEncoder::new(config, Passes::Many, vb.clone())?,
            up_blocks: (0..levels - 1).map(up_block).collect::<Result<_>>()?,
            finest: up_block(levels - 1)?,
            norm_out: GroupNorm::new(
                config.norm_num_groups,
                finest,
                config.norm_eps,
                vb.pp("conv_norm_out"),
            )?,
            conv_out: conv3x3(finest, config.out_channels, Passes::Many, vb.pp("conv_out"))?,
        })
    }

    /// Keys and values of a text `(batch, tokens, context width)`: once is enough for every pass.
    pub fn keys_values(&self, text: &Tensor) -> Result<KeysValues> {
        KeysValues::of_text(text, self.transformers())
    }

    /// Keys and values of a subject, tokens `(batch, tokens, context width)` of the subject encoder: once is enough for every pass.
    ///
    /// # Errors
    /// A U-Net without subject-encoder-attention.
    pub fn subject_keys_values(&self, subject: &Tensor) -> Result<KeysValues> {
        KeysValues::of_subject(subject, self.transformers())
    }

    /// The attention layers with their places, in the order of the forward pass.
    fn placed(&self) -> impl Iterator<Item = (Place, &Transformer)> {
        let decoder = self.up_blocks.iter().chain([&self.finest]).flat_map(|block| &block.layers).enumerate();
        let decoder = decoder.map(|(number, layer)| (Place::Decoder(number), layer.attention.as_ref()));
        self.encoder.placed().chain(decoder.filter_map(|(place, layer)| Some((place, layer?))))
    }

    fn transformers(&self) -> impl Iterator<Item = &Transformer> {
        self.placed().map(|(_, transformer)| transformer)
    }

    /// The self-attention layers with their places, in the order of the forward pass.
    pub fn self_attentions(&self) -> Vec<(Place, &Attention)> {
        self.placed()
            .flat_map(|(place, transformer)| {
                transformer.self_attentions().map(move |attention| (place, attention))
            })
            .collect()
    }

    /// One pass: `latent` `(batch, channels, height, width)` at `timesteps`, any height and width. Time steps, text, references
    /// and what the ControlNets add may be for each picture of the batch or one for all.
    pub fn forward(
        &self,
        latent: &Tensor,
        timesteps: &[f64],
        context: &mut AttentionContext,
        control: Option<&ControlResiduals>,
    ) -> Result<Tensor> {
        Ok(self.forward_from(None, latent, timesteps, context, control)?.0)
    }

    /// [`Self::forward`], and the deep features that it computed. Where those of an earlier pass are given, they stand in for the
    /// deep layers (DeepCache, arXiv 2312.00858). That pass was like this one but for its latent and time step.
    pub fn forward_from(
        &self,
        deep: Option<&DeepFeatures>,
        latent: &Tensor,
        timesteps: &[f64],
        context: &mut AttentionContext,
        control: Option<&ControlResiduals>,
    ) -> Result<(Tensor, DeepFeatures)> {
        let time = self.encoder.embed_time(timesteps, latent)?;
        let hidden = self.encoder.conv_in.forward(latent)?;
        let (hidden, mut skips) = match deep {
            Some(DeepFeatures(deep)) => (deep.clone(), self.shallow_skips(hidden, &time, context, control)?),
            None => self.deep_layers(hidden, &time, context, control)?,
        };
        let (_, shallow) = self.finest_layers();
        let last = decode(shallow, hidden.clone(), &mut skips, &time, context)?;
        Ok((self.conv_out.forward(&self.norm_out.forward_silu(&last)?)?, DeepFeatures(hidden)))
    }

    /// What enters the last layers, and the skip connections that are left for them.
    fn deep_layers(
        &self,
        hidden: Tensor,
        time: &Tensor,
        context: &mut AttentionContext,
        control: Option<&ControlResiduals>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (mut hidden, mut skips) = self.encoder.forward(hidden, time, context)?;
        if let Some(control) = control {
            check_residuals(control, &skips)?;
            add_residuals(control, &mut skips)?;
            hidden = hidden.broadcast_add(&control.mid)?;
        }
        for block in &self.up_blocks {
            hidden = block.forward(hidden, &mut skips, time, context)?;
        }
        let hidden = decode(self.finest_layers().0, hidden, &mut skips, time, context)?;
        Ok((hidden, skips))
    }

    /// The skip connections of the last layers alone, to which the context goes on.
    fn shallow_skips(
        &self,
        hidden: Tensor,
        time: &Tensor,
        context: &mut AttentionContext,
        control: Option<&ControlResiduals>,
    ) -> Result<Vec<Tensor>> {
        let (_, shallow) = self.finest_layers();
        let mut skips = self.encoder.first_skips(hidden, shallow.len(), time, context)?;
        if let Some(control) = control {
            add_residuals(control, &mut skips)?;
        }
        context.go_to_last(transformers(shallow.iter()).map(Transformer::layers).sum());
        Ok(skips)
    }

    /// The decoder's finest layers: those that only whole passes compute, and the others.
    fn finest_layers(&self) -> (&[Layer], &[Layer]) {
        let layers = &self.finest.layers;
        layers.split_at(layers.len().saturating_sub(SHALLOW))
    }
}

fn check_residuals(control: &ControlResiduals, skips: &[Tensor]) -> Result<()> {
    if control.down.len() != skips.len() {
        candle_core::bail!(
            "the ControlNet has {} residuals, the U-Net {} skips",
            control.down.len(),
            skips.len()
        );
    }
    Ok(())
}

fn add_residuals(control: &ControlResiduals, skips: &mut [Tensor]) -> Result<()> {
    for (skip, residual) in skips.iter_mut().zip(&control.down) {
        *skip = skip.broadcast_add(residual)?;
    }
    Ok(())
}

/// First convolution, encoder and middle block: what U-Net and ControlNet share.
#[derive(Debug)]
pub(super) struct UNetEncoder {
    time_embedding: TimeEmbedding,
    pub(super) conv_in: Convolution,
    down_blocks: Vec<DownBlock>,
    mid_resnets: [ResnetBlock; 2],
    mid_attention: Transformer,
}

impl UNetEncoder {
    pub(super) fn new(config: &UNetConfig, passes: Passes, vb: VarBuilder) -> Result<Self> {
        let finest = config.block_out_channels[0];
        let levels = config.block_out_channels.len();
        let down_blocks = (0..levels)
            .map(|level| DownBlock::new(config, level, passes, vb.pp(format!("down_blocks.{level}"))))
            .collect::<Result<_>>()?;
        let deepest = config.block_out_channels[levels - 1];
        let mid = vb.pp("mid_block");
        let mid_resnet = |index| {
            ResnetBlock::new(
                deepest,
                deepest,
                resnet_settings(config, passes),
                mid.pp(format!("resnets.{index}")),
            )
        };
        Ok(Self {
            time_embedding: TimeEmbedding::new(
                finest,
                config.flip_sin_to_cos,
                config.freq_shift,
                vb.pp("time_embedding"),
            )?,
            conv_in: conv3x3(config.in_channels, finest, Passes::Many, vb.pp("conv_in"))?,
            down_blocks,
            mid_resnets: [mid_resnet(0)?, mid_resnet(1)?],
            mid_attention: Transformer::new(
                transformer_settings(config, levels - 1)?,
                mid.pp("attentions.0"),
            )?,
        })
    }

    /// The attention layers with their places, in the order of the forward pass. Before the first block there is a convolution, between
    /// two of them one that halves the size: the original code numbers them too.
    fn placed(&self) -> impl Iterator<Item = (Place, &Transformer)> {
        let blocks = self.down_blocks.iter().enumerate();
        let layers = blocks.flat_map(|(others, block)| block.layers.iter().map(move |layer| (others, layer)));
        let layers = layers
            .enumerate()
            .map(|(number, (others, layer))| (Place::Encoder(1 + number + others), layer.attention.as_ref()));
        let middle = (Place::Middle, Some(&self.mid_attention));
        layers.chain([middle]).filter_map(|(place, layer)| Some((place, layer?)))
    }

    fn transformers(&self) -> impl Iterator<Item = &Transformer> {
        self.placed().map(|(_, transformer)| transformer)
    }

    pub(super) fn keys_values(&self, text: &Tensor) -> Result<KeysValues> {
        KeysValues::of_text(text, self.transformers())
    }

    pub(super) fn embed_time(&self, timesteps: &[f64], latent: &Tensor) -> Result<Tensor> {
        self.time_embedding.forward(timesteps, latent.dtype(), latent.device())
    }

    /// The first `count` skip connections, from the first convolution's output on.
    fn first_skips(
        &self,
        hidden: Tensor,
        count: usize,
        time: &Tensor,
        context: &mut AttentionContext,
    ) -> Result<Vec<Tensor>> {
        let mut skips = vec![hidden];
        for layer in self.down_blocks[0].layers.iter().take(count - 1) {
            skips.push(layer.forward(&skips[skips.len() - 1], time, context)?);
        }
        Ok(skips)
    }

    /// From the first convolution's output to the middle block's, with every skip connection on the way.
    pub(super) fn forward(
        &self,
        hidden: Tensor,
        time: &Tensor,
        context: &mut AttentionContext,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let mut skips = vec![hidden.clone()];
        let mut hidden = hidden;
        for block in &self.down_blocks {
            hidden = block.forward(hidden, &mut skips, time, context)?;
        }
        let hidden = self.mid_resnets[0].forward(&hidden, Some(time))?;
        let hidden = self.mid_attention.forward(&hidden, context)?;
        Ok((self.mid_resnets[1].forward(&hidden, Some(time))?, skips))
    }
}

/// Layers of the decoder, each with its skip connection.
fn decode(
    layers: &[Layer],
    mut hidden: Tensor,
    skips: &mut Vec<Tensor>,
    time: &Tensor,
    context: &mut AttentionContext,
) -> Result<Tensor> {
    for layer in layers {
        let skip = take_skip(skips)?;
        hidden = layer.forward(&Tensor::cat(&[&hidden, &skip], 1)?, time, context)?;
    }
    Ok(hidden)
}

/// A ResNet block, and attention at the resolutions that have it.
#[derive(Debug)]
struct Layer {
    resnet: ResnetBlock,
    attention: Option<Transformer>,
}

impl Layer {
    fn forward(&self, hidden: &Tensor, time: &Tensor, context: &mut AttentionContext) -> Result<Tensor> {
        let hidden = self.resnet.forward(hidden, Some(time))?;
        match &self.attention {
            Some(attention) => attention.forward(&hidden, context),
            None => Ok(hidden),
        }
    }
}

fn transformers<'a>(layers: impl Iterator<Item = &'a Layer>) -> impl Iterator<Item = &'a Transformer> {
    layers.filter_map(|layer| layer.attention.as_ref())
}

/// One resolution of the encoder (`CrossAttnDownBlock2D`, `DownBlock2D`).
#[derive(Debug)]
struct DownBlock {
    layers: Vec<Layer>,
    downsample: Option<Downsample>,
}

impl DownBlock {
    fn new(config: &UNetConfig, level: usize, passes: Passes, vb: VarBuilder) -> Result<Self> {
        let outputs = config.block_out_channels[level];
        let attends = config.down_block_types[level] == "CrossAttnDownBlock2D";
        let mut layers = Vec::new();
        for layer in 0..config.layers(level)? {
            let inputs = if layer > 0 { outputs } else { config.block_out_channels[level.saturating_sub(1)] };
            let resnet = ResnetBlock::new(
                inputs,
                outputs,
                resnet_settings(config, passes),
                vb.pp(format!("resnets.{layer}")),
            )?;
            layers.push(Layer { resnet, attention: attention_at(config, level, attends, layer, &vb)? });
        }
        let last = level + 1 == config.block_out_channels.len();
        let downsample =
            (!last).then(|| Downsample::symmetric(outputs, vb.pp("downsamplers.0"))).transpose()?;
        Ok(Self { layers, downsample })
    }

    fn forward(
        &self,
        mut hidden: Tensor,
        skips: &mut Vec<Tensor>,
        time: &Tensor,
        context: &mut AttentionContext,
    ) -> Result<Tensor> {
        for layer in &self.layers {
            hidden = layer.forward(&hidden, time, context)?;
            skips.push(hidden.clone());
        }
        if let Some(downsample) = &self.downsample {
            hidden = downsample.forward(&hidden)?;
            skips.push(hidden.clone());
        }
        Ok(hidden)
    }
}

/// One resolution of the decoder (`CrossAttnUpBlock2D`, `UpBlock2D`).
#[derive(Debug)]
struct UpBlock {
    layers: Vec<Layer>,
    upsample: Option<Upsample>,
}

impl UpBlock {
    /// `index` counts from the coarsest resolution.
    fn new(config: &UNetConfig, index: usize, vb: VarBuilder) -> Result<Self> {
        let channels = &config.block_out_channels;
        let level = channels.len() - 1 - index;
        let outputs = channels[level];
        let attends = config.up_block_types[index] == "CrossAttnUpBlock2D";
        let before = channels[(level + 1).min(channels.len() - 1)];
        let finer = channels[level.saturating_sub(1)];
        let count = config.layers(level)? + 1;
        let mut layers = Vec::new();
        for layer in 0..count {
            let hidden = if layer == 0 { before } else { outputs };
            let skip = if layer + 1 == count { finer } else { outputs };
            let resnet = ResnetBlock::new(
                hidden + skip,
                outputs,
                resnet_settings(config, Passes::Many),
                vb.pp(format!("resnets.{layer}")),
            )?;
            layers.push(Layer { resnet, attention: attention_at(config, level, attends, layer, &vb)? });
        }
        let upsample =
            (level > 0).then(|| Upsample::new(outputs, Passes::Many, vb.pp("upsamplers.0"))).transpose()?;
        Ok(Self { layers, upsample })
    }

    fn forward(
        &self,
        hidden: Tensor,
        skips: &mut Vec<Tensor>,
        time: &Tensor,
        context: &mut AttentionContext,
    ) -> Result<Tensor> {
        let hidden = decode(&self.layers, hidden, skips, time, context)?;
        match (&self.upsample, skips.last()) {
            (Some(upsample), Some(next)) => upsample.forward(&hidden, (next.dim(2)?, next.dim(3)?)),
            _ => Ok(hidden),
        }
    }
}

fn take_skip(skips: &mut Vec<Tensor>) -> Result<Tensor> {
    skips
        .pop()
        .ok_or_else(|| candle_core::Error::Msg("the U-Net's decoder has more layers than its encoder".into()))
}

fn resnet_settings(config: &UNetConfig, passes: Passes) -> ResnetSettings {
    ResnetSettings {
        groups: config.norm_num_groups,
        epsilon: config.norm_eps,
        time_width: Some(4 * config.block_out_channels[0]),
        passes,
    }
}

fn transformer_settings(config: &UNetConfig, level: usize) -> Result<TransformerSettings> {
    Ok(TransformerSettings {
        channels: config.block_out_channels[level],
        context_width: config.context_width(level)?,
        heads: config.heads(level)?,
        blocks: config.transformer_layers(level)?,
        groups: config.norm_num_groups,
        linear_projection: config.use_linear_projection,
        upcast: config.upcast_attention,
    })
}

fn attention_at(
    config: &UNetConfig,
    level: usize,
    attends: bool,
    layer: usize,
    vb: &VarBuilder,
) -> Result<Option<Transformer>> {
    if !attends {
        return Ok(None);
    }
    let settings = transformer_settings(config, level)?;
    Ok(Some(Transformer::new(settings, vb.pp(format!("attentions.{layer}")))?))
}
