//! Names of the autoencoder in CompVis checkpoints, in older diffusers files and in today's.

use std::collections::BTreeSet;

use super::Renames;

const ATTENTION: [(&str, &str); 5] =
    [("norm", "group_norm"), ("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")];
const OLD_ATTENTION: [(&str, &str); 4] =
    [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")];

/// The table for an autoencoder whose CompVis names (without the checkpoint's prefix) are `names`.
pub(in crate::model::weights) fn from_original<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Renames {
    let mut renames = Renames::default();
    for convolution in ["quant_conv", "post_quant_conv"] {
        renames.add(convolution, convolution);
    }
    for half in ["encoder", "decoder"] {
        for (original, canonical) in [
            ("conv_in", "conv_in"),
            ("conv_out", "conv_out"),
            ("norm_out", "conv_norm_out"),
            ("mid.block_1", "mid_block.resnets.0"),
            ("mid.block_2", "mid_block.resnets.1"),
            ("mid.block_1.nin_shortcut", "mid_block.resnets.0.conv_shortcut"),
            ("mid.block_2.nin_shortcut", "mid_block.resnets.1.conv_shortcut"),
        ] {
            renames.add(format!("{half}.{original}"), format!("{half}.{canonical}"));
        }
        let middle = format!("{half}.mid_block.attentions.0");
        renames.add_under(&format!("{half}.mid.attn_1"), &middle, &ATTENTION);
    }
    add_levels(&mut renames, names.clone(), "encoder.down.", ("encoder.down_blocks", "down"));
    add_levels(&mut renames, names, "decoder.up.", ("decoder.up_blocks", "up"));
    renames
}

/// The resolutions of one half. The decoder's are numbered from the finest in the original, from the coarsest here.
fn add_levels<'a>(
    renames: &mut Renames,
    names: impl Iterator<Item = &'a str>,
    list: &str,
    (blocks, direction): (&str, &str),
) {
    let mut places = BTreeSet::new();
    for name in names {
        let mut parts = name.strip_prefix(list).unwrap_or_default().split('.');
        let Some(Ok(level)) = parts.next().map(str::parse::<usize>) else { continue };
        let layer =
            parts.next().filter(|&part| part == "block").and_then(|_| parts.next()?.parse::<usize>().ok());
        places.insert((level, layer));
    }
    let coarsest = places.last().map_or(0, |&(level, _)| level);
    for (level, layer) in places {
        let block = if direction == "up" { coarsest - level } else { level };
        match layer {
            Some(layer) => {
                let (original, canonical) =
                    (format!("{list}{level}.block.{layer}"), format!("{blocks}.{block}.resnets.{layer}"));
                renames.add(format!("{original}.nin_shortcut"), format!("{canonical}.conv_shortcut"));
                renames.add(original, canonical);
            }
            None => renames.add(
                format!("{list}{level}.{direction}sample.conv"),
                format!("{blocks}.{block}.{direction}samplers.0.conv"),
            ),
        }
    }
}

/// Today's name of a tensor in a diffusers file, which may be an old one.
pub(in crate::model::weights) fn from_diffusers(name: &str) -> String {
    for (old, new) in OLD_ATTENTION {
        for end in ["weight", "bias"] {
            if let Some(layer) = name.strip_suffix(&format!(".attentions.0.{old}.{end}")) {
                return format!("{layer}.attentions.0.{new}.{end}");
            }
        }
    }
    name.to_owned()
}

/// Whether a canonical name is a projection of an attention layer, which old files store as a 1×1 convolution.
pub(in crate::model::weights) fn is_attention_projection(name: &str) -> bool {
    let layer = name.strip_suffix(".weight").unwrap_or_default();
    name.contains(".attentions.")
        && ["to_q", "to_k", "to_v", "to_out.0"].iter().any(|end| layer.ends_with(end))
}
