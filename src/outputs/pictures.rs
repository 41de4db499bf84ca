//! Numbered pictures, each whole or not there.

use std::sync::{Arc, Mutex};

use image::{ImageBuffer, PixelWithColorType};

use super::disk;
use super::folder::MadeFolders;
use super::part::{PartFile, Replaced};
use super::pattern::Pattern;
use super::png;
use super::record::Record;
use crate::error::{Error, Result};

/// A sequence of pictures that may be written.
#[derive(Debug)]
pub struct Pictures {
    pattern: Pattern,
    replaced: Replaced,
    /// Where they are noted.
    record: Option<Arc<Mutex<Record>>>,
    made: MadeFolders,
    written: usize,
}

impl Pictures {
    pub(super) fn new(pattern: Pattern, replaced: Replaced, record: Option<Arc<Mutex<Record>>>) -> Self {
        Self { pattern, replaced, record, made: MadeFolders::default(), written: 0 }
    }

    /// Pictures that replace what is there under their names.
    pub(super) fn replacing(pattern: Pattern) -> Self {
        Self::new(pattern, Replaced::Anything, None)
    }

    /// Their names.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Makes the folder if only that one is missing, and finds out whether pictures can be written into it.
    ///
    /// # Errors
    /// [`Error::Output`] where they cannot.
    pub fn prepare(&mut self) -> Result<()> {
        let folder = self.pattern.folder();
        if self.pattern.is_folder() {
            self.made.make(folder)?;
        }
        PartFile::begin(&self.pattern.file(0), Replaced::Nothing, None)?.discard()
    }

    /// Writes the next picture, a PNG file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] where something has its name that may not be replaced.
    pub fn write<P>(&mut self, image: &ImageBuffer<P, Vec<u8>>, texts: &[(&str, &str)]) -> Result<()>
    where
        P: PixelWithColorType<Subpixel = u8>,
    {
        let file = self.pattern.file(self.written);
        PartFile::begin(&file, self.replaced, self.record.clone())?.write_png(image, texts)?;
        self.written += 1;
        self.made.keep();
        Ok(())
    }

    /// Where anything may be replaced, removes what an earlier, longer sequence of the program has left behind the last picture;
    /// how many. Pictures that are not its own stay.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_surplus(&self) -> Result<usize> {
        let mut removed = 0;
        for (number, path) in self.pattern.there() {
            if number < self.written || self.replaced != Replaced::Anything {
                continue;
            }
            if png::is_own(&path) {
                disk::remove_file(&path).map_err(|error| Error::io(&path, error))?;
                removed += 1;
            } else {
                tracing::warn!("{}: is not of this program, and stays among its pictures", path.display());
            }
        }
        Ok(removed)
    }
}
