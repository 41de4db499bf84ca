//! PNG sequences.

use image::{ImageBuffer, PixelWithColorType};

use super::encode::{EncodeSettings, Written};
use crate::error::{Error, Result};
use crate::outputs::Pictures;

/// Writes each frame to its own file. The settings are in the first file's text.
pub(super) struct PngWriter {
    pictures: Pictures,
    metadata: Vec<(String, String)>,
    frame_seconds: f64,
    frames: usize,
    last_time: f64,
}

impl PngWriter {
    /// Makes the folder if only that one is missing.
    pub fn create(mut pictures: Pictures, settings: &EncodeSettings) -> Result<Self> {
        pictures.prepare()?;
        let (numerator, denominator) = settings.frame_rate;
        Ok(Self {
            pictures,
            metadata: settings.metadata.clone(),
            frame_seconds: f64::from(denominator) / f64::from(numerator),
            frames: 0,
            last_time: 0.0,
        })
    }

    pub fn write<P>(&mut self, image: &ImageBuffer<P, Vec<u8>>, time: f64) -> Result<()>
    where
        P: PixelWithColorType<Subpixel = u8>,
    {
        let metadata = std::mem::take(&mut self.metadata);
        let texts: Vec<(&str, &str)> = metadata.iter().map(|(key, text)| (&**key, &**text)).collect();
        self.pictures.write(image, &texts)?;
        self.frames += 1;
        self.last_time = time;
        Ok(())
    }

    /// With `all` frames written, removes what an earlier, longer sequence of the same name left behind.
    pub fn finish(self, all: bool) -> Result<Written> {
        let folder = self.pictures.pattern().folder();
        if self.frames == 0 {
            return Err(Error::output(folder, "no frame was written"));
        }
        let removed = if all { self.pictures.remove_surplus()? } else { 0 };
        if removed > 0 {
            tracing::warn!("{}: removed {removed} frames of an earlier, longer sequence", folder.display());
        }
        Ok(Written { frames: self.frames, seconds: self.last_time + self.frame_seconds })
    }
}
