//! Writing to the terminal without minding that it may be gone: a render of hours must not end with it.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

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
