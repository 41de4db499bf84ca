//! The library by itself: networks against diffusers' and transformers' numbers, kernels, pictures.

mod addons;
mod attention;
mod captioner;
mod common;
mod dataset;
mod diffusion;
mod drafts;
mod farm_plan;
mod ip_adapter;
mod layers;
mod method;
mod parity;
mod picture;
mod text;
mod training;
