//! The `config.json` of each network, as diffusers and transformers write them. Sizes are never assumed.

mod transformers;

use serde::Deserialize;

pub use transformers::{Activation, EncoderConfig, ImageEncoderConfig, TextConfig, VisionTransformerConfig};

use crate::error::{Error, Result};

/// A value given once for all resolutions, or once for each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PerLevel {
    /// The same at every resolution.
    One(usize),
    /// One value a resolution, finest first.
    Each(Vec<usize>),
}

impl PerLevel {
    /// The value at `level`, 0 being the finest resolution; `None` past the end of a list.
    pub fn at(&self, level: usize) -> Option<usize> {
        match self {
            Self::One(value) => Some(*value),
            Self::Each(values) => values.get(level).copied(),
        }
    }
}

/// The shared part of U-Net and ControlNet (`UNet2DConditionModel`, `ControlNetModel`).
#[derive(Debug, Clone, Deserialize)]
pub struct UNetConfig {
    /// Channels of the noisy latent.
    #[serde(default = "four")]
    pub in_channels: usize,
    /// Channels of the output; a ControlNet has none.
    #[serde(default = "four")]
    pub out_channels: usize,
    /// Channels at each resolution, finest first.
    pub block_out_channels: Vec<usize>,
    /// ResNet blocks at each resolution of the encoder; the decoder has one more.
    #[serde(default = "two_each")]
    pub layers_per_block: PerLevel,
    /// `CrossAttnDownBlock2D` or `DownBlock2D` for each resolution.
    pub down_block_types: Vec<String>,
    /// `UpBlock2D` or `CrossAttnUpBlock2D` for each resolution, coarsest first; a ControlNet has none.
    #[serde(default)]
    pub up_block_types: Vec<String>,
    /// Only `UNetMidBlock2DCrossAttn` is known.
    #[serde(default = "mid_block")]
    pub mid_block_type: String,
    /// Width of the text context.
    #[serde(default = "default_context")]
    pub cross_attention_dim: PerLevel,
    /// Number of attention heads, under the name that diffusers gave it by mistake.
    #[serde(default = "eight_each")]
    pub attention_head_dim: PerLevel,
    /// Number of attention heads, where a file names it rightly.
    #[serde(default)]
    pub num_attention_heads: Option<PerLevel>,
    /// Transformer blocks in each attention layer.
    #[serde(default = "one_each")]
    pub transformer_layers_per_block: PerLevel,
    /// Linear layers around the transformer blocks (SD 2.x) instead of 1×1 convolutions (SD 1.x).
    #[serde(default)]
    pub use_linear_projection: bool,
    /// Scores of attention in 32 bits whatever the weights' type (SD 2.1).
    #[serde(default)]
    pub upcast_attention: bool,
    /// Groups of every group norm.
    #[serde(default = "thirty_two")]
    pub norm_num_groups: usize,
    /// The ε of every group norm outside the transformer blocks.
    #[serde(default = "norm_epsilon")]
    pub norm_eps: f64,
    /// Cosines before sines in the timestep's embedding.
    #[serde(default = "yes")]
    pub flip_sin_to_cos: bool,
    /// Shift of the timestep embedding's frequencies.
    #[serde(default)]
    pub freq_shift: f64,
    /// Size of the latent that the network was trained at.
    #[serde(default)]
    pub sample_size: Option<usize>,
    /// ControlNet only: channels of the control image; 7 where the frame's draft is shown too.
    #[serde(default = "red_green_blue")]
    pub conditioning_channels: usize,
    /// ControlNet only: channels of the control image's embedding, finest first.
    #[serde(default = "default_conditioning")]
    pub conditioning_embedding_out_channels: Vec<usize>,
    /// ControlNet only: `rgb` or `bgr`.
    #[serde(default = "rgb")]
    pub controlnet_conditioning_channel_order: String,
}

/// Most layers that a configuration may ask for at one resolution, or in a text encoder.
pub(super) const MOST_LAYERS: usize = 256;

/// Fields of a U-Net's configuration that ask for networks of another family.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("class_embed_type", "class embeddings"),
    ("addition_embed_type", "additional embeddings, as in SDXL"),
    ("encoder_hid_dim", "a projected context"),
    (
        "time_cond_proj_dim",
        "an embedded guidance scale, as in distilled LCM models (use an LCM-LoRA instead)",
    ),
    ("dual_cross_attention", "dual cross-attention"),
    ("only_cross_attention", "cross-attention in place of self-attention"),
    ("global_pool_conditions", "pooled control conditions, as in ControlNet shuffle"),
    ("resnet_skip_time_act", "K-style ResNet blocks"),
];

