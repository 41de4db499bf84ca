//! Samplers: from noise to a clean latent in a few calls of the denoiser.
//!
//! Each is a short function over the listed steps, after k-diffusion's `sampling.py`, and equals the scheduler of
//! the same name in diffusers.

mod choice;
mod multistep;
mod single_step;
mod steps;

pub use choice::{Sampler, sample, sample_from};
