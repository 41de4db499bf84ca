//! Options from a file, as if they stood on the command line before the others: `--config FILE` takes them from TOML.
//!
//! A key is the name of a long option; `true` sets a flag, `false` leaves it out, a list repeats the option. What stands on
//! the command line wins; options that can be repeated add up.

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args, Command};
use dreamtuner::files::as_arguments;
use dreamtuner::{Error, Result};
use serde::Serialize;

/// A command that takes options from a file.
pub struct FileOption {
    /// The command's name.
    pub command: &'static str,
    /// The option that names the file, with its dashes.
    pub flag: &'static str,
    /// Reads the options that the file holds.
    pub read: fn(&Path) -> Result<toml::Table>,
}

/// The arguments with the options of the file that `file.flag` names put before the user's own. `Options` are the command's.
///
/// # Errors
/// A file that cannot be read, holds anything but options of the command, or a value that an option does not take.
pub fn with_file<Options: Args>(arguments: Vec<OsString>, file: &FileOption) -> Result<Vec<OsString>> {
    if arguments.get(1).is_none_or(|command| command != file.command) {
        return Ok(arguments);
    }
    let Some(path) = named_by(file.flag, &arguments) else { return Ok(arguments) };
    let path = Path::new(&path);
    let table = (file.read)(path)?;
    let command = Options::augment_args(Command::new(file.command))
        .no_binary_name(true)
        .mut_args(|argument| argument.required(false));
    let mut options = Vec::new();
    for (name, value) in &table {
        let own = as_arguments(path, name, value)?;
        check(path, name, &own, &command)?;
        options.extend(own);
    }
    // The program's name and the command come first.
    let (program, own) = arguments.split_at(2);
    Ok([program, &options, own].concat())
}

/// `options` with others in the place of some: those of `changes`, by name.
///
/// # Errors
/// [`Error::Setting`], in the name of `setting`: an option that is not there, or does not take its value.
pub fn changed<Options: Args + Serialize>(
    options: &Options,
    changes: &[(String, String)],
    setting: &str,
) -> Result<Options> {
    let fail = |problem: String| Error::setting(setting, problem);
    let mut table = toml::Table::try_from(options).map_err(|error| fail(error.to_string()))?;
    changes.iter().for_each(|(name, _)| _ = table.remove(name));
    let mut line = Vec::new();
    for (name, value) in &table {
        line.extend(as_arguments(Path::new(setting), name, value)?);
    }
    line.extend(changes.iter().map(|(name, value)| OsString::from(format!("--{name}={value}"))));
    let command = Options::augment_args(Command::new("options")).no_binary_name(true);
    let matches = command.try_get_matches_from(line).and_then(|matches| Options::from_arg_matches(&matches));
    matches.map_err(|error| fail(in_short(&error)))
}

/// The options of a file, and `line` after them, which wins.
///
/// # Errors
/// [`Error::Input`] where the command line would refuse them.
pub fn options_from<Options: Args>(path: &Path, table: &toml::Table, line: Vec<OsString>) -> Result<Options> {
    let mut options = Vec::new();
    for (name, value) in table {
        options.extend(as_arguments(path, name, value)?);
    }
    options.extend(line);
    let command =
        Options::augment_args(Command::new("options")).no_binary_name(true).args_override_self(true);
    let matches =
        command.try_get_matches_from(options).and_then(|matches| Options::from_arg_matches(&matches));
    matches.map_err(|error| Error::input(path, in_short(&error)))
}

/// Refuses what the command line would refuse, in the name of the file.
fn check(path: &Path, name: &str, options: &[OsString], command: &Command) -> Result<()> {
    let known = command.get_arguments().any(|argument| argument.get_long() == Some(name));
    if !known || UNKNOWN_HERE.contains(&name) {
        return Err(Error::input(path, format!("{name}: there is no such option")));
    }
    for option in options {
        match command.clone().try_get_matches_from([option]) {
            // What an option needs beside it may stand elsewhere.
            Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
                return Err(Error::input(path, in_short(&error)));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The error in one line, without the advice.
fn in_short(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines = text.split("\n\nFor more information").next().unwrap_or_default();
    lines.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Options that say where the options are, or that end the program.
const UNKNOWN_HERE: [&str; 5] = ["config", "save-config", "from", "help", "version"];

fn named_by(flag: &str, arguments: &[OsString]) -> Option<OsString> {
    arguments.iter().enumerate().find_map(|(index, argument)| {
        let text = argument.to_str()?;
        match text.strip_prefix(flag) {
            Some("") => arguments.get(index + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(OsString::from),
            None => None,
        }
    })
}

/// As [`text`], where files and folders that are there are named in full: whoever reads it may stand elsewhere.
pub fn text_with_whole_paths<Options: Args + Serialize>(options: &Options, path: &Path) -> Result<String> {
    let fail = |error: toml::ser::Error| Error::output(path, error.to_string());
    let mut table = toml::Table::try_from(options).map_err(fail)?;
    let command = Options::augment_args(Command::new("options"));
    for (name, value) in &mut table {
        let argument = command.get_arguments().find(|argument| argument.get_long() == Some(name));
        let is_text =
            argument.and_then(|argument| argument.get_value_names()).is_some_and(|names| names == ["TEXT"]);
        if !is_text {
            name_in_full(value);
        }
    }
    text(&table, path)
}

/// Names a file in full, up to the first comma: settings may follow.
fn name_in_full(value: &mut toml::Value) {
    match value {
        toml::Value::String(text) => {
            let (file, settings) = text.split_at(text.find(',').unwrap_or(text.len()));
            if let Some(whole) = Path::new(file)
                .canonicalize()
                .ok()
                .and_then(|whole| whole.into_os_string().into_string().ok())
                && !file.is_empty()
            {
                *text = whole + settings;
            }
        }
        toml::Value::Array(values) => values.iter_mut().for_each(name_in_full),
        _ => {}
    }
}

/// `options` as TOML, for the file `path`, which `--config` can read.
pub fn text(options: &impl Serialize, path: &Path) -> Result<String> {
    toml::to_string_pretty(options).map_err(|error| Error::output(path, error.to_string()))
}
