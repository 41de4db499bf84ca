//! Options from a TOML file, as they would stand on a command line.

use std::ffi::OsString;
use std::path::Path;

use toml::{Table, Value};

use super::read::read_text;
use crate::error::{Error, Result};

/// Longest file that is read.
const MAX_BYTES: u64 = 1 << 24;

/// The options in a TOML file, by name.
///
/// # Errors
/// A file that cannot be read, is longer than 16 MiB, or is no TOML.
pub fn read_options(path: &Path) -> Result<Table> {
    parse_options(path, &read_text(path, MAX_BYTES)?)
}

/// The options in the text of a file.
///
/// # Errors
/// [`Error::Input`] for a text that is no TOML.
pub fn parse_options(path: &Path, text: &str) -> Result<Table> {
    text.parse().map_err(|error: toml::de::Error| Error::input(path, error.message()))
}

/// An option of the file `path` as the command line has it: nothing for `false`, once, or, for a list, for each of its values.
///
/// # Errors
/// [`Error::Input`] for a value that no option has.
pub fn as_arguments(path: &Path, name: &str, value: &Value) -> Result<Vec<OsString>> {
    let values = if let Value::Array(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
    let options = values.iter().map(|value| argument(path, name, value)).collect::<Result<Vec<_>>>()?;
    Ok(options.into_iter().flatten().collect())
}

fn argument(path: &Path, name: &str, value: &Value) -> Result<Option<OsString>> {
    let text = match value {
        Value::Boolean(true) => return Ok(Some(format!("--{name}").into())),
        Value::Boolean(false) => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        other => {
            let problem =
                format!("{name} = {other}: text, numbers, true, false and lists of them are allowed");
            return Err(Error::input(path, problem));
        }
    };
    Ok(Some(format!("--{name}={text}").into()))
}
