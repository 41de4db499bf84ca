//! Which naming a file uses for one of its parts.

use super::Renames;

/// The keys of a file.
pub(crate) struct Keys<'a>(Vec<&'a str>);

impl<'a> Keys<'a> {
    /// These keys.
    pub fn new(keys: impl Iterator<Item = &'a str>) -> Self {
        Self(keys.collect())
    }

    /// Whether one begins with `start`.
    pub fn has(&self, start: &str) -> bool {
        self.0.iter().any(|key| key.starts_with(start))
    }

    /// What follows `prefix` in those that begin with it.
    pub fn under<'b>(&'b self, prefix: &'b str) -> impl Iterator<Item = &'a str> + Clone + 'b {
        self.0.iter().filter_map(move |key| key.strip_prefix(prefix))
    }
}

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
    /// diffusers' or transformers' naming of a file that holds nothing but one part.
    pub fn diffusers() -> Self {
        Self::diffusers_under("")
    }

    /// diffusers' or transformers' naming.
    pub fn diffusers_under(prefix: &'static str) -> Self {
        Self { prefix, style: Style::Diffusers }
    }

    /// CompVis' naming.
    pub fn comp_vis(prefix: &'static str, renames: Renames) -> Self {
        Self { prefix, style: Style::CompVis(renames) }
    }

    /// OpenCLIP's naming.
    pub fn open_clip(prefix: &'static str, renames: Renames) -> Self {
        Self { prefix, style: Style::OpenClip(renames) }
    }

    /// The canonical name of a key; `None` if the key has no place in the network. `from_diffusers` reads names that diffusers
    /// or transformers have given.
    pub fn canonical(&self, key: &str, from_diffusers: fn(&str) -> Option<String>) -> Option<String> {
        let name = key.strip_prefix(self.prefix)?;
        match &self.style {
            Style::CompVis(renames) | Style::OpenClip(renames) => renames.to_canonical(name),
            Style::Diffusers => from_diffusers(name),
        }
    }

    /// Whether the text encoder comes from OpenCLIP.
    pub fn is_open_clip(&self) -> bool {
        matches!(self.style, Style::OpenClip(_))
    }
}

/// The family of a model that is not Stable Diffusion 1.x or 2.x, if the keys of a file betray one.
pub(crate) fn foreign_family(keys: &Keys) -> Option<&'static str> {
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
    signs.into_iter().find(|(sign, _)| keys.has(sign)).map(|(_, family)| family)
}

/// Whether a tensor without a place in any network is nothing to speak of. Such are buffers, averages kept for
/// training, the schedule, and the parts of CLIP that Stable Diffusion does not use.
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
