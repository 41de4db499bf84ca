//! The networks of Stable Diffusion 1.x and 2.x with self-subject-attention, and the loading of their weights.
//!
//! `config` describes a network; `unet`, `controlnet`, `vae` and `text` are the networks.

pub mod attention;
pub mod blocks;
pub mod config;
pub mod controlnet;
pub mod text;
pub mod tokenizer;
pub mod transformer;
pub mod unet;
pub mod vae;
