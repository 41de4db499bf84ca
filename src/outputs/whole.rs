//! Files that the program keeps for itself in folders of its own: written whole or not at all.

use std::path::Path;

use image::{ImageBuffer, PixelWithColorType};
use serde::Serialize;

use super::part::PartFile;
use crate::error::{Error, Result};

/// Writes a file so that its name never shows anything but the whole of it. What has the name is replaced.
///
/// # Errors
/// [`Error::Io`], [`Error::Output`]; what was there before is kept then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    PartFile::replacing(path)?.write_bytes(bytes)
}

/// Writes a value as JSON that people can read, as [`write_whole`] does.
///
/// # Errors
/// As [`write_whole`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(|error| Error::output(path, error.to_string()))?;
    write_whole(path, &json)
}

/// Writes a picture as a PNG file, as [`write_whole`] does.
///
/// # Errors
/// As [`write_whole`].
pub fn write_png<P>(path: &Path, image: &ImageBuffer<P, Vec<u8>>) -> Result<()>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    PartFile::replacing(path)?.write_png(image, &[])
}
