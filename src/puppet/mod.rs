//! Puppets: those of `dreamtuner_puppet`, and dances from files.

mod dance;

pub use dance::{dance_file, open_dance};
pub use dreamtuner_puppet::*;
