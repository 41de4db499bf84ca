//! Puppets: those of `dreamtuner_puppet`, folders of them, and dances from files.

mod dance;
#[cfg(feature = "video")]
pub mod dataset;
#[cfg(feature = "video")]
mod drawings;
#[cfg(feature = "video")]
mod spoiled;

pub use dance::{dance_file, open_dance};
pub use dreamtuner_puppet::*;
