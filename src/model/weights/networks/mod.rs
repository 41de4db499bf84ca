//! The kinds of networks: all that is known of each one's files stands in one entry. A new network is a new file beside this one, and a
//! line each in [`Part`], [`Part::ALL`] and [`Part::network`].

mod captioner;
mod controlnet;
mod image_encoder;
mod network;
mod subject_encoder;
mod text_encoder;
mod tiny_vae;
mod unet;
mod vae;
mod vision_transformer;

use std::fmt;

use serde_json::Value;

use network::Network;

/// The networks of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The denoising network.
    Unet,
    /// The network that reads the pose.
    ControlNet,
    /// The autoencoder between pictures and latents.
    Vae,
    /// A tiny decoder in its place.
    TinyVae,
    /// CLIP's text encoder.
    TextEncoder,
    /// CLIP's image encoder.
    ImageEncoder,
    /// A vision transformer without text, as DINO's.
    VisionTransformer,
    /// DreamTuner's subject encoder.
    SubjectEncoder,
    /// What says in words what a picture shows: BLIP.
    Captioner,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Unet,
        Self::ControlNet,
        Self::Vae,
        Self::TinyVae,
        Self::TextEncoder,
        Self::ImageEncoder,
        Self::VisionTransformer,
        Self::SubjectEncoder,
        Self::Captioner,
    ];

    /// What is known of its files.
    pub(super) fn network(self) -> Network {
        match self {
            Self::Unet => unet::NETWORK,
            Self::ControlNet => controlnet::NETWORK,
            Self::Vae => vae::NETWORK,
            Self::TinyVae => tiny_vae::NETWORK,
            Self::TextEncoder => text_encoder::NETWORK,
            Self::ImageEncoder => image_encoder::NETWORK,
            Self::VisionTransformer => vision_transformer::NETWORK,
            Self::SubjectEncoder => subject_encoder::NETWORK,
            Self::Captioner => captioner::NETWORK,
        }
    }

    /// The part's folder within a diffusers model.
    pub fn folder(self) -> &'static str {
        self.network().folder
    }

    /// Whether a `config.json` names this part's class.
    pub(super) fn is_described_by(self, config: &Value) -> bool {
        names_class(config, self.network().class)
    }

    /// Refuses a `config.json` that names the class of another network.
    pub(super) fn check_class(self, config: &Value) -> Result<(), String> {
        let Network { class, is_in_clip, .. } = self.network();
        let is_whole_clip = is_in_clip && names_class(config, "CLIPModel");
        match config.get("_class_name").or_else(|| config.get("architectures")?.get(0)) {
            Some(named) if !self.is_described_by(config) && !is_whole_clip => {
                Err(format!("describes a {named}; a {self} ({class}) was expected"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a key of a file without prefixes belongs to a part that is stored with one, or to a half that is never used.
    pub(super) fn has_no_use_for(self, key: &str) -> bool {
        let others = Self::ALL.into_iter().filter(|part| *part != self);
        (self.network().is_unused)(key) || others.into_iter().any(|part| part.owns(key))
    }

    /// Whether a key is this part's in a file that holds others, too.
    pub(super) fn owns(self, key: &str) -> bool {
        self.network().prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.network().name)
    }
}

fn names_class(config: &Value, class: &str) -> bool {
    // A CLIP encoder with a projection is the same otherwise.
    let is_class =
        |value: &Value| value.as_str().is_some_and(|name| name.trim_end_matches("WithProjection") == class);
    let listed = config.get("architectures").and_then(Value::as_array);
    config.get("_class_name").is_some_and(is_class) || listed.is_some_and(|list| list.iter().any(is_class))
}
