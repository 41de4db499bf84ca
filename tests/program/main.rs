//! Commands that make stills and maps, and that train.
#![cfg(feature = "cli")]

mod attention_maps;
mod still;
mod support;
mod train;
mod tune;
