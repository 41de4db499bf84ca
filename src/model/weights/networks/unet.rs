//! The denoising U-Net of Stable Diffusion 1.x and 2.x.

use serde_json::{Value, json};

use super::network::{HEAD_CHANNELS, Network};
use crate::model::weights::keys::{Keys, Naming, unet};
use crate::model::weights::shapes::Shapes;

pub(super) const NETWORK: Network = Network {
    name: "U-Net",
    folder: "unet",
    class: "UNet2DConditionModel",
    prefixes: &[CHECKPOINT],
    naming,
    infer,
    check,
    ..Network::PLAIN
};

/// What its keys begin with in a whole checkpoint.
const CHECKPOINT: &str = "model.diffusion_model.";

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    match keys {
        keys if keys.has(CHECKPOINT) => Some(comp_vis(keys, CHECKPOINT)),
        keys if keys.has("output_blocks.") => Some(comp_vis(keys, "")),
        keys if keys.has("up_blocks.") => Some(Naming::diffusers()),
        _ => None,
    }
}

/// CompVis' naming of a U-Net, or of its copy in a ControlNet.
pub(super) fn comp_vis(keys: &Keys, prefix: &'static str) -> Naming {
    Naming::comp_vis(prefix, unet::from_original(keys.under(prefix)))
}

fn infer(shapes: &Shapes, _: bool) -> Result<Value, String> {
    let mut config = encoder(shapes)?;
    let levels = shapes.count("down_blocks.");
    let kinds = block_types(shapes, "up_blocks.", levels, ["CrossAttnUpBlock2D", "UpBlock2D"]);
    config["_class_name"] = json!("UNet2DConditionModel");
    config["out_channels"] = json!(shapes.dim("conv_out.weight", 0)?);
    config["up_block_types"] = json!(kinds);
    config["sample_size"] = json!(if shapes.has_linear_projection() { 96 } else { 64 });
    config["center_input_sample"] = json!(false);
    Ok(config)
}

/// Refuses U-Nets with additional inputs.
fn check(config: &Value) -> Result<(), String> {
    let number = |field: &str| config.get(field).and_then(Value::as_u64);
    let Some(channels) = number("in_channels") else { return Ok(()) };
    if number("out_channels").is_none_or(|outputs| outputs == channels) {
        return Ok(());
    }
    let kind = match channels {
        5 => "a depth-conditioned U-Net",
        7 => "an upscaler's U-Net",
        8 => "an instruct-pix2pix U-Net",
        9 => "an inpainting U-Net",
        _ => "a U-Net with an additional input",
    };
    Err(format!(
        "is {kind} ({channels} input channels); only plain Stable Diffusion 1.x and 2.x (4) can be used"
    ))
}

/// The configuration of a U-Net's encoder, which a ControlNet copies. What shapes do not tell is taken from the two families: SD 1.x
/// has 8 heads everywhere and 1×1 convolutions around its transformer blocks, SD 2.x has heads of 64 channels and linear layers.
pub(super) fn encoder(shapes: &Shapes) -> Result<Value, String> {
    let channels = shapes.levels("down_blocks.")?;
    let linear = shapes.has_linear_projection();
    let heads = if linear {
        json!(channels.iter().map(|channels| (channels / HEAD_CHANNELS).max(1)).collect::<Vec<_>>())
    } else {
        json!(8)
    };
    let down = block_types(shapes, "down_blocks.", channels.len(), ["CrossAttnDownBlock2D", "DownBlock2D"]);
    let middle = "mid_block.attentions.0.transformer_blocks.";
    Ok(json!({
        "_class_name": "",
        "act_fn": "silu",
        "attention_head_dim": heads,
        "block_out_channels": channels,
        "cross_attention_dim": shapes.dim(shapes.find(".attn2.to_k.weight")?, 1)?,
        "down_block_types": down,
        "downsample_padding": 1,
        "flip_sin_to_cos": true,
        "freq_shift": 0,
        "in_channels": shapes.dim("conv_in.weight", 1)?,
        "layers_per_block": shapes.count("down_blocks.0.resnets.").max(1),
        "mid_block_scale_factor": 1,
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "norm_eps": 1e-5,
        "norm_num_groups": 32,
        "transformer_layers_per_block": shapes.count(middle).max(1),
        "upcast_attention": linear,
        "use_linear_projection": linear,
    }))
}

fn block_types<'a>(
    shapes: &Shapes,
    list: &str,
    levels: usize,
    [with, without]: [&'a str; 2],
) -> Vec<&'a str> {
    let has_attention = |level| shapes.has(&format!("{list}{level}.attentions."));
    (0..levels).map(|level| if has_attention(level) { with } else { without }).collect()
}
