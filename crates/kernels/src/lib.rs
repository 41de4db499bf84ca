#![doc = include_str!("../README.md")]
//!
//! # How they are made
//!
//! Every kernel serves tensors of 32 bits on the CPU, with weights of 32 or 16 bits, and passes on gradients with
//! respect to what goes in. Sums run in an order that only the shapes decide. `product` is the matrix product that
//! convolutions, linear layers and attention are made of; `scratch` lends them memory; `attention::kernel` never stores
//! its scores.

#![allow(clippy::needless_range_loop, reason = "indices of matrices read better than iterators")]

mod attention;
mod convolution;
mod feed_forward;
mod functions;
mod gate;
mod gradient;
mod linear;
mod normalization;
mod product;
mod scratch;
mod stored;
mod threads;
mod values;

pub use attention::{Segment, weighted_attention};
pub use convolution::{Convolution, Passes};
pub use feed_forward::feed_forward;
pub use gate::gated_gelu;
pub use linear::{Linear, PackedWeights};
pub use normalization::{GroupNorm, LayerNorm};
pub use threads::{in_pool, tell_candle};
