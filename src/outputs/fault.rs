//! A disk that fails on request: how tests learn what a full or broken disk, or a killed process, would leave behind.
//!
//! The program reads two variables of the environment. `DREAMTUNER_DISK_FAULT=17:no-space` makes the 17th call that changes the
//! disk fail; `kill`, `full` and `io` are the other failures. `DREAMTUNER_DISK_LOG=FILE` appends a line to FILE for each such call.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// A call that changes the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Create,
    Write,
    Truncate,
    Sync,
    Rename,
    Remove,
    CreateFolder,
    RemoveFolder,
}

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The process ends before the call; of a write, half is done.
    Kill,
    /// The disk is full for this call.
    NoSpace,
    /// The disk is full from this call on: nothing can be made or written, only renamed and removed.
    Full,
    /// The disk reports an error.
    Io,
}

impl FromStr for Failure {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "kill" => Ok(Self::Kill),
            "no-space" => Ok(Self::NoSpace),
            "full" => Ok(Self::Full),
            "io" => Ok(Self::Io),
            _ => Err(format!("{text}; kill, no-space, full and io are allowed")),
        }
    }
}

struct Plan {
    /// Number of the call that fails, from 1, and how.
    failure: Option<(u64, Failure)>,
    log: Option<File>,
    calls: AtomicU64,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

/// Takes over what the environment asks for; to be called once, at the beginning of a program.
///
/// # Errors
/// [`Error::Setting`] for a variable that says something else; [`Error::Io`] for a log that cannot be written.
#[allow(clippy::disallowed_methods, reason = "the log is no output")]
pub fn from_environment() -> Result<()> {
    const FAULT: &str = "DREAMTUNER_DISK_FAULT";
    let (fault, log) = (std::env::var(FAULT).ok(), std::env::var_os("DREAMTUNER_DISK_LOG"));
    if fault.is_none() && log.is_none() {
        return Ok(());
    }
    let failure =
        fault.map(|text| parse(&text).map_err(|problem| Error::setting(FAULT, problem))).transpose()?;
    let open = |path| {
        let file = OpenOptions::new().append(true).create(true).open(&path);
        file.map_err(|error| Error::io(&path, error))
    };
    let plan = Plan { failure, log: log.map(open).transpose()?, calls: AtomicU64::new(0) };
    PLAN.set(plan).map_err(|_| Error::setting(FAULT, "was read before"))
}

fn parse(text: &str) -> std::result::Result<(u64, Failure), String> {
    let (number, failure) = text.split_once(':').ok_or("not of the form NUMBER:FAILURE")?;
    let number = number.parse().map_err(|_| format!("{number} is no number"))?;
    Ok((number, failure.parse()?))
}

/// To be asked before each call that changes the disk.
///
/// # Errors
/// The failure that is due.
pub(super) fn before(call: Call, path: &Path) -> io::Result<()> {
    match due(call, path) {
        None => Ok(()),
        Some(Failure::Kill) => kill(),
        Some(failure) => Err(failure.error()),
    }
}

/// As [`before`], for a write: of how many of the bytes it has still to be done before the process is killed.
///
/// # Errors
/// The failure that is due.
pub(super) fn before_write(path: &Path, length: usize) -> io::Result<Option<usize>> {
    match due(Call::Write, path) {
        None => Ok(None),
        Some(Failure::Kill) => Ok(Some(length / 2)),
        Some(failure) => Err(failure.error()),
    }
}

/// Ends the process as `kill -9` does: nothing is flushed, nothing is dropped.
pub(super) fn kill() -> ! {
    std::process::abort()
}

impl Failure {
    fn error(self) -> io::Error {
        match self {
            Self::NoSpace | Self::Full => io::ErrorKind::StorageFull.into(),
            Self::Kill | Self::Io => io::Error::other("Input/output error (asked for by a test)"),
        }
    }
}

fn due(call: Call, path: &Path) -> Option<Failure> {
    let plan = PLAN.get()?;
    let number = plan.calls.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(mut log) = plan.log.as_ref() {
        // A log that cannot be written shows in the test that reads it.
        let _ = writeln!(log, "{number} {call:?} {}", path.display());
    }
    let (at, failure) = plan.failure?;
    let frees = matches!(call, Call::Rename | Call::Remove | Call::RemoveFolder);
    let is_due = match failure {
        Failure::Full => number >= at && !frees,
        _ => number == at,
    };
    is_due.then_some(failure)
}
