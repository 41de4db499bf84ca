//! What is in the files of an input, as a hash.

use std::path::{Path, PathBuf};

use super::dance::holds_poses;
use crate::error::{Error, Result};
use crate::video::ImageReader;

/// A hash of a file's bytes, or of the names and bytes of the pictures and JSON files in a folder.
pub(crate) fn content_hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let fail = |path: &Path, error| Error::io(path, error);
    if path.is_dir() {
        let entries =
            std::fs::read_dir(path).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
        let mut files: Vec<PathBuf> =
            entries.map_err(|error| fail(path, error))?.iter().map(|entry| entry.path()).collect();
        files.retain(|file| file.is_file() && (holds_poses(file) || ImageReader::is_picture(file)));
        files.sort();
        for file in files {
            hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hasher.update_mmap_rayon(&file).map_err(|error| fail(&file, error))?;
        }
    } else {
        hasher.update_mmap_rayon(path).map_err(|error| fail(path, error))?;
    }
    Ok(hasher.finalize().to_hex()[..16].to_string())
}
