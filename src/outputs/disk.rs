//! Every call of the library that changes the disk stands here, so that tests can make any of them fail ([`super::fault`]).
#![allow(clippy::disallowed_methods)]

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::fault::{self, Call};
use super::names::folder_of;

/// How often a file may be gone that has just been opened.
const MOST_TRIES: usize = 1000;

/// A file that is written, locked against other processes.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
    path: PathBuf,
}

/// What came of wanting a file for oneself.
pub(crate) enum Locked {
    /// It is there, empty or as somebody left it.
    Here(LockedFile),
    /// Another process has it.
    Taken,
}

impl LockedFile {
    /// Opens the file at `path`, or makes it, and locks it. Where the file system has no locks, it is only opened.
    pub fn open(path: &Path) -> io::Result<Locked> {
        for _ in 0..MOST_TRIES {
            if fs::symlink_metadata(path).is_ok_and(|facts| !facts.is_file()) {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "is no regular file"));
            }
            fault::before(Call::Create, path)?;
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Locked::Taken),
                // Some network file systems have no locks.
                Err(TryLockError::Error(error)) if has_no_locks(&error) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it before may have renamed or removed it since it was opened.
            if fs::symlink_metadata(path).is_ok_and(|facts| is_same(&facts, &file)) {
                return Ok(Locked::Here(Self { file, path: path.to_path_buf() }));
            }
        }
        Ok(Locked::Taken)
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For FFmpeg: another handle of the same file, under the same lock, which lasts as long as any of them.
    #[cfg(feature = "video")]
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, path: self.path.clone() })
    }

    /// Shortens the file.
    pub fn truncate(&mut self, length: u64) -> io::Result<()> {
        fault::before(Call::Truncate, &self.path)?;
        self.file.set_len(length)
    }

    /// Brings what was written to the disk.
    pub fn sync(&self) -> io::Result<()> {
        fault::before(Call::Sync, &self.path)?;
        self.file.sync_all()
    }

    /// Length and times.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }
}

impl Write for LockedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(half) = fault::before_write(&self.path, bytes.len())? {
            self.file.write_all(&bytes[..half])?;
            fault::kill();
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for LockedFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

impl Seek for LockedFile {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file.seek(place)
    }
}

/// Whether the file system has no locks.
fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error()) {
        return true;
    }
    error.kind() == ErrorKind::Unsupported
}

/// Whether these are the facts of the file that is open.
fn is_same(facts: &Metadata, file: &File) -> bool {
    file.metadata().is_ok_and(|own| same_file(facts, &own))
}

/// Whether both are one file, whatever its names.
#[cfg(unix)]
pub(super) fn same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Where files have no numbers, names alone tell them apart.
#[cfg(not(unix))]
pub(super) fn same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// Renames a file over whatever has the new name.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(Call::Rename, to)?;
    fs::rename(from, to)
}

/// Renames a file or folder; fails with [`ErrorKind::AlreadyExists`] where something has the new name.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(Call::Rename, to)?;
    match rename_exclusively(from, to) {
        Err(error) if is_unsupported(&error) => {}
        done => return done,
    }
    // A second name is given as exclusively, and where there are none, only another program could come in between.
    match fs::hard_link(from, to) {
        Ok(()) => {
            fault::before(Call::Remove, from)?;
            return fs::remove_file(from);
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

#[cfg(any(target_vendor = "apple", target_os = "linux", target_os = "android"))]
fn rename_exclusively(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from)
}

#[cfg(not(any(target_vendor = "apple", target_os = "linux", target_os = "android")))]
fn rename_exclusively(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    fault::before(Call::Remove, path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder whose parent is there; one that is there already is no error.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fault::before(Call::CreateFolder, path)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        done => done,
    }?;
    sync_folder(folder_of(path))
}

/// Makes a folder, and those that it lies in.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => create_folders(parent)?,
        _ => {}
    }
    create_folder(path)
}

/// Removes a folder if it is empty; one that is not, or is not there, is no error.
pub(crate) fn remove_empty_folder(path: &Path) -> io::Result<()> {
    fault::before(Call::RemoveFolder, path)?;
    match fs::remove_dir(path) {
        Err(error) if !matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Brings the names in a folder to the disk. Not every file system lets a folder be opened and synced for that.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    fault::before(Call::Sync, folder)?;
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if is_unsupported(&error) || error.kind() == ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Brings all files of the file system that `folder` lies in to the disk: for many files that were not synced one by one.
pub(crate) fn sync_all_below(folder: &Path) -> io::Result<()> {
    fault::before(Call::Sync, folder)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(File::open(folder)?)?;
    Ok(())
}
