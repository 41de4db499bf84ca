//! Rendering: weights, references, denoising, the animator that makes one frame after the other, the journal that keeps them.

pub mod animator;
pub mod attention_maps;
pub mod clip;
pub mod deep_cache;
pub mod denoiser;
pub mod feature_store;
pub mod journal;
pub mod networks;
pub mod reference;
pub mod settings;
pub mod studio;
pub mod texts;
pub mod trajectory;
pub mod weights;
