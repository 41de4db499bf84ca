//! The `config.json` of CLIP's encoders and of vision transformers, as transformers writes them.

use serde::Deserialize;

use super::{MOST_LAYERS, parse};
use crate::error::{Error, Result};

/// The layers that both of CLIP's encoders are stacked from.
#[derive(Debug, Clone, Deserialize)]
pub struct EncoderConfig {
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width inside the feed-forward layers.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads.
    pub num_attention_heads: usize,
    /// Activation of the feed-forward layers.
    #[serde(default)]
    pub hidden_act: Activation,
    /// The ε of every layer norm.
    #[serde(default = "super::norm_epsilon")]
    pub layer_norm_eps: f64,
}

impl EncoderConfig {
    /// Refuses sizes out of their ranges.
    pub(in crate::model) fn check(&self) -> Result<()> {
        let layers = self.num_hidden_layers;
        if !(1..=MOST_LAYERS).contains(&layers) {
            let problem = format!("{layers}; 1 to {MOST_LAYERS} are allowed");
            return Err(Error::setting("config.json, num_hidden_layers", problem));
        }
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            let problem = format!("{heads} does not divide the width {width}");
            return Err(Error::setting("config.json, num_attention_heads", problem));
        }
        Ok(())
    }
}

/// The text encoder (`CLIPTextModel`).
#[derive(Debug, Clone, Deserialize)]
pub struct TextConfig {
    /// Words of the vocabulary.
    pub vocab_size: usize,
    /// Its layers.
    #[serde(flatten)]
    pub encoder: EncoderConfig,
    /// Longest sequence.
    #[serde(default = "seventy_seven")]
    pub max_position_embeddings: usize,
}

/// An activation function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · sigmoid(1.702 x)`: OpenAI's CLIP.
    #[default]
    QuickGelu,
    /// The exact gelu: OpenCLIP.
    Gelu,
}

impl TextConfig {
    /// Reads and checks `config.json` of a text encoder.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        // A whole CLIP model keeps the text encoder's numbers in a section of their own.
        let config: Self = parse("config.json of a text encoder", json.get("text_config").unwrap_or(json))?;
        config.encoder.check()?;
        Ok(config)
    }
}

/// CLIP's image encoder (`CLIPVisionModel`).
#[derive(Debug, Clone, Deserialize)]
pub struct ImageEncoderConfig {
    /// Its layers.
    #[serde(flatten)]
    pub encoder: EncoderConfig,
    /// Side in pixels of the square pictures that it reads.
    pub image_size: usize,
    /// Side in pixels of the patches that become tokens.
    pub patch_size: usize,
    /// Width of the space that pictures and texts share.
    #[serde(default = "five_hundred_twelve")]
    pub projection_dim: usize,
}

impl ImageEncoderConfig {
    /// Reads and checks `config.json` of an image encoder.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        // A whole CLIP model keeps the image encoder's numbers in a section of their own, but for the common space's width.
        let section = json.get("vision_config").unwrap_or(json);
        let mut config: Self = parse("config.json of an image encoder", section)?;
        if let Some(width) = json.get("projection_dim").and_then(serde_json::Value::as_u64) {
            config.projection_dim = width as usize;
        }
        config.encoder.check()?;
        check_patches(config.image_size, config.patch_size)?;
        Ok(config)
    }
}

/// A vision transformer (`ViTModel`).
#[derive(Debug, Clone, Deserialize)]
pub struct VisionTransformerConfig {
    /// Its layers.
    #[serde(flatten)]
    pub encoder: EncoderConfig,
    /// Side in pixels of the square pictures that it reads.
    pub image_size: usize,
    /// Side in pixels of the patches that become tokens.
    pub patch_size: usize,
}

impl VisionTransformerConfig {
    /// Reads and checks `config.json` of a vision transformer.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        let config: Self = parse("config.json of a vision transformer", json)?;
        config.encoder.check()?;
        check_patches(config.image_size, config.patch_size)?;
        Ok(config)
    }
}

/// Refuses pictures that do not fall into whole patches.
fn check_patches(side: usize, patch: usize) -> Result<()> {
    if patch == 0 || side == 0 || side > crate::frame::MAX_SIDE as usize || !side.is_multiple_of(patch) {
        let problem = format!("{patch} does not divide the picture's side {side}");
        return Err(Error::setting("config.json, patch_size", problem));
    }
    Ok(())
}

fn seventy_seven() -> usize {
    77
}
fn five_hundred_twelve() -> usize {
    512
}
