//! Finished clips on disk, so that a benchmark that was stopped goes on where it was.

use std::path::{Path, PathBuf};

use image::{DynamicImage, RgbImage, imageops};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::report::Report;
use super::scores::ClipResult;
use crate::error::{Error, Result};
use crate::files::{read, read_picture};
use crate::outputs::{Reservation, disk, write_json, write_png};
use crate::plan::differences;

/// Longest file that is read.
const MAX_BYTES: u64 = 1 << 28;
/// Frames of each clip that are kept for the contact sheet.
pub const KEPT_FRAMES: usize = 6;

/// The folder of a benchmark: one folder for each row, two files for each clip.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens or makes the folder, which is `reserved`.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(folder: &Path, reserved: &mut Reservation) -> Result<Self> {
        reserved.begin_folder(folder)?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    fn path(&self, row: &str, identity: u64, dance: &str, extension: &str) -> PathBuf {
        self.folder.join(row).join(format!("{identity:09}-{dance}.{extension}"))
    }

    /// The result of a clip, if it and its strip are there.
    ///
    /// # Errors
    /// [`Error::Plan`] where the result belongs to other settings; files that cannot be read.
    pub fn finished(
        &self,
        row: &str,
        identity: u64,
        dance: &str,
        plan: &Value,
    ) -> Result<Option<ClipResult>> {
        finished(&self.path(row, identity, dance, "json"), plan)
    }

    /// Keeps a result, with some of its frames.
    ///
    /// # Errors
    /// The system refuses.
    pub fn keep(&self, row: &str, result: &ClipResult, frames: &[RgbImage]) -> Result<()> {
        let folder = self.folder.join(row);
        disk::create_folder(&folder).map_err(|error| Error::io(&folder, error))?;
        let path = |extension| self.path(row, result.identity, &result.dance, extension);
        write_png(&path("png"), &strip(frames))?;
        // The result comes last: it says that the clip is finished.
        write_json(&path("json"), result)
    }

    /// The strip of a finished clip's frames.
    ///
    /// # Errors
    /// A picture that cannot be read.
    pub fn strip(&self, row: &str, identity: u64, dance: &str) -> Result<RgbImage> {
        let path = self.path(row, identity, dance, "png");
        read_picture(&path).map(DynamicImage::into_rgb8)
    }

    /// The report that is there already, if it can be read.
    pub fn earlier_report(&self) -> Option<Report> {
        serde_json::from_slice(&read(&self.file("report.json"), MAX_BYTES).ok()?).ok()
    }

    /// A file in the benchmark's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The result in the file `path`, if it and the picture beside it are there; it says by which `plan` it was made.
///
/// # Errors
/// [`Error::Plan`] where that was another one; a file that cannot be read.
pub fn finished<T: DeserializeOwned>(path: &Path, plan: &Value) -> Result<Option<T>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = read(path, MAX_BYTES)?;
    let damaged =
        |error: serde_json::Error| Error::input(path, format!("{error}; delete it to render this again"));
    let json: Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    if json["plan"] != *plan {
        let folder = path.parent().unwrap_or(path).to_path_buf();
        return Err(Error::Plan { path: folder, differences: differences(&json["plan"], plan) });
    }
    let result = serde_json::from_value(json).map_err(damaged)?;
    Ok(path.with_extension("png").is_file().then_some(result))
}

/// Some frames of a clip, evenly spaced, from left to right.
pub fn strip(frames: &[RgbImage]) -> RgbImage {
    let kept = KEPT_FRAMES.min(frames.len());
    let (width, height) = frames.first().map_or((1, 1), RgbImage::dimensions);
    let mut strip = RgbImage::new(width * kept.max(1) as u32, height);
    for place in 0..kept {
        let frame = &frames[place * frames.len() / kept];
        imageops::replace(&mut strip, frame, i64::from(width) * place as i64, 0);
    }
    strip
}
