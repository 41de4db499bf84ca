//! CLIP's image encoder.

use serde_json::{Value, json};

use super::network::{HEAD_CHANNELS, Network};
use crate::model::weights::keys::{Keys, Naming};
use crate::model::weights::shapes::Shapes;

pub(super) const NETWORK: Network = Network {
    name: "image encoder",
    folder: "image_encoder",
    class: "CLIPVisionModel",
    is_in_clip: true,
    naming,
    from_diffusers: |name| Some(name.strip_prefix("vision_model.").unwrap_or(name).to_owned()),
    infer,
    ..Network::PLAIN
};

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    let is_there = keys.has("vision_model.") || keys.has("embeddings.patch_embedding.");
    is_there.then(Naming::diffusers)
}

fn infer(shapes: &Shapes, _: bool) -> Result<Value, String> {
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
