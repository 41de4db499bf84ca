//! From files to a sequence.

use std::path::{Path, PathBuf};

use dreamtuner_pose::{PoseFiles, PoseSequence, ReadSettings, natural_order, parse_bvh};

use crate::error::{Error, Result};
use crate::files::{has_extension, read, read_text};

/// Larger files are refused: a minute of body, hands and face takes some 20 MB.
const MAX_FILE_SIZE: u64 = 256 << 20;

/// Whether a file holds motion capture: a skeleton that moves in space.
pub(crate) fn is_motion_capture(path: &Path) -> bool {
    has_extension(path, &["bvh"])
}

/// Reads every person of every frame from a JSON file, or from a folder of them: `*.json`, in natural order (2 before 10), one after
/// the other (see [`json`](crate::pose::json) for the shapes). Frames without anybody stay empty. A `.bvh` file is seen by the
/// settings' camera.
///
/// # Errors
/// A missing, empty or over-long (256 MiB) file, a folder without `*.json`, and what [`PoseFiles`] and [`parse_bvh`] refuse. The error names
/// the file, the place and the value.
pub fn read_poses(path: &Path, settings: &ReadSettings) -> Result<PoseSequence> {
    settings.check()?;
    if is_motion_capture(path) {
        let text = read_text(path, MAX_FILE_SIZE)?;
        return parse_bvh(&text, &settings.camera).map_err(|error| Error::input(path, error.to_string()));
    }
    let mut frames = PoseFiles::default();
    for file in if path.is_dir() { json_files(path)? } else { vec![path.to_path_buf()] } {
        let text = read(&file, MAX_FILE_SIZE)?;
        if text.is_empty() {
            return Err(Error::input(file, format!("0 bytes; a pose file has 1 to {MAX_FILE_SIZE}")));
        }
        frames.add(&text).map_err(|error| Error::input(&file, error.to_string()))?;
    }
    frames.finish(settings).map_err(|error| Error::input(path, error.to_string()))
}

/// The folder's JSON files in natural order, hidden ones left out.
fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))? {
        let path = entry.map_err(|source| Error::io(folder, source))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json && !name.starts_with('.') && path.is_file() {
            files.push((name, path));
        }
    }
    if files.is_empty() {
        return Err(Error::input(folder, "no *.json file in this folder, at least one is needed"));
    }
    files.sort_by(|a, b| natural_order(&a.0, &b.0));
    Ok(files.into_iter().map(|(_, path)| path).collect())
}
