//! A ControlNet: a copy of the U-Net's encoder.

use serde_json::{Value, json};

use super::network::Network;
use super::unet::{comp_vis, encoder};
use crate::model::weights::keys::{Keys, Naming};
use crate::model::weights::shapes::Shapes;

pub(super) const NETWORK: Network = Network {
    name: "ControlNet",
    folder: "controlnet",
    class: "ControlNetModel",
    prefixes: &[CHECKPOINT],
    naming,
    infer,
    ..Network::PLAIN
};

/// What its keys begin with where a file holds other networks, too.
const CHECKPOINT: &str = "control_model.";

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    match keys {
        keys if keys.has(CHECKPOINT) => Some(comp_vis(keys, CHECKPOINT)),
        keys if keys.has("input_hint_block.") => Some(comp_vis(keys, "")),
        keys if keys.has("controlnet_cond_embedding.") => Some(Naming::diffusers()),
        _ => None,
    }
}

fn infer(shapes: &Shapes, _: bool) -> Result<Value, String> {
    let mut config = encoder(shapes)?;
    let hints = "controlnet_cond_embedding";
    // Convolutions come in pairs: one keeps the channels, one halves the size and changes them.
    let pairs = shapes.count(&format!("{hints}.blocks.")) / 2;
    let mut channels = vec![shapes.dim(&format!("{hints}.conv_in.weight"), 0)?];
    for pair in 0..pairs {
        channels.push(shapes.dim(&format!("{hints}.blocks.{}.weight", 2 * pair + 1), 0)?);
    }
    config["_class_name"] = json!("ControlNetModel");
    config["conditioning_channels"] = json!(shapes.dim(&format!("{hints}.conv_in.weight"), 1)?);
    config["conditioning_embedding_out_channels"] = json!(channels);
    config["controlnet_conditioning_channel_order"] = json!("rgb");
    config["global_pool_conditions"] = json!(false);
    Ok(config)
}
