//! Numbered pictures, each whole or not there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::disk;
use super::part::PartFile;
use super::pattern::Pattern;
use super::png;
use super::record::Record;
use crate::error::{Error, Result};

/// What may be replaced by pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// Nothing.
    Nothing,
    /// Pictures that say that this program made them.
    Own,
    /// Whatever has their names.
    Anything,
}

/// A sequence of pictures that may be written.
#[derive(Debug)]
pub struct Pictures {
    pattern: Pattern,
    replaced: Replaced,
    /// Where it is noted that they were begun, under which name.
    record: Option<(Arc<Mutex<Record>>, PathBuf)>,
    made_folder: bool,
    written: usize,
}

impl Pictures {
    pub(super) fn new(
        pattern: Pattern,
        replaced: Replaced,
        record: Option<(Arc<Mutex<Record>>, PathBuf)>,
    ) -> Self {
        Self { pattern, replaced, record, made_folder: false, written: 0 }
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
        if self.pattern.is_folder() && !folder.exists() {
            let problem = |error| Error::output(folder, format!("the folder cannot be made ({error})"));
            disk::create_folder(folder).map_err(problem)?;
            self.made_folder = true;
        }
        PartFile::begin(&self.pattern.file(0), true, None)?.discard()
    }

    /// Writes the next picture, a PNG file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] where something has its name that may not be replaced.
    pub fn write(&mut self, image: &image::RgbImage, texts: &[(&str, &str)]) -> Result<()> {
        if let Some((record, name)) = self.record.take() {
            record.lock().unwrap_or_else(PoisonError::into_inner).note_folder(&name)?;
        }
        let file = self.pattern.file(self.written);
        let replaces = match self.replaced {
            Replaced::Anything => true,
            Replaced::Own => png::is_own(&file),
            Replaced::Nothing => false,
        };
        PartFile::begin(&file, replaces, None)?.write_png(image, texts)?;
        self.written += 1;
        Ok(())
    }

    /// Removes what an earlier, longer sequence of the program has left behind the last picture; how many. Pictures that are not
    /// its own stay.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_surplus(&self) -> Result<usize> {
        let mut removed = 0;
        for (number, path) in self.pattern.there() {
            if number < self.written || self.replaced == Replaced::Nothing {
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

/// A folder that was made for pictures which never came goes again.
impl Drop for Pictures {
    fn drop(&mut self) {
        if self.made_folder && self.written == 0 {
            let _ = disk::remove_empty_folder(self.pattern.folder());
        }
    }
}