/// What Stable Diffusion 1.x was trained on.
const NATIVE_SIDE: usize = 512;

impl UNetConfig {
    /// Side in pixels of the pictures that the U-Net was trained on, by way of a VAE; 512 where the files do not say.
    pub fn native_side(&self, vae: &VaeConfig) -> usize {
        self.sample_size.map_or(NATIVE_SIDE, |size| size * vae.factor())
    }

    /// What the sides of pictures are multiples of, in pixels.
    pub fn size_step(&self, vae: &VaeConfig) -> usize {
        vae.factor() << (self.block_out_channels.len() - 1)
    }

    /// Reads and checks `config.json` of a U-Net or ControlNet.
    ///
    /// # Errors
    /// A missing field, or one that asks for a network outside the Stable Diffusion 1.x and 2.x family.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        for (field, meaning) in UNSUPPORTED {
            let value = json.get(field).unwrap_or(&serde_json::Value::Null);
            if !value.is_null() && value != &serde_json::Value::Bool(false) {
                return Err(unsupported(field, value, meaning));
            }
        }
        for (field, wanted) in [
            ("resnet_time_scale_shift", "default"),
            ("time_embedding_type", "positional"),
            ("attention_type", "default"),
            ("act_fn", "silu"),
        ] {
            let value = json.get(field).and_then(|value| value.as_str()).unwrap_or(wanted);
            if value != wanted {
                return Err(Error::setting(
                    format!("config.json, {field}"),
                    format!("{value}: only {wanted} is known"),
                ));
            }
        }
        let config: Self = parse("config.json of a U-Net", json)?;
        config.check()?;
        Ok(config)
    }

    /// Reads and checks `config.json` of a U-Net.
    ///
    /// # Errors
    /// As [`UNetConfig::from_json`]; a network without decoder, as a ControlNet is.
    pub fn of_unet(json: &serde_json::Value) -> Result<Self> {
        let config = Self::from_json(json)?;
        config.check_decoder()?;
        Ok(config)
    }

    /// Whether the network has a decoder.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn check_decoder(&self) -> Result<()> {
        self.check_entries("up_block_types", &self.up_block_types)
    }

    /// Whether a list has one entry for each resolution.
    fn check_entries(&self, field: &str, entries: &[String]) -> Result<()> {
        let (count, levels) = (entries.len(), self.block_out_channels.len());
        if count == levels {
            return Ok(());
        }
        let problem = format!("{count} entries for {levels} resolutions");
        Err(Error::setting(format!("config.json, {field}"), problem))
    }

    fn check(&self) -> Result<()> {
        let levels = self.block_out_channels.len();
        let fail =
            |field: &str, problem: String| Err(Error::setting(format!("config.json, {field}"), problem));
        if levels == 0 || levels > 8 {
            return fail("block_out_channels", format!("{levels} resolutions; 1 to 8 are allowed"));
        }
        if self.mid_block_type != "UNetMidBlock2DCrossAttn" {
            return fail(
                "mid_block_type",
                format!("{}: only UNetMidBlock2DCrossAttn is known", self.mid_block_type),
            );
        }
        for (field, types, known) in [
            ("down_block_types", &self.down_block_types, ["CrossAttnDownBlock2D", "DownBlock2D"]),
            ("up_block_types", &self.up_block_types, ["CrossAttnUpBlock2D", "UpBlock2D"]),
        ] {
            if let Some(other) = types.iter().find(|kind| !known.contains(&kind.as_str())) {
                return fail(field, format!("{other}: only {} and {} are known", known[0], known[1]));
            }
            // A ControlNet has no decoder; a U-Net has to have one.
            let absent = field == "up_block_types" && types.is_empty();
            if !absent {
                self.check_entries(field, types)?;
            }
        }
        for (level, &channels) in self.block_out_channels.iter().enumerate() {
            for (field, count) in [
                ("layers_per_block", self.layers(level)?),
                ("transformer_layers_per_block", self.transformer_layers(level)?),
            ] {
                if !(1..=MOST_LAYERS).contains(&count) {
                    return fail(field, format!("{count}; 1 to {MOST_LAYERS} are allowed"));
                }
            }
            let heads = self.heads(level)?;
            for (field, divisor) in [("norm_num_groups", self.norm_num_groups), ("attention_head_dim", heads)]
            {
                if divisor == 0 || !channels.is_multiple_of(divisor) {
                    return fail(field, format!("{divisor} does not divide the {channels} channels"));
                }
            }
        }
        Ok(())
    }

    /// Attention heads at `level`, 0 being the finest.
    pub fn heads(&self, level: usize) -> Result<usize> {
        self.level(
            "attention_head_dim",
            self.num_attention_heads.as_ref().unwrap_or(&self.attention_head_dim),
            level,
        )
    }

    /// ResNet blocks of the encoder at `level`.
    pub fn layers(&self, level: usize) -> Result<usize> {
        self.level("layers_per_block", &self.layers_per_block, level)
    }

    /// Transformer blocks in each attention layer at `level`.
    pub fn transformer_layers(&self, level: usize) -> Result<usize> {
        self.level("transformer_layers_per_block", &self.transformer_layers_per_block, level)
    }

    /// Width of the text context at `level`.
    pub fn context_width(&self, level: usize) -> Result<usize> {
        self.level("cross_attention_dim", &self.cross_attention_dim, level)
    }

    fn level(&self, field: &str, values: &PerLevel, level: usize) -> Result<usize> {
        values.at(level).ok_or_else(|| {
            Error::setting(format!("config.json, {field}"), format!("has no value for resolution {level}"))
        })
    }
}

