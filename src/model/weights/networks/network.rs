//! What is said of a kind of network.

use serde_json::Value;

use crate::model::weights::keys::{Keys, Naming};
use crate::model::weights::shapes::Shapes;

/// Channels of one attention head in SD 2.x and in CLIP.
pub const HEAD_CHANNELS: usize = 64;

/// What is known of a network's files.
pub struct Network {
    /// What people call it.
    pub name: &'static str,
    /// Its folder within a diffusers model.
    pub folder: &'static str,
    /// The class that `config.json` has to name.
    pub class: &'static str,
    /// Whether the `config.json` of a whole CLIP describes it, too.
    pub is_in_clip: bool,
    /// What its keys begin with in files that hold other networks, too.
    pub prefixes: &'static [&'static str],
    /// How a file with these keys names its tensors; `None` where the file does not hold the network. The number of layers is
    /// that of `config.json`, where there is one.
    pub naming: fn(&Keys, Option<usize>) -> Option<Naming>,
    /// The canonical name of a tensor that diffusers or transformers have named; `None` for one that has no place.
    pub from_diffusers: fn(&str) -> Option<String>,
    /// Whether a tensor may be stored as a 1×1 convolution where a linear layer is meant.
    pub is_squeezed: fn(&str) -> bool,
    /// Whether a key belongs to a half of it that is never used.
    pub is_unused: fn(&str) -> bool,
    /// The `config.json` that diffusers or transformers would write, read off the shapes of the tensors; `true` for one of OpenCLIP.
    /// The problem in words, where they do not tell.
    pub infer: fn(&Shapes, bool) -> Result<Value, String>,
    /// Refuses, by its configuration, what this program cannot use.
    pub check: fn(&Value) -> Result<(), String>,
}

impl Network {
    /// What most networks have in common.
    pub const PLAIN: Self = Self {
        name: "",
        folder: "",
        class: "",
        is_in_clip: false,
        prefixes: &[],
        naming: |_, _| None,
        from_diffusers: |name| Some(name.to_owned()),
        is_squeezed: |_| false,
        is_unused: |_| false,
        infer: |_, _| Err("its config.json is needed".into()),
        check: |_| Ok(()),
    };
}
