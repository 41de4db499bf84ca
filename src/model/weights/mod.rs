//! Files that hold weights: diffusers folders, single checkpoints, LoRAs, textual inversions, and the built-in model.
//!
//! Whatever the naming in a file, the networks see one set of names, diffusers' of today ([`PartFiles`]).

mod build;
mod builtin;
mod defaults;
mod entry;
mod folder;
mod inspect;
mod keys;
mod lora;
mod lora_keys;
mod model;
mod network_files;
mod networks;
mod part;
mod preprocessor;
mod scheduler;
mod shapes;
mod subject;
mod subject_file;
mod tensor_file;
mod textual_inversion;
mod trained;

pub use build::{LoadReport, MisShaped};
pub use defaults::{DraftDefaults, ModelDefaults, TuneDefaults};
#[cfg(feature = "train")]
pub(super) use folder::read_json;
pub use inspect::{Description, Kind, PartDescription, inspect};
pub use lora::Lora;
pub use lora_keys::LoraNaming;
pub use model::{ModelFiles, TokenizerFiles};
pub use network_files::{NetworkConfig, NetworkFiles};
pub use networks::Part;
pub use part::PartFiles;
pub use preprocessor::Preprocessor;
pub use scheduler::SchedulerFile;
pub use subject::{ATTENTION_PREFIX, SubjectEncoderFiles};
pub use subject_file::{SubjectFile, SubjectPhrase};
pub use textual_inversion::TextualInversion;
pub use trained::{Trained, Variables, build_new};
