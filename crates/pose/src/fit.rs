//! How one canvas is put onto another.

use serde::{Deserialize, Serialize};

/// How a picture or a pose of one shape is put into a frame of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Fit {
    /// The whole picture is visible; what is left of the frame is filled with the background.
    #[default]
    Contain,
    /// The whole frame is filled; what hangs over on two sides is cut off evenly.
    Cover,
    /// The whole picture fills the whole frame; the aspect ratio changes.
    Stretch,
}
