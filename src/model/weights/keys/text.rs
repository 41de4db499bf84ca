//! Names of the text encoder in OpenCLIP checkpoints (SD 2.x) and in transformers.

use std::collections::BTreeSet;

use super::Renames;

const LAYER: [(&str, &str); 6] = [
    ("ln_1", "layer_norm1"),
    ("ln_2", "layer_norm2"),
    ("mlp.c_fc", "mlp.fc1"),
    ("mlp.c_proj", "mlp.fc2"),
    ("attn.out_proj", "self_attn.out_proj"),
    // Holds query, key and value in one tensor; split when the entry is made.
    ("attn", "self_attn"),
];
/// Layers of OpenCLIP ViT-H, the text encoder of SD 2.x.
const VIT_H_LAYERS: usize = 24;

/// The table for an OpenCLIP text encoder whose names are `names`. SD 2.x reads the last layer but one, so that
/// diffusers leaves the last out; `layers` says how many are kept where a configuration is known.
pub(in crate::model::weights) fn from_open_clip<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    layers: Option<usize>,
) -> Renames {
    let blocks: BTreeSet<usize> = names
        .clone()
        .filter_map(|name| name.strip_prefix("transformer.resblocks.")?.split('.').next()?.parse().ok())
        .collect();
    // A checkpoint written back from diffusers has lost the last layer already, and with it the projection.
    let whole = blocks.len() == VIT_H_LAYERS || names.clone().any(|name| name == "text_projection");
    let kept = layers.unwrap_or(blocks.len().saturating_sub(usize::from(whole)));
    let mut renames = Renames::default();
    for (original, canonical) in [
        ("token_embedding", "embeddings.token_embedding"),
        ("positional_embedding", "embeddings.position_embedding.weight"),
        ("ln_final", "final_layer_norm"),
    ] {
        renames.add(original, canonical);
    }
    for &block in blocks.iter().take(kept) {
        let (original, canonical) =
            (format!("transformer.resblocks.{block}"), format!("encoder.layers.{block}"));
        renames.add_under(&original, &canonical, &LAYER);
    }
    renames
}
