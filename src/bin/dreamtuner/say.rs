//! Writing to the terminal without minding that it may be gone: a render of hours must not end with it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

use dreamtuner::{Error, Result};

/// A line on the standard error.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What a command was asked for, on the standard output. A reader that has seen enough is no error.
pub fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("standard output", error)),
        _ => Ok(()),
    }
}

/// The standard error, for warnings: files are read more than once, but what is odd about one is said once.
pub struct Warnings;

static SAID: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());

impl Write for Warnings {
    /// A warning comes as one piece.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_new = SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_vec());
        if is_new {
            io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
