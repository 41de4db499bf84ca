//! Frames → video file.

use std::path::{Path, PathBuf};

use image::{ImageBuffer, PixelWithColorType, RgbaImage};
use serde::{Deserialize, Serialize};

use super::audio::AudioSource;
use super::codec::Recipe;
use super::gif::{self, GifWriter};
use super::mux::{MuxWriter, verify};
use super::png::PngWriter;
use crate::error::{Error, Result};
use crate::frame::{Frame, MAX_SIDE};
use crate::outputs::{Output, PartFile, Pattern, names_folder};

/// Largest numerator and denominator of a frame rate.
const MAX_RATE_PART: u32 = 1_000_000;

/// A kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// `.mp4`, `.m4v`: H.264, 4:2:0, BT.709, playable while it downloads. Odd sides are padded to even ones by
    /// repeating the last column or row. Sound copied or AAC.
    Mp4H264,
    /// `.webm`: VP9, 4:2:0, BT.709. Sound copied or Opus.
    WebmVp9,
    /// `.gif`: one palette made for the whole clip, dithered, repeated for ever. At most 50 frames a second; no sound.
    Gif,
    /// `.mov`: ProRes 4444, 10 bits, BT.709. Sound copied or AAC.
    MovProRes,
    /// `.mkv`: FFV1, lossless RGB. Sound copied or FLAC.
    MkvFfv1,
    /// A name with `%d` or `%04d` before `.png`, or a folder: lossless pictures, numbered from 0. No times, no sound.
    PngSequence,
}

impl Container {
    /// The kind of output that a name asks for: by its extension, `%d` in a PNG's name, or a folder. A folder is one
    /// that exists, or a name that ends in a slash.
    ///
    /// # Errors
    /// [`Error::Output`] that lists the names that are known; for a folder that is called like a file.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if names_folder(path) {
            return Ok(Self::PngSequence);
        }
        let kind = Self::of_extension(path, extension_of(path).as_deref());
        match (path.is_dir(), kind) {
            (true, Ok(_)) => Err(Error::output(path, "is a folder; for PNG files in it, end its name in /")),
            (true, Err(_)) => Ok(Self::PngSequence),
            (false, kind) => kind,
        }
    }

    fn of_extension(path: &Path, extension: Option<&str>) -> Result<Self> {
        match extension {
            Some("mp4" | "m4v") => Ok(Self::Mp4H264),
            Some("webm") => Ok(Self::WebmVp9),
            Some("gif") => Ok(Self::Gif),
            Some("mov") => Ok(Self::MovProRes),
            Some("mkv") => Ok(Self::MkvFfv1),
            Some("png") => Pattern::parse(path).map(|_| Self::PngSequence),
            other => {
                let found = other
                    .map_or("no extension".to_owned(), |extension| format!("unknown extension .{extension}"));
                let known = ".mp4, .m4v, .webm, .gif, .mov, .mkv, a PNG pattern such as %04d.png, or a folder ending in /";
                Err(Error::output(path, format!("{found}; known: {known}")))
            }
        }
    }
}

/// How frames are written.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodeSettings {
    /// Nominal frames a second, numerator and denominator, each from 1 to 1,000,000; default 24/1. It says how long
    /// the last frame lasts; every frame is shown at its own time.
    pub frame_rate: (u32, u32),
    /// Constant quality, smaller is better: 0-51 for H.264 (default 16), 0-63 for VP9 (default 20). The other kinds
    /// of output have none.
    pub quality: Option<u8>,
    /// Fields for the file's metadata, such as `title` and `comment`; keys of 1 to 79 printable ASCII characters.
    /// GIF keeps `comment` only.
    pub metadata: Vec<(String, String)>,
    /// Whether pictures are transparent, and written by [`VideoWriter::write_transparent`]; default no. H.264 and GIF cannot be.
    pub transparent: bool,
    /// Sound to go with the pictures; default none. GIF and PNG cannot hold it and leave it out.
    pub audio: Option<AudioSource>,
}

