//! Files that are whole or not there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{self, Locked, LockedFile};
use super::names::{folder_of, full_name, hidden, is_hidden, there_already};
use super::record::Record;
use crate::error::{Error, Result};

/// How the hidden names of incomplete files end.
pub(super) const PART: &str = ".part";

/// What may be replaced under a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaced {
    /// Nothing.
    Nothing,
    /// What the command itself has published, as its record says.
    Published,
    /// Whatever is there.
    Anything,
}

/// A file that grows under a hidden name beside its own, and takes its name once it is whole ([`publish`](Self::publish)). One
/// that is dropped before leaves nothing behind. A process that is killed leaves the hidden file, which the next one to write
/// the same output takes over.
#[derive(Debug)]
pub struct PartFile {
    target: PathBuf,
    file: LockedFile,
    replaced: Replaced,
    record: Option<Arc<Mutex<Record>>>,
    /// Whether the hidden name is gone.
    is_gone: bool,
}

impl PartFile {
    /// Begins the file `target`, which is to replace what is there under its name.
    ///
    /// # Errors
    /// [`Error::Output`] where the folder is missing or cannot be written to, where `target` is a folder, or while another process
    /// writes the same file.
    pub fn replacing(target: &Path) -> Result<Self> {
        Self::begin(target, Replaced::Anything, None)
    }

    /// As [`replacing`](Self::replacing); of what has the name, only what `replaced` says may be replaced.
    pub(super) fn begin(
        target: &Path,
        replaced: Replaced,
        record: Option<Arc<Mutex<Record>>>,
    ) -> Result<Self> {
        let folder = folder_of(target);
        if !folder.is_dir() {
            return Err(Error::output(target, format!("its folder {} does not exist", folder.display())));
        }
        if target.is_dir() {
            return Err(Error::output(target, "is a folder"));
        }
        let path = hidden(target, PART)?;
        let mut file = locked(target, &path)?;
        // What a killed process has left goes. It may have the target's name too, so it is not written over.
        if file.metadata().is_ok_and(|facts| facts.len() > 0) {
            disk::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            file = locked(target, &path)?;
        }
        Ok(Self { target: target.to_path_buf(), file, replaced, record, is_gone: false })
    }

    /// The name that the file is to take.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The name that it has until then.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Says what the file may replace.
    pub(super) fn set_replaced(&mut self, replaced: Replaced) {
        self.replaced = replaced;
    }

    /// A handle that writes into the file, for a writer that wants to have one of its own.
    ///
    /// # Errors
    /// [`Error::Io`].
    #[cfg(feature = "video")]
    pub(crate) fn writer(&self) -> Result<LockedFile> {
        self.file.try_clone().map_err(|error| Error::io(&self.target, error))
    }

    /// Writes all of the file, and gives it its name.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn write_bytes(mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::io(&self.target, error))?;
        self.publish()
    }

    /// As [`write_bytes`](Self::write_bytes); the system brings the file to the disk when it likes.
    pub(super) fn write_unsynced(mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::io(&self.target, error))?;
        self.publish_unsynced().map(drop)
    }

    /// Brings the file to the disk and gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] where something has the name that may not be replaced. Nothing new is left under the name
    /// then.
    pub fn publish(self) -> Result<()> {
        self.file.sync().map_err(|error| Error::io(&self.target, error))?;
        let target = self.target.clone();
        let may_replace = self.publish_unsynced()?;
        disk::sync_folder(folder_of(&target)).map_err(|error| {
            // The error is what there is to tell; a file that replaced another has to stay.
            if !may_replace {
                let _ = disk::remove_file(&target);
            }
            Error::io(&target, error)
        })
    }

    /// Removes the file, which was only wanted for a while.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn discard(mut self) -> Result<()> {
        self.is_gone = true;
        disk::remove_file(self.path()).map_err(|error| Error::io(self.path(), error))
    }

    /// Gives the file its name; whether it might have replaced another.
    fn publish_unsynced(mut self) -> Result<bool> {
        let fail = |error| Error::io(&self.target, error);
        let mut may_replace = self.replaced == Replaced::Anything;
        if let Some(record) = &self.record {
            let facts = self.file.metadata().map_err(fail)?;
            let full = full_name(&self.target)?;
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            may_replace |= self.replaced == Replaced::Published && record.published(&full);
            record.note(&full, &facts)?;
        }
        if may_replace {
            disk::rename(self.path(), &self.target).map_err(fail)?;
        } else {
            disk::rename_new(self.path(), &self.target).map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => there_already(&self.target),
                _ => fail(error),
            })?;
        }
        self.is_gone = true;
        Ok(may_replace)
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.is_gone {
            // Whatever led here is what there is to tell.
            let _ = disk::remove_file(self.path());
        }
    }
}

/// A hidden file that is there as long as something beside it is written: its lock keeps other processes away.
#[derive(Debug)]
pub(super) struct Lock {
    file: LockedFile,
    released: bool,
}

impl Lock {
    /// Locks what is called `target`, by a file beside `anchor`.
    pub fn take(target: &Path, anchor: &Path) -> Result<Self> {
        Ok(Self { file: locked(target, &hidden(anchor, ".lock")?)?, released: false })
    }

    /// Removes the file.
    pub fn release(mut self) -> Result<()> {
        self.released = true;
        disk::remove_file(self.file.path()).map_err(|error| Error::io(self.file.path(), error))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.released {
            let _ = disk::remove_file(self.file.path());
        }
    }
}

/// The hidden file `path`, for what is to become `target`.
pub(super) fn locked(target: &Path, path: &Path) -> Result<LockedFile> {
    let folder = folder_of(target).display();
    match LockedFile::open(path) {
        Ok(Locked::Here(file)) => Ok(file),
        Ok(Locked::Taken) => Err(Error::Busy { path: target.to_path_buf() }),
        Err(error) => {
            Err(Error::output(target, format!("its folder {folder} cannot be written to ({error})")))
        }
    }
}

/// Removes files that killed processes have left incomplete in a folder and in the folders in it; what a process is writing stays.
pub(crate) fn remove_parts(folder: &Path) -> Result<()> {
    remove_parts_to(folder, 1)
}

fn remove_parts_to(folder: &Path, depth: usize) -> Result<()> {
    for entry in folder.read_dir().map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| Error::io(&path, error))?;
        if kind.is_dir() && depth > 0 {
            remove_parts_to(&path, depth - 1)?;
        }
        if kind.is_file() && is_part(&path) {
            let unused = LockedFile::open(&path).map_err(|error| Error::io(&path, error))?;
            if let Locked::Here(_file) = unused {
                disk::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            }
        }
    }
    Ok(())
}

/// Whether the name is that of a file that is not complete.
fn is_part(path: &Path) -> bool {
    is_hidden(path) && path.as_os_str().as_encoded_bytes().ends_with(PART.as_bytes())
}
