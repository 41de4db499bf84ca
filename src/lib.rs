//! dreamtuner turns one picture of a character and a dance into an animation: Stable Diffusion, guided by ControlNet, with
//! DreamTuner's self-subject-attention (S-S-A, [arXiv 2312.13691](https://arxiv.org/abs/2312.13691)) over the reference and
//! over the previous frame.
//!
//! # The life of one frame
//!
//! 1. [`pose`] and [`video`] give a control image: a skeleton drawn from a pose file, or a frame of a skeleton video. In an
//!    ordinary video, [`detect`] finds the dancer's joints, and [`inputs::extract`] makes a sequence of poses of them, which
//!    [`pose::retarget`] gives to the reference's body.
//! 2. [`render::animator`] embeds it for each ControlNet ([`model::controlnet`]).
//! 3. [`diffusion`] takes a noisy latent through the sampler's steps, and asks the denoiser at each.
//! 4. [`render::denoiser`] makes the passes that [`diffusion::Guidance`] wants. Before a pass, each reference
//!    ([`render::reference`]) gives what the U-Net's self-attention layers attend to: the reference picture's features are
//!    computed once a clip and kept ([`render::feature_store`]), the previous frame's anew.
//! 5. [`model::unet`] predicts the noise; its self-attention ([`model::attention`]) sees itself and the references.
//! 6. [`model::vae`] decodes the latent into a picture, [`frame`].
//! 7. [`render::journal`] keeps picture and latent on disk; a render that was cut off goes on from there.
//! 8. [`video`] encodes the picture into the clip, and copies the sound of the dance beside it.
//!
//! [`animate`] does all of this from files to files; the `dreamtuner` program is a thin layer over it.
//!
//! # Layers
//!
//! Modules use only modules of the lines before their own; a test sees to it (`tests/library/layers.rs`).
//!
//! 1. [`error`], `plan`, `random`: what everything stands on
//! 2. [`frame`], [`interrupt`], [`mask`], [`threads`]
//! 3. [`files`], [`picture`]: files of others are read, pictures laid side by side
//! 4. [`model`], [`diffusion`], [`outputs`]: the networks, the samplers, and files that appear whole or not at all
//! 5. [`pose`], [`render`], [`video`]
//! 6. [`detect`], [`puppet`], [`train`]
//! 7. [`inputs`]: reference, dance, sizes
//! 8. [`animate`], [`still`]
//! 9. [`evaluate`]; then the program
//!
//! The kernels that networks run on are a crate of their own, `dreamtuner-kernels`.
//!
//! Without the feature `video` the library needs no FFmpeg: pictures in, pictures out, by
//! [`Animator`](render::animator::Animator).

#![warn(clippy::disallowed_methods)]

#[cfg(feature = "video")]
pub mod animate;
pub mod detect;
pub mod diffusion;
pub mod error;
#[cfg(feature = "evaluate")]
pub mod evaluate;
pub mod files;
pub mod frame;
#[cfg(feature = "video")]
pub mod inputs;
pub mod interrupt;
#[cfg(feature = "video")]
mod kept;
pub mod mask;
mod memory;
pub mod model;
pub mod outputs;
pub mod picture;
mod plan;
pub mod pose;
pub mod puppet;
mod random;
pub mod render;
#[cfg(feature = "video")]
pub mod still;
pub mod threads;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "video")]
pub mod video;

pub use error::{Error, Result};