/// The autoencoder (`AutoencoderKL`).
#[derive(Debug, Clone, Deserialize)]
pub struct VaeConfig {
    /// Channels of the picture.
    #[serde(default = "three")]
    pub in_channels: usize,
    /// Channels of the decoded picture.
    #[serde(default = "three")]
    pub out_channels: usize,
    /// Channels of the latent.
    #[serde(default = "four")]
    pub latent_channels: usize,
    /// Channels at each resolution, finest first.
    pub block_out_channels: Vec<usize>,
    /// ResNet blocks at each resolution of the encoder; the decoder has one more.
    #[serde(default = "one")]
    pub layers_per_block: usize,
    /// Groups of every group norm.
    #[serde(default = "thirty_two")]
    pub norm_num_groups: usize,
    /// Latents are multiplied by this, so that their variance is about one.
    #[serde(default = "default_scaling")]
    pub scaling_factor: f64,
    /// Subtracted from latents before scaling.
    #[serde(default)]
    pub shift_factor: Option<f64>,
    /// Whether the middle blocks have attention.
    #[serde(default = "yes")]
    pub mid_block_add_attention: bool,
    /// Whether a 1×1 convolution follows the encoder.
    #[serde(default = "yes")]
    pub use_quant_conv: bool,
    /// Whether a 1×1 convolution precedes the decoder.
    #[serde(default = "yes")]
    pub use_post_quant_conv: bool,
    /// Side of the pictures that it was trained on.
    #[serde(default)]
    pub sample_size: Option<usize>,
}

impl VaeConfig {
    /// Reads and checks `config.json` of an autoencoder.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        let config: Self = parse("config.json of a VAE", json)?;
        let levels = config.block_out_channels.len();
        if levels == 0 || levels > 8 {
            return Err(Error::setting(
                "config.json, block_out_channels",
                format!("{levels} resolutions; 1 to 8 are allowed"),
            ));
        }
        for (field, count, allowed) in [
            ("in_channels", config.in_channels, 3..=3),
            ("out_channels", config.out_channels, 3..=3),
            ("latent_channels", config.latent_channels, 1..=256),
            ("layers_per_block", config.layers_per_block, 1..=MOST_LAYERS),
        ] {
            if !allowed.contains(&count) {
                let problem = format!("{count}; {} to {} are allowed", allowed.start(), allowed.end());
                return Err(Error::setting(format!("config.json, {field}"), problem));
            }
        }
        let groups = config.norm_num_groups;
        match config
            .block_out_channels
            .iter()
            .find(|&&channels| groups == 0 || !channels.is_multiple_of(groups))
        {
            Some(channels) => Err(Error::setting(
                "config.json, norm_num_groups",
                format!("{groups} does not divide the {channels} channels"),
            )),
            None => Ok(config),
        }
    }

    /// Pixels of the picture per value of the latent, along each side.
    pub fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

