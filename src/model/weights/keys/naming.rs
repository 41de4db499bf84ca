//! Which naming a file uses for one of its parts.

use super::{Renames, text, tiny_vae, unet, vae, vision_transformer};
use crate::model::weights::Part;

/// The naming of one part within a file: the prefix that its keys carry, and how the rest is read.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    /// What every key of the part begins with.
    pub prefix: &'static str,
    /// How the names after the prefix are read.
    pub style: Style,
}

/// How names are read.
#[derive(Debug, Clone)]
pub(crate) enum Style {
    /// diffusers or transformers, of any age.
    Diffusers,
    /// CompVis, and with it A1111.
    CompVis(Renames),
    /// OpenCLIP, for the text encoder of SD 2.x.
    OpenClip(Renames),
}

impl Naming {
    /// The naming of a file that holds nothing but one part, as diffusers writes it.
    pub fn diffusers() -> Self {
        Self { prefix: "", style: Style::Diffusers }
    }

    /// Finds `part` among the keys of a file. `layers` is the number of the text encoder's layers where a
    /// configuration states it. `None` if the file does not hold that part.
    pub fn detect<'a>(
        part: Part,
        keys: impl Iterator<Item = &'a str> + Clone,
        layers: Option<usize>,
    ) -> Option<Self> {
        let has = |start: &str| keys.clone().any(|key| key.starts_with(start));
        let under = |prefix: &'static str| keys.clone().filter_map(move |key| key.strip_prefix(prefix));
        let comp_vis = |prefix: &'static str| {
            let renames = match part {
                Part::Vae => vae::from_original(under(prefix)),
                Part::TinyVae => tiny_vae::from_original(under(prefix)),
                _ => unet::from_original(under(prefix)),
            };
            Some(Self { prefix, style: Style::CompVis(renames) })
        };
        let open_clip = |prefix: &'static str| {
            Some(Self { prefix, style: Style::OpenClip(text::from_open_clip(under(prefix), layers)) })
        };
        let diffusers = |prefix| Some(Self { prefix, style: Style::Diffusers });
        match part {
            Part::Unet if has("model.diffusion_model.") => comp_vis("model.diffusion_model."),
            Part::Unet if has("output_blocks.") => comp_vis(""),
            Part::Unet if has("up_blocks.") => diffusers(""),
            Part::ControlNet if has("control_model.") => comp_vis("control_model."),
            Part::ControlNet if has("input_hint_block.") => comp_vis(""),
            Part::ControlNet if has("controlnet_cond_embedding.") => diffusers(""),
            Part::Vae => {
                let prefix = ["first_stage_model.", "vae.", ""].into_iter().find(|prefix| {
                    has(&format!("{prefix}encoder.conv_in.")) || has(&format!("{prefix}decoder.conv_in."))
                })?;
                let today = ["encoder.down_blocks.", "decoder.up_blocks."];
                if today.iter().any(|list| has(&format!("{prefix}{list}"))) {
                    diffusers(prefix)
                } else {
                    comp_vis(prefix)
                }
            }
            Part::TinyVae if has("decoder.layers.0.") => diffusers(""),
            Part::TinyVae => {
                let numbered = |prefix: &&str| {
                    let layer = |end: &str| has(&format!("{prefix}{end}"));
                    !layer("0.") && layer("1.weight") && layer("3.conv.0.weight")
                };
                comp_vis(["", "decoder."].into_iter().find(numbered)?)
            }
            Part::TextEncoder if has("cond_stage_model.transformer.") => {
                diffusers("cond_stage_model.transformer.")
            }
            Part::TextEncoder if has("cond_stage_model.model.") => open_clip("cond_stage_model.model."),
            Part::TextEncoder if has("transformer.resblocks.") => open_clip(""),
            Part::TextEncoder if has("text_model.") || has("embeddings.token_embedding.") => diffusers(""),
            Part::ImageEncoder if has("vision_model.") || has("embeddings.patch_embedding.") => diffusers(""),
            Part::VisionTransformer
                if ["", "vit."].iter().any(|prefix| has(&format!("{prefix}encoder.layer.0.attention."))) =>
            {
                diffusers("")
            }
            Part::SubjectEncoder if has("blocks.0.conv1.") && has("unet.") => diffusers(""),
            Part::SubjectEncoder if has("image_proj.") && has("ip_adapter.") => diffusers(""),
            _ => None,
        }
    }

    /// The canonical name of a key of `part`; `None` if the key has no place in the network.
    pub fn canonical(&self, part: Part, key: &str) -> Option<String> {
        let name = key.strip_prefix(self.prefix)?;
        match (&self.style, part) {
            (Style::CompVis(renames) | Style::OpenClip(renames), _) => renames.to_canonical(name),
            (Style::Diffusers, Part::Vae) => Some(vae::from_diffusers(name)),
            (Style::Diffusers, Part::TinyVae) if name.starts_with("encoder.") => None,
            (Style::Diffusers, Part::TextEncoder) => {
                Some(name.strip_prefix("text_model.").unwrap_or(name).to_owned())
            }
            (Style::Diffusers, Part::ImageEncoder) => {
                Some(name.strip_prefix("vision_model.").unwrap_or(name).to_owned())
            }
            (Style::Diffusers, Part::VisionTransformer) => vision_transformer::from_transformers(name),
            (Style::Diffusers, _) => Some(name.to_owned()),
        }
    }

    /// Whether the file stores this part's `name` as a 1×1 convolution where a linear layer is meant.
    pub fn may_squeeze(part: Part, name: &str) -> bool {
        part == Part::Vae && vae::is_attention_projection(name)
    }

    /// Whether the text encoder comes from OpenCLIP.
    pub fn is_open_clip(&self) -> bool {
        matches!(self.style, Style::OpenClip(_))
    }
}

