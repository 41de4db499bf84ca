//! A vision transformer without text, as DINO's.

use super::network::Network;
use crate::model::weights::keys::{Keys, Naming, vision_transformer};

pub(super) const NETWORK: Network = Network {
    name: "vision transformer",
    folder: "vision_transformer",
    class: "ViTModel",
    naming,
    from_diffusers: vision_transformer::from_transformers,
    ..Network::PLAIN
};

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    let layer = |prefix: &str| keys.has(&format!("{prefix}encoder.layer.0.attention."));
    (layer("") || layer("vit.")).then(Naming::diffusers)
}