/// A tiny decoder (`AutoencoderTiny`).
#[derive(Debug, Clone, Deserialize)]
pub struct TinyVaeConfig {
    /// Channels of the decoded picture.
    #[serde(default = "three")]
    pub out_channels: usize,
    /// Channels of the latent.
    #[serde(default = "four")]
    pub latent_channels: usize,
    /// Channels at each resolution, all the same.
    pub decoder_block_out_channels: Vec<usize>,
    /// Blocks at each resolution, coarsest first.
    pub num_decoder_blocks: Vec<usize>,
    /// Latents are divided by this.
    #[serde(default = "unscaled")]
    pub scaling_factor: f64,
    /// What each resolution is enlarged by.
    #[serde(default = "two")]
    pub upsampling_scaling_factor: usize,
    /// The activation.
    #[serde(default = "relu")]
    pub act_fn: String,
}

impl TinyVaeConfig {
    /// Reads and checks `config.json` of a tiny autoencoder.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        let config: Self = parse("config.json of a tiny VAE", json)?;
        let refuse =
            |field: &str, problem: String| Err(Error::setting(format!("config.json, {field}"), problem));
        let (channels, blocks) = (&config.decoder_block_out_channels, &config.num_decoder_blocks);
        if !(1..=8).contains(&blocks.len()) || blocks.iter().any(|&count| count > MOST_LAYERS) {
            return refuse(
                "num_decoder_blocks",
                format!("{blocks:?}; 1 to 8 numbers up to {MOST_LAYERS} are allowed"),
            );
        }
        if channels.len() != blocks.len() || channels.iter().any(|&count| count != channels[0] || count == 0)
        {
            return refuse(
                "decoder_block_out_channels",
                format!("{channels:?}; {} equal numbers are allowed", blocks.len()),
            );
        }
        let scaling = config.scaling_factor;
        if !(scaling.is_finite() && scaling > 0.0) {
            return refuse("scaling_factor", format!("{scaling}; numbers above 0 are allowed"));
        }
        match (config.out_channels, config.latent_channels, config.upsampling_scaling_factor) {
            (3, 1..=256, 2) if config.act_fn == "relu" => Ok(config),
            (3, 1..=256, 2) => refuse("act_fn", format!("{}; relu is allowed", config.act_fn)),
            (3, 1..=256, factor) => refuse("upsampling_scaling_factor", format!("{factor}; 2 is allowed")),
            (3, count, _) => refuse("latent_channels", format!("{count}; 1 to 256 are allowed")),
            (count, ..) => refuse("out_channels", format!("{count}; 3 are allowed")),
        }
    }

    /// Channels at every resolution.
    pub fn channels(&self) -> usize {
        self.decoder_block_out_channels[0]
    }

    /// Pixels of the picture per value of the latent, along each side.
    pub fn factor(&self) -> usize {
        1 << (self.num_decoder_blocks.len() - 1)
    }
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(what: &str, json: &serde_json::Value) -> Result<T> {
    serde_json::from_value(json.clone()).map_err(|error| Error::setting(what, error.to_string()))
}

fn unsupported(field: &str, value: &serde_json::Value, meaning: &str) -> Error {
    Error::setting(
        format!("config.json, {field}"),
        format!("{value}: {meaning}, is outside the SD 1.x and 2.x family"),
    )
}

fn one() -> usize {
    1
}
fn two() -> usize {
    2
}

fn unscaled() -> f64 {
    1.0
}

fn relu() -> String {
    "relu".to_owned()
}

fn three() -> usize {
    3
}
fn four() -> usize {
    4
}
fn thirty_two() -> usize {
    32
}
fn one_each() -> PerLevel {
    PerLevel::One(1)
}
fn two_each() -> PerLevel {
    PerLevel::One(2)
}
fn eight_each() -> PerLevel {
    PerLevel::One(8)
}
fn default_context() -> PerLevel {
    PerLevel::One(1280)
}
fn norm_epsilon() -> f64 {
    1e-5
}
fn default_scaling() -> f64 {
    0.18215
}
fn yes() -> bool {
    true
}
fn rgb() -> String {
    "rgb".into()
}
fn red_green_blue() -> usize {
    3
}
fn mid_block() -> String {
    "UNetMidBlock2DCrossAttn".into()
}
fn default_conditioning() -> Vec<usize> {
    vec![16, 32, 96, 256]
}
