//! Pictures.

use std::ffi::OsStr;
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};

use super::guard::guarded;
use super::read::{open, read};
use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;

/// How the names of picture files end.
pub(crate) const PICTURE_EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"];
/// Longest file that is read.
const MAX_BYTES: u64 = 1 << 30;
/// Most bytes of a picture once it is decoded: those of the largest one with 16 bits a channel.
const MAX_DECODED: u64 = 8 * (MAX_SIDE as u64) * (MAX_SIDE as u64);

/// Whether the name is that of a picture.
pub(crate) fn is_picture(path: &Path) -> bool {
    has_extension(path, &PICTURE_EXTENSIONS)
}

/// Whether the name ends in one of the extensions, in small letters or large ones.
pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let is = |extension: &OsStr| extensions.iter().any(|known| extension.eq_ignore_ascii_case(known));
    path.extension().is_some_and(is)
}

/// Decodes a picture file, whatever its name says it is, turned as its metadata says.
///
/// # Errors
/// A file that is missing, empty, damaged, of more than [`MAX_SIDE`] pixels a side, or of more than 16 bits a channel at that size.
pub fn read_picture(path: &Path) -> Result<DynamicImage> {
    let bytes = read(path, MAX_BYTES)?;
    if bytes.is_empty() {
        return Err(Error::input(path, "is empty (0 bytes)"));
    }
    guarded(path, || decode(path, &bytes))
}

fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage> {
    let bad = |error: ImageError| Error::input(path, format!("not a readable picture: {error}"));
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut decoder = reader.map_err(|error| Error::io(path, error))?.into_decoder().map_err(bad)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE || width.min(height) == 0 {
        let problem = format!("is {width}×{height} pixels; 1 to {MAX_SIDE} on each side are allowed");
        return Err(Error::input(path, problem));
    }
    if decoder.total_bytes() > MAX_DECODED {
        let problem =
            format!("takes {} bytes decoded; at most {MAX_DECODED} are allowed", decoder.total_bytes());
        return Err(Error::input(path, problem));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(bad)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Width and height of a picture file in pixels, from its head.
///
/// # Errors
/// A file that is missing or no picture.
pub fn picture_size(path: &Path) -> Result<(u32, u32)> {
    let file = BufReader::new(open(path)?);
    guarded(path, || {
        let reader = ImageReader::new(file).with_guessed_format().map_err(|error| Error::io(path, error))?;
        reader
            .into_dimensions()
            .map_err(|error| Error::input(path, format!("not a readable picture: {error}")))
    })
}
