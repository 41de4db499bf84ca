//! Loading of weights: formats, namings, LoRA, textual inversion, bad files.

mod damage;
mod defaults;
mod files;
mod fixtures;
mod inspection;
mod lora;
mod names;
#[path = "../common/single_files.rs"]
mod single_files;
mod support;
mod textual_inversion;
