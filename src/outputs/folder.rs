//! Folders that are whole or not there, and folders that are filled file by file.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::disk;
use super::names::{folder_of, hidden};
use super::part::{PART, PartFile};
use crate::error::{Error, Result};

/// Writes a folder of files (name and bytes) under a hidden name and gives it its own, `path`, which may be that of an empty
/// folder. `note` is called with the facts of the folder before that.
pub(super) fn write_folder(
    path: &Path,
    files: impl IntoIterator<Item = Result<(String, Vec<u8>)>>,
    note: impl FnOnce(&Metadata) -> Result<()>,
) -> Result<()> {
    let hidden = hidden(path, PART)?;
    let written = fill(&hidden, files).and_then(|()| {
        note(&hidden.metadata().map_err(|error| Error::io(path, error))?)?;
        let publish = || {
            disk::remove_empty_folder(path)?;
            disk::rename_new(&hidden, path)?;
            disk::sync_folder(folder_of(path))
        };
        publish().map_err(|error| Error::io(path, error))
    });
    written.inspect_err(|_| _ = clear(&hidden))
}

fn fill(folder: &Path, files: impl IntoIterator<Item = Result<(String, Vec<u8>)>>) -> Result<()> {
    clear(folder)?;
    disk::create_folder(folder).map_err(|error| Error::io(folder, error))?;
    for file in files {
        let (name, bytes) = file?;
        write_unsynced(&folder.join(name), &bytes)?;
    }
    disk::sync_all_below(folder).map_err(|error| Error::io(folder, error))
}

/// Removes a hidden folder that a killed process has left, and the files in it.
fn clear(folder: &Path) -> Result<()> {
    match folder.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(facts) if !facts.is_dir() => {
            return Err(Error::output(folder, "is in the way, and is not of this program"));
        }
        Ok(_) => {}
    }
    let entries = folder.read_dir().map_err(|error| Error::io(folder, error))?;
    for entry in entries.flatten() {
        disk::remove_file(&entry.path()).map_err(|error| Error::io(entry.path(), error))?;
    }
    disk::remove_empty_folder(folder).map_err(|error| Error::io(folder, error))
}

/// Writes a file whole or not at all; the system brings it to the disk when it likes, or with [`sync_all_below`].
///
/// # Errors
/// [`Error::Io`], [`Error::Output`].
///
/// [`sync_all_below`]: disk::sync_all_below
pub(crate) fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<()> {
    PartFile::replacing(path)?.write_unsynced(bytes)
}

/// Which files of a folder an earlier run of the same command has written.
#[derive(Debug, Clone, Copy)]
pub struct Earlier {
    /// When that run began, in nanoseconds since 1970; `None` where there was none.
    pub(super) began: Option<u64>,
}

impl Earlier {
    /// Whether it has written this file.
    pub fn wrote(self, file: &Path) -> bool {
        // A file without bytes is one that had not come to the disk when the power failed.
        let facts = file.metadata().ok().filter(|facts| facts.len() > 0);
        let modified = facts.and_then(|facts| facts.modified().ok());
        modified.zip(self.began).is_some_and(|(modified, began)| nanoseconds(modified) >= began)
    }
}

/// A time as nanoseconds since 1970.
pub(super) fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Makes a folder for outputs, and those that it lies in, where they are missing.
///
/// # Errors
/// [`Error::Io`].
pub fn make_folder(folder: &Path) -> Result<()> {
    disk::create_folders(folder).map_err(|error| Error::io(folder, error))
}

/// Folders that were made for outputs; those that are empty go again.
#[derive(Debug, Default)]
pub(super) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Makes a folder if only that one is missing.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn make(&mut self, folder: &Path) -> Result<()> {
        if !folder.is_dir() {
            let problem = |error| Error::output(folder, format!("the folder cannot be made ({error})"));
            disk::create_folder(folder).map_err(problem)?;
            self.0.push(folder.to_path_buf());
        }
        Ok(())
    }

    /// Makes a folder, and those that it lies in, where they are missing.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn make_with_parents(&mut self, folder: &Path) -> Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
        // The name before the first one of a relative path is empty.
        let mut missing = missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty());
        missing.try_for_each(|folder| self.make(folder))
    }

    /// They stay.
    pub fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            let _ = disk::remove_empty_folder(folder);
        }
    }
}