impl Default for EncodeSettings {
    fn default() -> Self {
        Self { frame_rate: (24, 1), quality: None, metadata: Vec::new(), transparent: false, audio: None }
    }
}

impl EncodeSettings {
    /// Checks every value's range, for one kind of output.
    ///
    /// # Errors
    /// [`Error::Setting`] with the value and the allowed range.
    pub fn validate(&self, container: Container) -> Result<()> {
        let (numerator, denominator) = self.frame_rate;
        let allowed = 1..=MAX_RATE_PART;
        if !allowed.contains(&numerator) || !allowed.contains(&denominator) {
            let problem = format!("{numerator}/{denominator}; allowed: both parts from 1 to {MAX_RATE_PART}");
            return Err(Error::setting("fps", problem));
        }
        let rate = f64::from(numerator) / f64::from(denominator);
        if container == Container::Gif && rate > gif::MAX_RATE {
            let problem = format!("{rate:.2}; allowed for GIF: up to {}", gif::MAX_RATE);
            return Err(Error::setting("fps", problem));
        }
        if self.transparent && matches!(container, Container::Mp4H264 | Container::Gif) {
            let problem = "transparent; .webm, .mov, .mkv and PNG files can be, this kind of output cannot";
            return Err(Error::setting("background", problem));
        }
        let range = Recipe::of(container).and_then(|recipe| recipe.quality);
        match (self.quality, range) {
            (Some(quality), None) => {
                let problem =
                    format!("{quality}; this kind of output ({container:?}) has no quality setting");
                return Err(Error::setting("quality", problem));
            }
            (Some(quality), Some((_, most))) if quality > most => {
                return Err(Error::setting("quality", format!("{quality}; allowed: 0 to {most}")));
            }
            _ => {}
        }
        for (key, value) in &self.metadata {
            let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if !printable || !(1..=79).contains(&key.len()) || value.contains('\0') {
                let problem = format!(
                    "field {key:?}; allowed: 1 to 79 printable ASCII characters, no zero in the value"
                );
                return Err(Error::setting("metadata", problem));
            }
        }
        Ok(())
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Written {
    /// Number of frames.
    pub frames: usize,
    /// Length in seconds: the last frame's time and a nominal frame's duration.
    pub seconds: f64,
}

/// Writes frames to a video file or a PNG sequence.
///
/// The file grows under a hidden name beside the target and takes its name in [`finish`](Self::finish), once its frames have been
/// counted. A writer that is dropped removes the hidden file; PNG sequences keep the pictures written so far.
pub struct VideoWriter {
    sink: Sink,
    target: PathBuf,
    width: u32,
    height: u32,
    transparent: bool,
    frames: usize,
    last_time: Option<f64>,
}

enum Sink {
    Mux { writer: Box<MuxWriter>, file: PartFile },
    Gif { writer: Box<GifWriter>, file: PartFile },
    Png(PngWriter),
}

impl VideoWriter {
    /// Starts an output of `width` × `height` pixels, which replaces what has its name; its kind follows from the name, see
    /// [`Container::from_path`].
    ///
    /// # Errors
    /// As [`begin`](Self::begin); a name of no known kind.
    pub fn create(
        path: impl AsRef<Path>,
        width: u32,
        height: u32,
        settings: &EncodeSettings,
    ) -> Result<Self> {
        let path = path.as_ref();
        settings.validate(Container::from_path(path)?)?;
        Self::begin(Output::replacing(path)?, width, height, settings)
    }

    /// Starts an output of `width` × `height` pixels.
    ///
    /// # Errors
    /// A size outside 1 to [`MAX_SIDE`]; settings out of range; a folder that is missing or cannot be written to. An
    /// encoder that this FFmpeg lacks; a source of sound that cannot be read.
    pub fn begin(output: Output, width: u32, height: u32, settings: &EncodeSettings) -> Result<Self> {
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            let problem = format!("{width}×{height}; allowed: 1 to {MAX_SIDE} on each side");
            return Err(Error::setting("size", problem));
        }
        let size = (width, height);
        let (sink, target) = match output {
            Output::File(file) => {
                let target = file.target().to_path_buf();
                let container = Container::of_extension(&target, extension_of(&target).as_deref())?;
                settings.validate(container)?;
                let sink = match Recipe::of(container) {
                    Some(recipe) => {
                        let writer = Box::new(MuxWriter::create(recipe, &file, &target, size, settings)?);
                        Sink::Mux { writer, file }
                    }
                    None => Sink::Gif { writer: Box::new(GifWriter::create(&file, size, settings)?), file },
                };
                (sink, target)
            }
            Output::Pictures(pictures) => {
                settings.validate(Container::PngSequence)?;
                let target = pictures.pattern().folder().to_path_buf();
                (Sink::Png(PngWriter::create(pictures, settings)?), target)
            }
        };
        let transparent = settings.transparent;
        Ok(Self { sink, target, width, height, transparent, frames: 0, last_time: None })
    }

    /// Adds a frame, shown from `frame.time` on.
    ///
    /// # Errors
    /// A frame of another size; a time that is not finite, negative, or not after the one before; a full disk.
    pub fn write(&mut self, frame: &Frame) -> Result<()> {
        self.check(frame.image.dimensions(), frame.time, false)?;
        self.add(&frame.image, frame.time)
    }

    /// Adds a transparent picture, shown from `time` on.
    ///
    /// # Errors
    /// As [`write`](Self::write); a writer without [`EncodeSettings::transparent`].
    pub fn write_transparent(&mut self, image: &RgbaImage, time: f64) -> Result<()> {
        self.check(image.dimensions(), time, true)?;
        self.add(image, time)
    }

    fn add<P>(&mut self, image: &ImageBuffer<P, Vec<u8>>, time: f64) -> Result<()>
    where
        P: PixelWithColorType<Subpixel = u8>,
    {
        match &mut self.sink {
            Sink::Mux { writer, .. } => writer.write(image, time)?,
            Sink::Gif { writer, .. } => writer.write(image, time)?,
            Sink::Png(writer) => writer.write(image, time)?,
        }
        self.last_time = Some(time);
        self.frames += 1;
        Ok(())
    }

    /// Refuses what cannot be the next frame.
    fn check(&self, (width, height): (u32, u32), time: f64, transparent: bool) -> Result<()> {
        let refuse = |problem: String| Err(Error::output(&self.target, problem).at_frame(self.frames));
        if (width, height) != (self.width, self.height) {
            return refuse(format!(
                "the picture is {width}×{height}, the file {}×{}",
                self.width, self.height
            ));
        }
        if transparent != self.transparent {
            return refuse("pictures of a file are all transparent, or none is".to_owned());
        }
        let least = self.last_time.unwrap_or(0.0);
        let follows = time > least || (self.last_time.is_none() && time == least);
        if !time.is_finite() || !follows {
            return refuse(format!("its time is {time} s; allowed: after {least} s"));
        }
        Ok(())
    }

    /// Completes the output: sound to the end of the pictures, headers, a count of the frames, the final name.
    ///
    /// # Errors
    /// No frames; a full disk; a file that does not hold what was written to it.
    pub fn finish(self) -> Result<Written> {
        self.end(true)
    }

    /// As [`finish`](Self::finish), for a clip that was stopped early: further pictures of an earlier, longer sequence stay.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_early(self) -> Result<Written> {
        self.end(false)
    }

    fn end(self, all: bool) -> Result<Written> {
        match self.sink {
            Sink::Mux { writer, file } => published(writer.finish()?, file),
            Sink::Gif { writer, file } => published(writer.finish(&file)?, file),
            Sink::Png(writer) => writer.finish(all),
        }
    }
}

/// Gives a file its name, once it holds what was written to it.
fn published(written: Written, file: PartFile) -> Result<Written> {
    verify(&file, written.frames)?;
    file.publish()?;
    Ok(written)
}

fn extension_of(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase())
}
