//! The networks and their text input: prompts, tokenizer, text encoder, U-Net, ControlNet, VAE and their weights.

pub mod prompt;
mod tokenizer;
mod tokenizer_files;

pub use tokenizer::{Chunk, MAX_CHUNKS, Tokenizer};
