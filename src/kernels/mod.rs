//! What takes the time of a pass on the CPU, written for its vector units: convolution, linear layers, attention, norms.
//!
//! Every kernel serves tensors of 32 bits on the CPU, with weights of 32 or 16 bits, and passes on gradients with
//! respect to what goes in; on other devices, for other types and where weights train, the same is done by candle's own
//! operations, but for convolutions. Which vector instructions there are (AVX-512, AVX2, NEON) is found out
//! when the program runs; any other processor gets the same code without them. Results do not depend on the number of
//! threads: sums run in an order that only the shapes decide.

#![allow(clippy::needless_range_loop, reason = "indices of matrices read better than iterators")]

pub mod attention;
pub(crate) mod attention_gradient;
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
mod values;

pub use convolution::{Convolution, Passes};
pub use feed_forward::feed_forward;
pub use gate::gated_gelu;
pub use linear::Linear;
pub(crate) use linear::Weights as LinearWeights;
pub use normalization::{GroupNorm, LayerNorm};
pub(crate) use stored::Values;
