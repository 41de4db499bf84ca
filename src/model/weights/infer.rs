//! The `config.json` that diffusers would write for a network, read off the shapes of its tensors.
//!
//! What shapes do not tell is taken from the two families: SD 1.x has 8 heads everywhere and 1×1 convolutions around
//! its transformer blocks, SD 2.x has heads of 64 channels and linear layers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::part::{Entry, Part};

/// Channels of one attention head in SD 2.x and in CLIP.
const HEAD_CHANNELS: usize = 64;
/// Width of OpenCLIP ViT-H, the text encoder of SD 2.x.
const VIT_H_WIDTH: usize = 1024;

/// Shapes by canonical name.
pub(super) struct Shapes<'a>(pub &'a BTreeMap<String, Entry>);

impl Shapes<'_> {
    /// Size along `axis`, or the problem that the tensor is missing.
    fn dim(&self, name: &str, axis: usize) -> Result<usize, String> {
        let entry = self.0.get(name).ok_or_else(|| format!("{name} is missing, so the sizes are unknown"))?;
        let size = entry.shape.get(axis).copied();
        size.ok_or_else(|| format!("{name} has the shape {:?}, which has no dimension {axis}", entry.shape))
    }

    fn has(&self, prefix: &str) -> bool {
        let next = self.0.range(prefix.to_owned()..).next();
        next.is_some_and(|(name, _)| name.starts_with(prefix))
    }

    /// How many of `{list}0.`, `{list}1.`, … there are.
    fn count(&self, list: &str) -> usize {
        (0..).take_while(|index| self.has(&format!("{list}{index}."))).count()
    }

    fn find(&self, end: &str) -> Result<&str, String> {
        let name = self.0.keys().find(|name| name.ends_with(end));
        name.map(String::as_str).ok_or_else(|| format!("no tensor called *{end}, so the sizes are unknown"))
    }

    /// Whether the transformer blocks sit between linear layers, as in SD 2.x.
    pub fn has_linear_projection(&self) -> bool {
        let projection = self.find(".proj_in.weight").ok().and_then(|name| self.0.get(name));
        projection.is_some_and(|entry| entry.shape.len() == 2)
    }

    /// Output channels of the first ResNet block of each resolution.
    fn levels(&self, list: &str) -> Result<Vec<usize>, String> {
        let levels = self.count(list).max(1);
        (0..levels).map(|level| self.dim(&format!("{list}{level}.resnets.0.conv1.weight"), 0)).collect()
    }
}

/// The configuration of `part`; the problem in words where a needed tensor is missing.
pub(super) fn config(part: Part, shapes: &Shapes, open_clip: bool) -> Result<Value, String> {
    match part {
        Part::Unet => unet(shapes),
        Part::ControlNet => controlnet(shapes),
        Part::Vae => vae(shapes),
        Part::TinyVae => tiny_vae(shapes),
        Part::TextEncoder => text_encoder(shapes, open_clip),
        Part::ImageEncoder => image_encoder(shapes),
        Part::VisionTransformer => Err("its config.json is needed".into()),
        Part::SubjectEncoder => subject_encoder(shapes),
    }
}

fn unet(shapes: &Shapes) -> Result<Value, String> {
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

fn controlnet(shapes: &Shapes) -> Result<Value, String> {
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

/// An IP-Adapter's sizes: an encoder of our own has a `config.json`.
fn subject_encoder(shapes: &Shapes) -> Result<Value, String> {
    const FIRST: &str = "image_proj.layers.0.";
    if !shapes.has("image_proj.") {
        return Err("needs its config.json, which says what it looks at".into());
    }
    let adapter = if shapes.has(FIRST) {
        json!({
            "tokens": shapes.dim("image_proj.latents", 1)?,
            "image_width": shapes.dim("image_proj.proj_in.weight", 1)?,
            "context_width": shapes.dim("image_proj.proj_out.weight", 0)?,
            "layers": shapes.count("image_proj.layers."),
            "width": shapes.dim("image_proj.latents", 2)?,
            "heads": shapes.dim(&format!("{FIRST}0.to_q.weight"), 0)? / HEAD_CHANNELS,
            "inner_width": shapes.dim(&format!("{FIRST}1.1.weight"), 0)?,
        })
    } else {
        let (width, outputs) =
            (shapes.dim("image_proj.norm.weight", 0)?.max(1), shapes.dim("image_proj.proj.weight", 0)?);
        json!({
            "tokens": outputs / width,
            "image_width": shapes.dim("image_proj.proj.weight", 1)?,
            "context_width": width,
            "layers": 0,
            "width": 0,
            "heads": 0,
            "inner_width": 0,
        })
    };
    Ok(json!({"_class_name": "SubjectEncoder", "ip_adapter": adapter}))
}

/// What U-Net and ControlNet share.
fn encoder(shapes: &Shapes) -> Result<Value, String> {
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

fn vae(shapes: &Shapes) -> Result<Value, String> {
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

fn tiny_vae(shapes: &Shapes) -> Result<Value, String> {
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

fn text_encoder(shapes: &Shapes, open_clip: bool) -> Result<Value, String> {
    let words = shapes.dim("embeddings.token_embedding.weight", 0)?;
    let width = shapes.dim("embeddings.token_embedding.weight", 1)?;
    let activation = if open_clip || width == VIT_H_WIDTH { "gelu" } else { "quick_gelu" };
    Ok(json!({
        "architectures": ["CLIPTextModel"],
        "model_type": "clip_text_model",
        "bos_token_id": words.saturating_sub(2),
        "eos_token_id": words.saturating_sub(1),
        "hidden_act": activation,
        "hidden_size": width,
        "intermediate_size": shapes.dim("encoder.layers.0.mlp.fc1.weight", 0)?,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": shapes.dim("embeddings.position_embedding.weight", 0)?,
        "num_attention_heads": (width / HEAD_CHANNELS).max(1),
        "num_hidden_layers": shapes.count("encoder.layers."),
        "vocab_size": words,
    }))
}

fn image_encoder(shapes: &Shapes) -> Result<Value, String> {
    let width = shapes.dim("embeddings.class_embedding", 0)?;
    let patch = shapes.dim("embeddings.patch_embedding.weight", 2)?;
    // One position for each patch of a square picture, and one for the class token.
    let patches = shapes.dim("embeddings.position_embedding.weight", 0)?.saturating_sub(1);
    Ok(json!({
        "architectures": ["CLIPVisionModelWithProjection"],
        "model_type": "clip_vision_model",
        "hidden_act": "quick_gelu",
        "hidden_size": width,
        "image_size": patches.isqrt().saturating_mul(patch),
        "intermediate_size": shapes.dim("encoder.layers.0.mlp.fc1.weight", 0)?,
        "layer_norm_eps": 1e-5,
        "num_attention_heads": (width / HEAD_CHANNELS).max(1),
        "num_hidden_layers": shapes.count("encoder.layers."),
        "patch_size": patch,
        "projection_dim": shapes.dim("visual_projection.weight", 0)?,
    }))
}
