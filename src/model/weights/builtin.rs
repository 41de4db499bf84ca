//! The model inside the library, `models/mini`, in builds that have it.

#[cfg(embedded_weights)]
mod embedded;

use super::model::ModelFiles;
use crate::error::Result;

#[cfg(embedded_weights)]
pub(super) use embedded::{defaults, model};

/// In a build without it, what to do.
#[cfg(not(embedded_weights))]
pub(super) fn model() -> Result<ModelFiles> {
    Err(crate::Error::setting("model", "this build has no model inside; name one: --model PATH"))
}

/// Its `dreamtuner.json`.
#[cfg(not(embedded_weights))]
pub(super) fn defaults() -> &'static str {
    "{}"
}

impl ModelFiles {
    /// The model that is part of the library.
    ///
    /// # Errors
    /// A build without it.
    pub fn builtin() -> Result<Self> {
        model()
    }
}
