//! A sequence of PNG files.

use std::path::{Path, PathBuf};

use flate2::Crc;
use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, RgbImage};

use super::encode::{EncodeSettings, Written, temporary_beside};
use crate::error::{Error, Result};
use crate::frame::Frame;

/// Length of a PNG's signature and its first chunk, which says the size.
const HEADER_LENGTH: usize = 8 + 25;

/// How the files of a sequence are called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    folder: PathBuf,
    before: String,
    digits: usize,
    after: String,
}

impl Pattern {
    /// The pattern `%d` or `%0Nd` (N from 1 to 9) in the name of `path`, or six digits in the folder `path`.
    pub fn parse(path: &Path) -> Result<Self> {
        if path.to_string_lossy().ends_with(std::path::is_separator) || path.is_dir() {
            let (before, after) = (String::new(), ".png".to_owned());
            return Ok(Self { folder: path.to_path_buf(), before, digits: 6, after });
        }
        let wrong = || {
            let problem =
                "a PNG sequence is named with one number, such as frame%04d.png, or by a folder ending in /";
            Error::output(path, problem)
        };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let (before, rest) = name.split_once('%').ok_or_else(wrong)?;
        let (width, after) = rest.split_once('d').ok_or_else(wrong)?;
        let digits = match width.as_bytes() {
            [] => 1,
            [b'0', digit @ b'1'..=b'9'] => usize::from(digit - b'0'),
            _ => return Err(wrong()),
        };
        if after.contains('%') {
            return Err(wrong());
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Ok(Self { folder, before: before.to_owned(), digits, after: after.to_owned() })
    }

    fn file(&self, index: usize) -> PathBuf {
        self.folder.join(format!("{}{index:0digits$}{}", self.before, self.after, digits = self.digits))
    }
}

/// Writes each frame to its own file, under a temporary name first. The settings are in the first file's text.
pub(super) struct PngWriter {
    pattern: Pattern,
    target: PathBuf,
    metadata: Vec<(String, String)>,
    frame_seconds: f64,
    frames: usize,
    last_time: f64,
    made_folder: bool,
}

/// A folder that was made for frames which never came goes again.
impl Drop for PngWriter {
    fn drop(&mut self) {
        if self.made_folder && self.frames == 0 {
            let _ = std::fs::remove_dir(&self.pattern.folder);
        }
    }
}

impl PngWriter {
    /// Makes the folder if only that one is missing.
    pub fn create(target: &Path, settings: &EncodeSettings) -> Result<Self> {
        let pattern = Pattern::parse(target)?;
        let names_folder = target.to_string_lossy().ends_with(std::path::is_separator);
        let made_folder = names_folder && !pattern.folder.exists();
        if made_folder {
            std::fs::create_dir(&pattern.folder)
                .map_err(|problem| Error::output(target, format!("the folder cannot be made ({problem})")))?;
        }
        // Shows now, not after the first frame was made, whether the folder can be written to.
        drop(temporary_beside(&pattern.file(0))?);
        let (numerator, denominator) = settings.frame_rate;
        Ok(Self {
            pattern,
            target: target.to_path_buf(),
            metadata: settings.metadata.clone(),
            frame_seconds: f64::from(denominator) / f64::from(numerator),
            frames: 0,
            last_time: 0.0,
            made_folder,
        })
    }

    pub fn write(&mut self, frame: &Frame) -> Result<()> {
        let file = self.pattern.file(self.frames);
        let texts: &[(String, String)] = if self.frames == 0 { &self.metadata } else { &[] };
        let bytes =
            encode(&frame.image, texts).map_err(|problem| Error::output(&file, problem.to_string()))?;
        let temporary = temporary_beside(&file)?;
        std::fs::write(&temporary, bytes).map_err(|source| Error::io(&file, source))?;
        temporary.persist(&file).map_err(|problem| Error::io(&file, problem.error))?;
        self.frames += 1;
        self.last_time = frame.time;
        Ok(())
    }

    /// Removes what an earlier, longer sequence of the same name left behind.
    pub fn finish(self) -> Result<Written> {
        if self.frames == 0 {
            return Err(Error::output(&self.target, "no frame was written"));
        }
        let mut surplus = self.frames;
        while self.pattern.file(surplus).is_file() {
            let file = self.pattern.file(surplus);
            std::fs::remove_file(&file).map_err(|source| Error::io(&file, source))?;
            surplus += 1;
        }
        if surplus > self.frames {
            let removed = surplus - self.frames;
            tracing::warn!(
                "{}: removed {removed} frames of an earlier, longer sequence",
                self.target.display()
            );
        }
        Ok(Written { frames: self.frames, seconds: self.last_time + self.frame_seconds })
    }
}

fn encode(image: &RgbImage, texts: &[(String, String)]) -> image::ImageResult<Vec<u8>> {
    let mut plain = Vec::new();
    let (width, height) = image.dimensions();
    PngEncoder::new(&mut plain).write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)?;
    if texts.is_empty() {
        return Ok(plain);
    }
    let (header, pictures) = plain.split_at(HEADER_LENGTH.min(plain.len()));
    let mut bytes = header.to_vec();
    for (key, text) in texts {
        bytes.extend(text_chunk(key, text));
    }
    bytes.extend_from_slice(pictures);
    Ok(bytes)
}

/// An `iTXt` chunk: UTF-8, not compressed, in no stated language.
fn text_chunk(key: &str, text: &str) -> Vec<u8> {
    let mut body = b"iTXt".to_vec();
    body.extend_from_slice(key.as_bytes());
    body.extend_from_slice(&[0, 0, 0, 0, 0]);
    body.extend_from_slice(text.as_bytes());
    let mut checksum = Crc::new();
    checksum.update(&body);
    let length = (body.len() - 4) as u32;
    [&length.to_be_bytes()[..], &body, &checksum.sum().to_be_bytes()[..]].concat()
}
