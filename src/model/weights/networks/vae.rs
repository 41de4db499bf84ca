//! The autoencoder between pictures and latents.

use serde_json::{Value, json};

use super::network::Network;
use crate::model::weights::keys::{Keys, Naming, vae};
use crate::model::weights::shapes::Shapes;

pub(super) const NETWORK: Network = Network {
    name: "VAE",
    folder: "vae",
    class: "AutoencoderKL",
    prefixes: &["first_stage_model.", "vae."],
    naming,
    from_diffusers: |name| Some(vae::from_diffusers(name)),
    is_squeezed: vae::is_attention_projection,
    infer,
    ..Network::PLAIN
};

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    let prefix = ["first_stage_model.", "vae.", ""].into_iter().find(|prefix| {
        keys.has(&format!("{prefix}encoder.conv_in.")) || keys.has(&format!("{prefix}decoder.conv_in."))
    })?;
    let today = ["encoder.down_blocks.", "decoder.up_blocks."];
    Some(match today.iter().any(|list| keys.has(&format!("{prefix}{list}"))) {
        true => Naming::diffusers_under(prefix),
        false => Naming::comp_vis(prefix, vae::from_original(keys.under(prefix))),
    })
}

fn infer(shapes: &Shapes, _: bool) -> Result<Value, String> {
    let channels = shapes.levels("encoder.down_blocks.")?;
    let levels = channels.len();
    Ok(json!({
        "_class_name": "AutoencoderKL",
        "act_fn": "silu",
        "block_out_channels": channels,
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
        "in_channels": shapes.dim("encoder.conv_in.weight", 1)?,
        "out_channels": shapes.dim("decoder.conv_out.weight", 0)?,
        "latent_channels": shapes.dim("decoder.conv_in.weight", 1)?,
        "layers_per_block": shapes.count("encoder.down_blocks.0.resnets."),
        "mid_block_add_attention": shapes.has("decoder.mid_block.attentions."),
        "norm_num_groups": 32,
        "sample_size": 512,
        "scaling_factor": 0.18215,
        "use_quant_conv": shapes.has("quant_conv."),
        "use_post_quant_conv": shapes.has("post_quant_conv."),
    }))
}
