//! CLIP's text encoder.

use serde_json::{Value, json};

use super::network::{HEAD_CHANNELS, Network};
use crate::model::weights::keys::{Keys, Naming, text};
use crate::model::weights::shapes::Shapes;

pub(super) const NETWORK: Network = Network {
    name: "text encoder",
    folder: "text_encoder",
    class: "CLIPTextModel",
    is_in_clip: true,
    prefixes: &["cond_stage_model."],
    naming,
    from_diffusers: |name| Some(name.strip_prefix("text_model.").unwrap_or(name).to_owned()),
    infer,
    ..Network::PLAIN
};

/// Width of OpenCLIP ViT-H, the text encoder of SD 2.x.
const VIT_H_WIDTH: usize = 1024;

fn naming(keys: &Keys, layers: Option<usize>) -> Option<Naming> {
    const TRANSFORMERS: &str = "cond_stage_model.transformer.";
    const OPEN_CLIP: &str = "cond_stage_model.model.";
    let open_clip = |prefix| Naming::open_clip(prefix, text::from_open_clip(keys.under(prefix), layers));
    match keys {
        keys if keys.has(TRANSFORMERS) => Some(Naming::diffusers_under(TRANSFORMERS)),
        keys if keys.has(OPEN_CLIP) => Some(open_clip(OPEN_CLIP)),
        keys if keys.has("transformer.resblocks.") => Some(open_clip("")),
        keys if keys.has("text_model.") || keys.has("embeddings.token_embedding.") => {
            Some(Naming::diffusers())
        }
        _ => None,
    }
}

fn infer(shapes: &Shapes, open_clip: bool) -> Result<Value, String> {
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
