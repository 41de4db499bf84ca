//! Pictures as a source of frames: a folder of them, or a single one.

use std::path::{Path, PathBuf};

use dreamtuner_pose::natural_order;
use image::{DynamicImage, RgbImage};

use super::decode::{DecodeSettings, FrameReader};
use super::facts::rational_rate;
use super::timeline::Timeline;
use crate::error::{Error, Result};
use crate::files::{PICTURE_EXTENSIONS, is_picture, read_picture};
use crate::frame::Frame;
use crate::picture::{BLACK, on_colour};

/// Pictures a second of a folder, unless told otherwise.
const DEFAULT_RATE: f64 = 24.0;

/// Reads the pictures of a folder in natural order (`2.png` before `10.png`), or a single picture, as frames.
///
/// Orientation tags are followed; transparent parts are black. Files that are no pictures, and hidden ones, are
/// passed over.
pub struct ImageReader {
    files: std::vec::IntoIter<PathBuf>,
    timeline: Timeline<PathBuf>,
    settings: DecodeSettings,
    rate: f64,
    count: usize,
    pushed: usize,
    delivered: usize,
    ended: bool,
    width: u32,
    height: u32,
}

impl ImageReader {
    /// Whether the name of `path` is that of a picture.
    pub fn is_picture(path: &Path) -> bool {
        is_picture(path)
    }

    /// Opens a folder of pictures, or one picture. The first one is decoded, for its size.
    ///
    /// # Errors
    /// Settings out of range; a start past the last picture; a folder that cannot be read or has no pictures. A first
    /// picture that cannot be decoded or is larger than [`MAX_SIDE`](crate::frame::MAX_SIDE) on a side.
    pub fn open(path: impl AsRef<Path>, settings: &DecodeSettings) -> Result<Self> {
        let path = path.as_ref();
        settings.validate()?;
        let files = if path.is_dir() { pictures_in(path)? } else { vec![path.to_path_buf()] };
        let Some(first) = files.first() else {
            let problem = format!("holds no pictures ({})", PICTURE_EXTENSIONS.join(", "));
            return Err(Error::input(path, problem));
        };
        let (width, height) = over_black(read_picture(first)?).dimensions();
        let rate = settings.frames_per_second.unwrap_or(DEFAULT_RATE);
        let start = settings.start.unwrap_or(0.0);
        let length = files.len() as f64 / rate;
        if start >= length {
            let problem = format!("{start} s; {} lasts {length:.3} s", path.display());
            return Err(Error::setting("start", problem));
        }
        let (count, timeline) = (files.len(), Timeline::new(start, settings.end, None));
        let files = files.into_iter();
        let settings = *settings;
        Ok(Self {
            files,
            timeline,
            settings,
            rate,
            count,
            pushed: 0,
            delivered: 0,
            ended: false,
            width,
            height,
        })
    }
}

impl Iterator for ImageReader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((path, time)) = self.timeline.next() {
                let index = self.delivered;
                self.delivered += 1;
                let picture = read_picture(&path).map(over_black).map_err(|problem| problem.at_frame(index));
                if picture.is_err() {
                    self.ended = true;
                    self.timeline = Timeline::new(0.0, None, None);
                }
                return Some(picture.map(|image| Frame { image, time }));
            }
            if self.ended {
                return None;
            }
            match self.files.next().filter(|_| !self.timeline.passed_end()) {
                Some(file) => {
                    self.timeline.push(file, self.pushed as f64 / self.rate, 1.0 / self.rate);
                    self.pushed += 1;
                }
                None => {
                    self.timeline.finish();
                    self.ended = true;
                }
            }
        }
    }
}

impl FrameReader for ImageReader {
    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn frame_rate(&self) -> (u32, u32) {
        rational_rate(self.rate)
    }

    fn has_audio(&self) -> bool {
        false
    }

    fn duration(&self) -> Option<f64> {
        let whole = self.count as f64 / self.rate;
        let end = self.settings.end.map_or(whole, |end| end.min(whole));
        Some((end - self.settings.start.unwrap_or(0.0)).max(0.0))
    }
}

/// The pictures in a folder, in natural order.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::io(folder, source);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && ImageReader::is_picture(&path) && path.is_file() {
            files.push(path);
        }
    }
    files.sort_by(|one, other| natural_order(&name(one), &name(other)).then_with(|| one.cmp(other)));
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn over_black(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    on_colour(&picture.into_rgba8(), BLACK)
}
