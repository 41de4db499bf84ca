//! DreamTuner's subject encoder, or an IP-Adapter.

use serde_json::{Value, json};

use super::network::{HEAD_CHANNELS, Network};
use crate::model::weights::keys::{Keys, Naming};
use crate::model::weights::shapes::Shapes;

pub(super) const NETWORK: Network = Network {
    name: "subject encoder",
    folder: "subject_encoder",
    class: "SubjectEncoder",
    naming,
    infer,
    ..Network::PLAIN
};

fn naming(keys: &Keys, _: Option<usize>) -> Option<Naming> {
    let own = keys.has("blocks.0.conv1.") && keys.has("unet.");
    let adapter = keys.has("image_proj.") && keys.has("ip_adapter.");
    (own || adapter).then(Naming::diffusers)
}

/// An IP-Adapter's sizes: an encoder of our own has a `config.json`.
fn infer(shapes: &Shapes, _: bool) -> Result<Value, String> {
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
