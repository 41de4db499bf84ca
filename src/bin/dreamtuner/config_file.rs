//! `--config FILE`: options from a TOML file, as if they stood on the command line before the others.
//!
//! A key is the name of a long option; `true` sets a flag, `false` leaves it out, a list repeats the option. What stands on
//! the command line wins; options that can be repeated add up.

use std::ffi::OsString;
use std::path::Path;

use dreamtuner::{Error, Result, files::write_atomically};
use serde::Serialize;
use toml::Value;

/// The arguments with the options of the file that `--config` names put before the user's own.
pub fn with_config(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(path) = config_path(&arguments) else { return Ok(arguments) };
    let path = Path::new(&path);
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Error::input(path, error.message()))?;
    // The program's name and the command come first.
    let (command, own) = arguments.split_at(2.min(arguments.len()));
    let mut all = command.to_vec();
    for (name, value) in &table {
        let values =
            if let Value::Array(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
        for value in values {
            all.extend(option(path, name, value)?);
        }
    }
    all.extend_from_slice(own);
    Ok(all)
}

fn config_path(arguments: &[OsString]) -> Option<OsString> {
    arguments.iter().enumerate().find_map(|(index, argument)| {
        let text = argument.to_str()?;
        match text.strip_prefix("--config") {
            Some("") => arguments.get(index + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(OsString::from),
            None => None,
        }
    })
}

fn option(path: &Path, name: &str, value: &Value) -> Result<Option<OsString>> {
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

/// Writes `options` as a file that `--config` reads.
pub fn save(path: &Path, options: &impl Serialize) -> Result<()> {
    let text = toml::to_string_pretty(options).map_err(|error| Error::output(path, error.to_string()))?;
    write_atomically(path, text.as_bytes())
}
