//! The names of a vision transformer's tensors: those of CLIP's image encoder, whose layers it shares.

/// What stands in the name of a layer in transformers, and here.
const LAYER: [(&str, &str); 8] = [
    ("layernorm_before", "layer_norm1"),
    ("layernorm_after", "layer_norm2"),
    ("attention.attention.query", "self_attn.q_proj"),
    ("attention.attention.key", "self_attn.k_proj"),
    ("attention.attention.value", "self_attn.v_proj"),
    ("attention.output.dense", "self_attn.out_proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
];

/// The name of a tensor of `ViTModel`, which may be a part of a larger model; `None` for what stands behind the last norm.
pub(in crate::model::weights) fn from_transformers(name: &str) -> Option<String> {
    let name = name.strip_prefix("vit.").unwrap_or(name);
    if name.starts_with("embeddings.") || name.starts_with("layernorm.") {
        return Some(name.to_owned());
    }
    let (layer, rest) = name.strip_prefix("encoder.layer.")?.split_once('.')?;
    let (end, new) =
        LAYER.iter().find_map(|(old, new)| Some((rest.strip_prefix(old)?.strip_prefix('.')?, new)))?;
    Some(format!("encoder.layers.{layer}.{new}.{end}"))
}