/// The family of a model that is not Stable Diffusion 1.x or 2.x, if the keys of a file betray one.
pub(crate) fn foreign_family<'a>(keys: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    let signs = [
        ("conditioner.embedders.", "SDXL"),
        ("model.diffusion_model.label_emb.", "SDXL"),
        ("label_emb.", "SDXL"),
        ("add_embedding.", "SDXL"),
        ("control_model.label_emb.", "SDXL"),
        ("class_embedding.", "a class-conditional model"),
        ("model.diffusion_model.joint_blocks.", "Stable Diffusion 3"),
        ("model.diffusion_model.double_blocks.", "Flux"),
        ("double_blocks.", "Flux"),
        ("joint_blocks.", "Stable Diffusion 3"),
        ("transformer_blocks.", "a diffusion transformer"),
        ("down_blocks.0.motion_modules.", "AnimateDiff"),
        ("lllite_", "ControlNet-LLLite"),
        ("lora_controlnet", "Control-LoRA"),
        ("body.0.block1.", "T2I-Adapter"),
    ];
    signs
        .into_iter()
        .find(|(sign, _)| keys.clone().any(|key| key.starts_with(sign)))
        .map(|(_, family)| family)
}

/// Whether a tensor without a place in any network is nothing to speak of: buffers, averages kept for training, the
/// schedule, and the parts of CLIP that Stable Diffusion does not use.
pub(crate) fn is_harmless(key: &str) -> bool {
    const STARTS: [&str; 14] = [
        "model_ema.",
        "alphas_cumprod",
        "betas",
        "log_one_minus_alphas_cumprod",
        "sqrt_",
        "posterior_",
        "lvlb_weights",
        "logvar",
        "global_step",
        "denoiser.",
        "first_stage_model.loss.",
        "loss.",
        "vision_model.",
        "visual_projection",
    ];
    const ENDS: [&str; 9] = [
        "position_ids",
        "logit_scale",
        "num_batches_tracked",
        "text_projection",
        "text_projection.weight",
        "attn_mask",
        "v_pred",
        "ztsnr",
        "scale_factor",
    ];
    let name = key.strip_prefix("cond_stage_model.").unwrap_or(key);
    STARTS.iter().any(|start| name.starts_with(start)) || ENDS.iter().any(|end| name.ends_with(end))
}
