//! Puppets: those of `dreamtuner_puppet`, folders of them, and dances from files.

mod dance;
pub mod dataset;
mod drawings;
mod spoiled;

pub use dance::{dance_file, open_dance};
pub use dreamtuner_puppet::*;
