//! The networks of Stable Diffusion 1.x and 2.x with self-subject-attention, their text input and their weights.
//!
//! `config` describes a network; `text`, `unet`, `controlnet`, `vae` and `tiny_vae` are the networks. `clip` puts pictures and texts into
//! one space, to compare them; `subject_encoder` tells a U-Net who a picture shows, `captioner` says in words what it shows.

pub mod attention;
mod blocks;
#[cfg(feature = "train")]
pub mod captioner;
pub mod clip;
mod colours;
mod conditioning;
pub mod config;
pub mod controlnet;
pub mod dino;
mod encoder_layer;
pub mod image_encoder;
pub mod ip_adapter;
mod load;
mod on_demand;
pub mod prompt;
mod prompt_encoder;
mod scaling;
pub mod stable_diffusion;
pub mod subject_config;
pub mod subject_encoder;
pub mod text;
pub mod tiny_vae;
mod tokenizer;
mod tokenizer_files;
pub mod transformer;
pub mod unet;
pub mod vae;
pub mod vision_transformer;
pub mod weights;

pub use conditioning::Conditioning;
pub use load::{DeviceSettings, LoadOptions};
pub use prompt_encoder::{LoadedPromptEncoder, PromptEncoder};
pub use stable_diffusion::StableDiffusion;
pub use tokenizer::{Chunk, MAX_CHUNKS, Tokenizer};
