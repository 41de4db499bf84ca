//! The keys of LoRA files: which weight they change, and which piece of the change they hold.

use std::fmt;

use super::networks::Part;

/// How a LoRA file names its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraNaming {
    /// `lora_unet_down_blocks_0_….lora_down.weight`, with diffusers' or CompVis' names of blocks.
    Kohya,
    /// `unet.down_blocks.0.….to_q.lora_A.weight`.
    Peft,
    /// `unet.down_blocks.0.….to_q_lora.down.weight`, `….lora_linear_layer.down.weight`.
    Diffusers,
}

impl fmt::Display for LoraNaming {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Kohya => "kohya",
            Self::Peft => "diffusers/PEFT",
            Self::Diffusers => "diffusers before PEFT",
        })
    }
}

/// Which piece of a layer's change a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Down,
    Up,
    Mid,
    Alpha,
}

/// A key, taken apart.
pub(super) struct ParsedKey {
    pub part: Part,
    /// The changed layer: its canonical name, or (kohya) a name with underscores for dots.
    pub target: String,
    pub piece: Piece,
    pub naming: LoraNaming,
}

/// Takes a key apart; `None` if it is not one of a LoRA for Stable Diffusion 1.x or 2.x.
pub(super) fn parse_key(key: &str) -> Option<ParsedKey> {
    kohya(key).or_else(|| dotted(key))
}

fn kohya(key: &str) -> Option<ParsedKey> {
    const PREFIXES: [(&str, Part); 3] =
        [("lora_unet_", Part::Unet), ("lora_te_", Part::TextEncoder), ("lora_te1_", Part::TextEncoder)];
    let (module, piece) = key.split_once('.')?;
    let (part, target) =
        PREFIXES.iter().find_map(|(prefix, part)| Some((*part, module.strip_prefix(prefix)?)))?;
    let piece = match piece {
        "lora_down.weight" | "lora_A.weight" => Piece::Down,
        "lora_up.weight" | "lora_B.weight" => Piece::Up,
        "lora_mid.weight" => Piece::Mid,
        "alpha" => Piece::Alpha,
        _ => return None,
    };
    let target = target.strip_prefix("text_model_").unwrap_or(target).to_owned();
    Some(ParsedKey { part, target, piece, naming: LoraNaming::Kohya })
}

fn dotted(key: &str) -> Option<ParsedKey> {
    let (module, piece, naming) = split_piece(key)?;
    let module = module.strip_prefix("base_model.model.").unwrap_or(&module);
    let (part, target) = if let Some(target) = module.strip_prefix("unet.") {
        (Part::Unet, target)
    } else if let Some(target) = module.strip_prefix("text_encoder.") {
        (Part::TextEncoder, target)
    } else if module.starts_with("text_model.") || module.starts_with("encoder.layers.") {
        (Part::TextEncoder, module)
    } else if ["down_blocks.", "mid_block.", "up_blocks."].iter().any(|list| module.starts_with(list)) {
        (Part::Unet, module)
    } else {
        return None;
    };
    let target = target.strip_prefix("text_model.").unwrap_or(target).replace(".processor.", ".");
    Some(ParsedKey { part, target: old_projection(part, target), piece, naming })
}

/// The layer, the piece and the naming of a dotted key.
fn split_piece(key: &str) -> Option<(String, Piece, LoraNaming)> {
    const ENDS: [(&str, Piece, LoraNaming); 7] = [
        (".lora_linear_layer.down.weight", Piece::Down, LoraNaming::Diffusers),
        (".lora_linear_layer.up.weight", Piece::Up, LoraNaming::Diffusers),
        (".lora.down.weight", Piece::Down, LoraNaming::Diffusers),
        (".lora.up.weight", Piece::Up, LoraNaming::Diffusers),
        ("_lora.down.weight", Piece::Down, LoraNaming::Diffusers),
        ("_lora.up.weight", Piece::Up, LoraNaming::Diffusers),
        (".alpha", Piece::Alpha, LoraNaming::Peft),
    ];
    for (letter, piece) in [(".lora_A.", Piece::Down), (".lora_B.", Piece::Up)] {
        // An adapter's name may stand before `weight`.
        if let Some((module, end)) = key.rsplit_once(letter)
            && (end == "weight" || end.strip_suffix(".weight").is_some_and(|adapter| !adapter.contains('.')))
        {
            return Some((module.to_owned(), piece, LoraNaming::Peft));
        }
    }
    ENDS.iter().find_map(|&(end, piece, naming)| Some((key.strip_suffix(end)?.to_owned(), piece, naming)))
}

/// Before PEFT the attention processors named the projections `to_q`, …, `to_out`, also in the text encoder.
fn old_projection(part: Part, target: String) -> String {
    let ends = match part {
        Part::TextEncoder => {
            [(".to_q", ".q_proj"), (".to_k", ".k_proj"), (".to_v", ".v_proj"), (".to_out", ".out_proj")]
        }
        _ => [(".to_q", ".to_q"), (".to_k", ".to_k"), (".to_v", ".to_v"), (".to_out", ".to_out.0")],
    };
    let renamed = ends.iter().find_map(|(old, new)| Some(format!("{}{new}", target.strip_suffix(old)?)));
    renamed.unwrap_or(target)
}

/// A kind of change that is not a plain product of two matrices, or a LoRA of another family, with the keys that
/// show it.
pub(super) fn unsupported_kind<'a>(
    keys: impl Iterator<Item = &'a String> + Clone,
) -> Option<(&'static str, Vec<String>)> {
    const SIGNS: [(&str, &str); 13] = [
        (".dora_scale", "a DoRA"),
        ("lora_magnitude_vector", "a DoRA"),
        (".hada_w", "a LoHa"),
        (".lokr_w", "a LoKr"),
        (".lokr_t", "a LoKr"),
        (".oft_", "an OFT"),
        (".boft_", "a BOFT"),
        (".on_input", "an IA³"),
        (".a1.weight", "a GLoRA"),
        ("lora_te2_", "a LoRA of SDXL"),
        ("text_encoder_2.", "a LoRA of SDXL"),
        ("lora_transformer_", "a LoRA of a diffusion transformer"),
        ("transformer.", "a LoRA of a diffusion transformer"),
    ];
    SIGNS.iter().find_map(|&(sign, kind)| {
        let shows =
            |key: &&String| if sign.starts_with('.') { key.contains(sign) } else { key.starts_with(sign) };
        let magnitude = |key: &&String| sign == "lora_magnitude_vector" && key.contains(sign);
        let found: Vec<_> = keys.clone().filter(|key| shows(key) || magnitude(key)).cloned().collect();
        (!found.is_empty()).then_some((kind, found))
    })
}
