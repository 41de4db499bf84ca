//! Dances by name or from a file.

use std::path::Path;

use dreamtuner_puppet::Choreography;
use dreamtuner_puppet::choreography::ParseError;

use crate::error::{Error, Result};
use crate::files::read_text;

/// Longest file of a dance that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The file that `dance` names; `None` where it is the name of a dance, or looks like no path.
pub fn dance_file(dance: &str) -> Option<&Path> {
    let (known, path) = (Choreography::names().any(|name| name == dance), Path::new(dance));
    (!known && (path.is_file() || dance.contains(['.', '/', '\\']))).then_some(path)
}

/// A dance that comes with the program, by its name, or one from a file.
///
/// # Errors
/// [`Error::Setting`] for a name that is neither a dance nor a file and looks like no path, [`Error::Io`] and
/// [`Error::Input`] for a file that cannot be used.
pub fn open_dance(dance: &str) -> Result<Choreography> {
    let Some(path) = dance_file(dance) else {
        return Choreography::named(dance).map_err(|error| Error::setting("dance", error.to_string()));
    };
    let text = read_text(path, MAX_BYTES)?;
    text.parse().map_err(|error: ParseError| Error::input(path, error.to_string()))
}
