//! The library by itself: networks against diffusers' and transformers' numbers, kernels, pictures, puppets.

mod addons;
mod attention;
mod common;
mod diffusion;
mod ip_adapter;
mod layers;
mod method;
mod parity;
mod picture;
mod puppet;
mod text;
mod training;
