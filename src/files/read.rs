//! Reading files whole, up to a limit.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file for reading. A pipe is waited for until somebody writes to it.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for a folder, a device, or a pipe that nobody writes to.
pub(crate) fn open(path: &Path) -> Result<File> {
    let fail = |error| Error::io(path, error);
    let kind = path.metadata().map_err(fail)?.file_type();
    match kind {
        kind if is_pipe(kind) => open_pipe(path),
        kind if kind.is_file() => File::open(path).map_err(fail),
        kind if kind.is_dir() => Err(Error::input(path, "is a folder; a file was expected")),
        // Devices are read without end.
        _ => Err(Error::input(path, "is a device or a socket; a file was expected")),
    }
}

/// Refuses what cannot be read more than once: only files and folders can.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`].
pub fn check_rereadable(path: &Path) -> Result<()> {
    let kind = path.metadata().map_err(|error| Error::io(path, error))?.file_type();
    match kind.is_file() || kind.is_dir() {
        true => Ok(()),
        false => {
            Err(Error::input(path, "is a pipe or a device, and is read more than once: save it as a file"))
        }
    }
}

/// The bytes of a file of at most `most` bytes.
///
/// # Errors
/// As [`open`]; [`Error::Input`] for a longer file.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let fail = |error| Error::io(path, error);
    let file = open(path)?;
    let size = file.metadata().map_err(fail)?.len();
    let too_long = |size: u64| Error::input(path, format!("{size} bytes or more; at most {most} are read"));
    if size > most {
        return Err(too_long(size));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    let read = file.take(most + 1).read_to_end(&mut bytes).map_err(fail)?;
    if read as u64 > most { Err(too_long(read as u64)) } else { Ok(bytes) }
}

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for a file that is longer or not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let bytes = read(path, most)?;
    String::from_utf8(bytes).map_err(|error| Error::input(path, format!("is no UTF-8 text: {error}")))
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_: FileType) -> bool {
    false
}

/// Opens a pipe, which by itself would wait for a writer without end.
#[cfg(unix)]
#[allow(clippy::disallowed_methods, reason = "only read")]
fn open_pipe(path: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{OFlags, fcntl_setfl};

    /// Seconds that a writer may take to come.
    const PATIENCE: i64 = 5;
    let fail = |error: io::Error| Error::io(path, error);
    // A pipe without a name of its own (`| dreamtuner … /dev/stdin`) has its writer.
    if path.canonicalize().is_err() {
        return File::open(path).map_err(fail);
    }
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(fail)?;
    let patience = Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&patience));
    if ready.map_err(|error| fail(error.into()))? == 0 {
        return Err(Error::input(path, format!("is a pipe that nobody has written to for {PATIENCE} s")));
    }
    fcntl_setfl(&file, OFlags::empty()).map_err(|error| fail(error.into()))?;
    Ok(file)
}

#[cfg(not(unix))]
fn open_pipe(path: &Path) -> Result<File> {
    File::open(path).map_err(|error: io::Error| Error::io(path, error))
}
