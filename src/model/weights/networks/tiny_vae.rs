//! A tiny decoder in the autoencoder's place.

use serde_json::{Value, json};

use super::network::Network;
use crate::model::weights::keys::{Keys, Naming, tiny_vae};
use crate::model::weights::shapes::Shapes;

pub(super) const NETWORK: Network = Network {
    name: "tiny VAE",
    folder: "tiny_vae",
    class: "AutoencoderTiny",
    naming,
    from_diffusers: |name| (!is_encoder(name)).then(|| name.to_owned()),
    is_unused: is_encoder,
    infer,
    ..Network::PLAIN
};

/// Whether a key belongs to its encoder.
fn is_encoder(key: &str) -> bool {
    key.starts_with("encoder.")
}

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    if keys.has("decoder.layers.0.") {
        return Some(Naming::diffusers());
    }
    let numbered = |prefix: &&str| {
        let layer = |end: &str| keys.has(&format!("{prefix}{end}"));
        !layer("0.") && layer("1.weight") && layer("3.conv.0.weight")
    };
    let prefix = ["", "decoder."].into_iter().find(numbered)?;
    Some(Naming::comp_vis(prefix, tiny_vae::from_original(keys.under(prefix))))
}

fn infer(shapes: &Shapes, _: bool) -> Result<Value, String> {
    let layer = |index: usize| format!("decoder.layers.{index}.");
    let channels = shapes.dim(&(layer(0) + "weight"), 0)?;
    let (mut blocks, mut next) = (Vec::new(), 2);
    let outputs = loop {
        let count = (next..).take_while(|&index| shapes.has(&(layer(index) + "conv."))).count();
        blocks.push(count);
        next += count;
        // The last convolution follows blocks, the others follow an upsampling without weights.
        if shapes.has(&layer(next)) {
            break shapes.dim(&(layer(next) + "weight"), 0)?;
        }
        shapes.dim(&(layer(next + 1) + "weight"), 0)?;
        next += 2;
    };
    Ok(json!({
        "_class_name": "AutoencoderTiny",
        "act_fn": "relu",
        "decoder_block_out_channels": vec![channels; blocks.len()],
        "latent_channels": shapes.dim(&(layer(0) + "weight"), 1)?,
        "num_decoder_blocks": blocks,
        "out_channels": outputs,
        "scaling_factor": 1.0,
        "upsample_fn": "nearest",
        "upsampling_scaling_factor": 2,
    }))
}
