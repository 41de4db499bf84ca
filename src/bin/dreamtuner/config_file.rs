//! `--config FILE`: options from a TOML file, as if they stood on the command line before the others.
//!
//! A key is the name of a long option; `true` sets a flag, `false` leaves it out, a list repeats the option. What stands on
//! the command line wins; options that can be repeated add up.

use std::ffi::OsString;
use std::path::Path;

use clap::{Args, Command};
use dreamtuner::{Error, Result, files::write_atomically};
use serde::Serialize;
use toml::Value;

/// The arguments with the options of the file that `--config` names put before the user's own. Only
/// the command called `name`, whose options are `Options`, has it.
///
/// # Errors
/// A file that cannot be read, holds anything but options of the command, or a value that an option does not take.
pub fn with_config<Options: Args>(arguments: Vec<OsString>, name: &'static str) -> Result<Vec<OsString>> {
    if arguments.get(1).is_none_or(|command| command != name) {
        return Ok(arguments);
    }
    let Some(path) = config_path(&arguments) else { return Ok(arguments) };
    let path = Path::new(&path);
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let text = String::from_utf8(bytes).map_err(|error| Error::input(path, error.to_string()))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Error::input(path, error.message()))?;
    let command = Options::augment_args(Command::new(name))
        .no_binary_name(true)
        .mut_args(|argument| argument.required(false));
    let mut options = Vec::new();
    for (name, value) in &table {
        let values =
            if let Value::Array(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
        for value in values {
            let option = option(path, name, value)?;
            check(path, name, option.as_ref(), &command)?;
            options.extend(option);
        }
    }
    // The program's name and the command come first.
    let (program, own) = arguments.split_at(2);
    Ok([program, &options, own].concat())
}

/// Refuses what the command line would refuse, in the name of the file.
fn check(path: &Path, name: &str, option: Option<&OsString>, command: &Command) -> Result<()> {
    let known = command.get_arguments().any(|argument| argument.get_long() == Some(name));
    if !known || UNKNOWN_HERE.contains(&name) {
        return Err(Error::input(path, format!("{name}: there is no such option")));
    }
    let parsed = command.clone().try_get_matches_from(option);
    parsed.map(drop).map_err(|error| {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let lines = text.split("\n\nFor more information").next().unwrap_or_default();
        Error::input(path, lines.split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

/// Options that say where the options are, or that end the program.
const UNKNOWN_HERE: [&str; 4] = ["config", "save-config", "help", "version"];

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
