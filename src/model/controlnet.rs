//! ControlNet: a copy of the U-Net's encoder that sees a control image and steers the U-Net (`ControlNetModel`).
//!
//! Architecture: diffusers `models/controlnets/controlnet.py`.

use candle_core::{Result, Tensor};
use candle_nn::{Conv2dConfig, Module, VarBuilder};

use super::blocks::{conv1x1, conv3x3};
use super::config::UNetConfig;
use super::transformer::{AttentionContext, KeysValues};
use super::unet::{ControlResiduals, UNetEncoder};
use dreamtuner_kernels::{Convolution, Passes};

/// Turns a control image into what is added to a U-Net's skip connections.
#[derive(Debug)]
pub struct ControlNet {
    encoder: UNetEncoder,
    condition: ConditionEmbedding,
    down: Vec<Convolution>,
    mid: Convolution,
    reverse_channels: bool,
    image_channels: usize,
}

/// Channels of what a ControlNet is shown that sees the skeleton (3), the frame's draft (3) and how sure it is (1).
const WITH_DRAFT: usize = 7;

impl ControlNet {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &UNetConfig, vb: VarBuilder) -> Result<Self> {
        let image_channels = config.conditioning_channels;
        if ![3, WITH_DRAFT].contains(&image_channels) {
            let problem = format!("{image_channels}; 3 and {WITH_DRAFT} (with a draft) are known");
            return Err(crate::Error::setting("config.json, conditioning_channels", problem).into());
        }
        let channels = &config.block_out_channels;
        let mut down = vec![conv1x1(channels[0], channels[0], vb.pp("controlnet_down_blocks.0"))?];
        for (level, &width) in channels.iter().enumerate() {
            // One skip connection for each layer, and one for the downsampling after it.
            let skips = config.layers(level)? + usize::from(level + 1 < channels.len());
            for _ in 0..skips {
                down.push(conv1x1(width, width, vb.pp(format!("controlnet_down_blocks.{}", down.len())))?);
            }
        }
        let deepest = channels[channels.len() - 1];
        Ok(Self {
            encoder: UNetEncoder::new(config, Passes::OnceAStep, vb.clone())?,
            condition: ConditionEmbedding::new(config, vb.pp("controlnet_cond_embedding"))?,
            down,
            mid: conv1x1(deepest, deepest, vb.pp("controlnet_mid_block"))?,
            reverse_channels: config.controlnet_conditioning_channel_order == "bgr",
            image_channels,
        })
    }

    /// Whether it is shown the frame's draft, and how sure it is, after the control image.
    pub fn sees_draft(&self) -> bool {
        self.image_channels == WITH_DRAFT
    }

    /// Embeds control images `(batch, 3, height, width)` with values in [0, 1] at the latent's size, `(batch, channels, …)`. Where it
    /// [sees drafts](Self::sees_draft), they have 7 channels: red, green and blue of the control image and of the draft, and how sure the
    /// draft is; 0 where there is none.
    /// It depends on nothing else, so that once a frame is enough.
    pub fn embed(&self, image: &Tensor) -> Result<Tensor> {
        if self.reverse_channels {
            return self
                .condition
                .forward(&image.index_select(&Tensor::new(&[2u32, 1, 0], image.device())?, 1)?);
        }
        self.condition.forward(image)
    }

    /// Keys and values of a text `(batch, tokens, context width)`: once is enough for every pass.
    pub fn keys_values(&self, text: &Tensor) -> Result<KeysValues> {
        self.encoder.keys_values(text)
    }

    /// One pass: `latent` `(batch, channels, height, width)` at `timesteps`, the text as [`Self::keys_values`] and the control image as
    /// [`Self::embed`] gave it, each for every picture of the batch or one for all.
    pub fn forward(
        &self,
        latent: &Tensor,
        timesteps: &[f64],
        text: &KeysValues,
        embedded: &Tensor,
    ) -> Result<ControlResiduals> {
        let hidden = self.encoder.conv_in.forward(latent)?;
        if hidden.dims()[2..] != embedded.dims()[2..] {
            candle_core::bail!(
                "a control image embedded at {:?} does not fit a latent of {:?}: the ControlNet's factor differs from the VAE's",
                &embedded.dims()[2..],
                &hidden.dims()[2..]
            );
        }
        let time = self.encoder.embed_time(timesteps, latent)?;
        let (mid, skips) =
            self.encoder.forward(hidden.broadcast_add(embedded)?, &time, &mut AttentionContext::new(text))?;
        let down =
            self.down.iter().zip(&skips).map(|(conv, skip)| conv.forward(skip)).collect::<Result<_>>()?;
        Ok(ControlResiduals { down, mid: self.mid.forward(&mid)? })
    }
}

/// Convolutions that bring the control image to the latent's size (`ControlNetConditioningEmbedding`).
#[derive(Debug)]
struct ConditionEmbedding {
    conv_in: Convolution,
    blocks: Vec<Convolution>,
    conv_out: Convolution,
}

impl ConditionEmbedding {
    fn new(config: &UNetConfig, vb: VarBuilder) -> Result<Self> {
        let channels = &config.conditioning_embedding_out_channels;
        let (Some(&first), Some(&last)) = (channels.first(), channels.last()) else {
            return Err(crate::Error::setting(
                "config.json, conditioning_embedding_out_channels",
                "is empty",
            )
            .into());
        };
        let halving = Conv2dConfig { stride: 2, padding: 1, ..Default::default() };
        let mut blocks = Vec::new();
        for pair in channels.windows(2) {
            blocks.push(conv3x3(pair[0], pair[0], Passes::Few, vb.pp(format!("blocks.{}", blocks.len())))?);
            blocks.push(Convolution::new(
                pair[0],
                pair[1],
                3,
                halving,
                Passes::Few,
                vb.pp(format!("blocks.{}", blocks.len())),
            )?);
        }
        Ok(Self {
            conv_in: conv3x3(config.conditioning_channels, first, Passes::Few, vb.pp("conv_in"))?,
            blocks,
            conv_out: conv3x3(last, config.block_out_channels[0], Passes::Few, vb.pp("conv_out"))?,
        })
    }

    fn forward(&self, image: &Tensor) -> Result<Tensor> {
        let mut hidden = self.conv_in.forward(image)?.silu()?;
        for block in &self.blocks {
            hidden = block.forward(&hidden)?.silu()?;
        }
        self.conv_out.forward(&hidden)
    }
}
