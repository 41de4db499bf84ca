//! The names of tensors: from the namings that occur in files to the canonical one, which is that of diffusers and
//! transformers today (VAE attention `to_q`, text encoder without `text_model.`).

mod naming;
mod renames;
pub(super) mod text;
pub(super) mod tiny_vae;
pub(super) mod unet;
pub(super) mod vae;
pub(super) mod vision_transformer;

pub(super) use naming::{Keys, Naming, foreign_family, is_harmless};
pub(crate) use renames::Renames;

/// The CompVis names of a U-Net whose canonical names are `names`, for LoRA files that use them.
pub(super) fn unet_originals<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Renames {
    unet::from_canonical(names)
}
