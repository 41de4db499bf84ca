//! What a draft is made of.

use std::path::PathBuf;

use super::background::Background;
use crate::inputs::dance::PoseSettings;
use crate::rig::{Doubts, RigFiles};

/// One draft, from files to files.
#[derive(Debug, Clone)]
pub struct DraftJob {
    /// The reference and what is known of its figure.
    pub figure: RigFiles,
    /// The dance.
    pub pose: PathBuf,
    /// How it is read.
    pub pose_settings: PoseSettings,
    /// Width and height of the frames, each 16 to 8192. Default: what the whole dance needs at the reference's own size.
    pub size: Option<(u32, u32)>,
    /// What is behind the figure.
    pub background: Background,
    /// Whether the dance's sound is copied.
    pub audio: bool,
    /// CRF of the encoder.
    pub quality: Option<u8>,
    /// The clip.
    pub output: PathBuf,
    /// A clip of how sure each pixel is, from black to white.
    pub confidence: Option<PathBuf>,
    /// A picture of frames spread over the clip.
    pub sheet: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    pub overwrite: bool,
}

/// What happens meanwhile.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DraftEvent {
    /// Something that the user should know.
    Note(String),
    /// The figure's joints may be wrong.
    Doubts(Doubts),
    /// So many frames of the dance were searched for people, of about so many.
    Searched {
        /// Frames searched.
        done: usize,
        /// Frames in all, where it is known.
        of: Option<usize>,
    },
    /// So many frames are drawn.
    Frame {
        /// Frames drawn.
        done: usize,
        /// Frames in all.
        of: usize,
    },
    /// A file is complete.
    Written(PathBuf),
}
