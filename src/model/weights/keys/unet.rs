//! Names of U-Net and ControlNet in CompVis checkpoints and in diffusers.
//!
//! CompVis numbers its blocks through: `input_blocks.0` is the first convolution, then come, for each resolution,
//! its layers and one downsampler; `output_blocks` has one more layer for each resolution, the last of which carries
//! the upsampler. So the number of layers has to be known before a name can be read.

use std::collections::BTreeSet;

use super::Renames;

const RESNET: [(&str, &str); 6] = [
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "conv_shortcut"),
];

/// The table for a network whose CompVis names (without the checkpoint's prefix) are `names`.
pub(in crate::model::weights) fn from_original<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Renames {
    let index = |name: &str, list: &str| name.strip_prefix(list)?.split('.').next()?.parse::<usize>().ok();
    let indices = |list: &'static str| -> BTreeSet<usize> {
        names.clone().filter_map(|name| index(name, list)).collect()
    };
    let inputs = indices("input_blocks.");
    let downsampler = names.clone().filter(|name| name.ends_with(".0.op.weight"));
    // Without a downsampler there is one resolution, and all layers are its own.
    let layers =
        downsampler.filter_map(|name| index(name, "input_blocks.")).min().map(|first| first.max(1) - 1);
    let layers = layers.unwrap_or_else(|| inputs.last().copied().unwrap_or(0));
    let mut renames = table(layers, &inputs, &indices("output_blocks."));
    for place in indices("zero_convs.") {
        renames.add(format!("zero_convs.{place}.0"), format!("controlnet_down_blocks.{place}"));
    }
    add_hints(&mut renames, &indices("input_hint_block."));
    renames
}

/// The table for a network whose canonical names are `names`.
pub(in crate::model::weights) fn from_canonical<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Renames {
    let count = |list: &str, inner: &str| {
        let numbers = names.clone().filter_map(|name| {
            let (block, rest) = name.strip_prefix(list)?.split_once('.')?;
            let number =
                if inner.is_empty() { block } else { rest.strip_prefix(inner)?.split('.').next()? };
            number.parse::<usize>().ok()
        });
        numbers.collect::<BTreeSet<usize>>().len()
    };
    let layers = count("down_blocks.", "resnets.");
    let inputs = (0..count("down_blocks.", "") * (layers + 1)).collect();
    let outputs = (0..count("up_blocks.", "") * (layers + 1)).collect();
    table(layers, &inputs, &outputs)
}

/// The table for `layers` layers a resolution and the numbers of blocks that occur.
fn table(layers: usize, inputs: &BTreeSet<usize>, outputs: &BTreeSet<usize>) -> Renames {
    let mut renames = Renames::default();
    for (original, canonical) in [
        ("time_embed.0", "time_embedding.linear_1"),
        ("time_embed.2", "time_embedding.linear_2"),
        ("input_blocks.0.0", "conv_in"),
        ("out.0", "conv_norm_out"),
        ("out.2", "conv_out"),
        ("middle_block.1", "mid_block.attentions.0"),
        ("middle_block_out.0", "controlnet_mid_block"),
    ] {
        renames.add(original, canonical);
    }
    renames.add_under("middle_block.0", "mid_block.resnets.0", &RESNET);
    renames.add_under("middle_block.2", "mid_block.resnets.1", &RESNET);
    let stride = layers.saturating_add(1);
    for &input in inputs {
        let Some(place) = input.checked_sub(1) else { continue };
        let (block, layer) = (place / stride, place % stride);
        let (original, canonical) = (format!("input_blocks.{input}"), format!("down_blocks.{block}"));
        if layer == layers {
            renames.add(format!("{original}.0.op"), format!("{canonical}.downsamplers.0.conv"));
        } else {
            let resnet = format!("{canonical}.resnets.{layer}");
            renames.add_under(&format!("{original}.0"), &resnet, &RESNET);
            renames.add(format!("{original}.1"), format!("{canonical}.attentions.{layer}"));
        }
    }
    for &output in outputs {
        let (block, layer) = (output / stride, output % stride);
        let (original, canonical) = (format!("output_blocks.{output}"), format!("up_blocks.{block}"));
        renames.add_under(&format!("{original}.0"), &format!("{canonical}.resnets.{layer}"), &RESNET);
        renames.add(format!("{original}.1"), format!("{canonical}.attentions.{layer}"));
        if layer == layers {
            // The upsampler comes second where the layer has no attention.
            for place in [1, 2] {
                renames.add(format!("{original}.{place}.conv"), format!("{canonical}.upsamplers.0.conv"));
            }
        }
    }
    renames
}

/// The control image's convolutions: every second place, an activation between each.
fn add_hints(renames: &mut Renames, hints: &BTreeSet<usize>) {
    let last = hints.last().copied().unwrap_or(0);
    for &place in hints {
        let name = match place {
            0 => "conv_in".to_owned(),
            _ if place == last => "conv_out".to_owned(),
            _ => format!("blocks.{}", (place / 2).saturating_sub(1)),
        };
        renames.add(format!("input_hint_block.{place}"), format!("controlnet_cond_embedding.{name}"));
    }
}
