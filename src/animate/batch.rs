//! Many clips, each split into a folder of its own, in one folder: their shots are counted as if they were those of one clip.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::read;

/// The file that says what the clips are.
pub const BATCH: &str = "batch.json";
/// Longest such file that is read.
const MAX_BYTES: u64 = 1 << 28;

/// What a folder of clips holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The clips, in their order.
    pub clips: Vec<BatchClip>,
}

/// A clip of many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchClip {
    /// The folder that it was split into, seen from the one of all clips.
    pub folder: PathBuf,
    /// Where it is merged to, with its full name.
    pub output: PathBuf,
    /// How many shots it has.
    pub shots: usize,
}

impl Batch {
    /// Reads what a folder holds; `None` where it is not one of many clips.
    ///
    /// # Errors
    /// A damaged file.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(BATCH);
        if !path.exists() {
            return Ok(None);
        }
        let text = read(&path, MAX_BYTES)?;
        let batch: Self =
            serde_json::from_slice(&text).map_err(|error| Error::input(&path, error.to_string()))?;
        match batch.clips.is_empty() {
            true => Err(Error::input(&path, "holds no clip")),
            false => Ok(Some(batch)),
        }
    }

    /// The clip of a shot, which is counted over all clips from 0, and the shot's number in it.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no such shot.
    pub fn clip_of(&self, shot: usize) -> Result<(&BatchClip, usize)> {
        let mut before = 0;
        for clip in &self.clips {
            if shot < before + clip.shots {
                return Ok((clip, shot - before));
            }
            before += clip.shots;
        }
        let last = before.saturating_sub(1);
        Err(Error::setting("shot", format!("{shot}; there are shots 0 to {last}")))
    }
}
