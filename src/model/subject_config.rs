//! The configuration of what tells a U-Net who a picture shows: this program's own subject encoder, or an IP-Adapter.

use serde::{Deserialize, Serialize};

use super::config::{ImageEncoderConfig, MOST_LAYERS, parse};
use crate::error::{Error, Result};

/// The subject encoder (this program's own, stored as diffusers stores networks).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct SubjectEncoderConfig {
    /// Layers of the image encoder whose features it reads, concatenated in this order: 0 is what enters the first one.
    pub layers: Vec<usize>,
    /// Width of the image encoder.
    pub image_width: usize,
    /// Width of the U-Net's text context.
    pub context_width: usize,
    /// ResNet blocks.
    pub res_blocks: usize,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
}

impl SubjectEncoderConfig {
    /// Reads and checks `config.json` of a subject encoder.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        let config: Self = parse("config.json of a subject encoder", json)?;
        let refuse =
            |field: &str, problem: String| Err(Error::setting(format!("config.json, {field}"), problem));
        let (layers, groups) = (&config.layers, config.norm_num_groups);
        if !(1..=16).contains(&layers.len()) || layers.iter().any(|&layer| layer > MOST_LAYERS) {
            return refuse("layers", format!("{layers:?}; 1 to 16 numbers up to {MOST_LAYERS} are allowed"));
        }
        if !(1..=16).contains(&config.res_blocks) {
            return refuse("res_blocks", format!("{}; 1 to 16 are allowed", config.res_blocks));
        }
        let channels = [layers.len().saturating_mul(config.image_width), config.context_width];
        if groups == 0 || channels.iter().any(|&channels| channels == 0 || !channels.is_multiple_of(groups)) {
            return refuse("norm_num_groups", format!("{groups} does not divide the channels {channels:?}"));
        }
        Ok(config)
    }

    /// For an image encoder and a U-Net: the layers that DreamTuner takes of OpenCLIP ViT-H's 32 (25, 4, 8, 12, 16), at the same
    /// shares of the depth.
    pub fn for_networks(image: &ImageEncoderConfig, context_width: usize) -> Self {
        const OF_32: [usize; 5] = [25, 4, 8, 12, 16];
        let depth = image.encoder.num_hidden_layers;
        let mut layers = Vec::new();
        for layer in OF_32.map(|layer| ((layer * depth + 16) / 32).max(1)) {
            if !layers.contains(&layer) {
                layers.push(layer);
            }
        }
        let image_width = image.encoder.hidden_size;
        let divides = |groups: &usize| {
            context_width.is_multiple_of(*groups) && (layers.len() * image_width).is_multiple_of(*groups)
        };
        let groups = (1..=32).rev().find(divides).unwrap_or(1);
        Self { layers, image_width, context_width, res_blocks: 2, norm_num_groups: groups }
    }
}

/// The part of an IP-Adapter that looks at pictures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IpAdapterConfig {
    /// Tokens that a picture becomes.
    pub tokens: usize,
    /// Width of what the image encoder says.
    pub image_width: usize,
    /// Width of the U-Net's text context.
    pub context_width: usize,
    /// Layers of the resampler (plus); 0 for the base model, which has none.
    pub layers: usize,
    /// Width of the resampler.
    pub width: usize,
    /// Its heads.
    pub heads: usize,
    /// Width of its feed-forward networks.
    pub inner_width: usize,
}

/// Either kind of encoder for subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectConfig {
    /// DreamTuner's.
    Own(SubjectEncoderConfig),
    /// An IP-Adapter.
    IpAdapter(IpAdapterConfig),
}

impl SubjectConfig {
    /// Reads and checks a subject encoder's `config.json`, or what an IP-Adapter's file gave in its place.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        match json.get("ip_adapter") {
            Some(adapter) => Ok(Self::IpAdapter(parse("an IP-Adapter's sizes", adapter)?)),
            None => SubjectEncoderConfig::from_json(json).map(Self::Own),
        }
    }
}
