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
    let mut line = line_of(Path::new(setting), &table)?;
    line.extend(changes.iter().map(|(name, value)| OsString::from(format!("--{name}={value}"))));
    parsed(line).map_err(fail)
}

/// The options that a file holds.
///
/// # Errors
/// [`Error::Input`] where the command line would refuse them.
pub fn options_from<Options: Args>(path: &Path, table: &toml::Table) -> Result<Options> {
    parsed(line_of(path, table)?).map_err(|problem| Error::input(path, problem))
}

/// The options of the file `path` as the command line has them.
fn line_of(path: &Path, table: &toml::Table) -> Result<Vec<OsString>> {
    let options = table.iter().map(|(name, value)| as_arguments(path, name, value));
    Ok(options.collect::<Result<Vec<_>>>()?.concat())
}

/// Options from a command line without a command. What is wrong, in one line.
fn parsed<Options: Args>(line: Vec<OsString>) -> std::result::Result<Options, String> {
    let command = Options::augment_args(Command::new("options")).no_binary_name(true);
    let matches = command.try_get_matches_from(line).and_then(|matches| Options::from_arg_matches(&matches));
    matches.map_err(|error| in_short(&error))
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

/// What an option names; the last one wins.
pub fn named_by(flag: &str, arguments: &[OsString]) -> Option<OsString> {
    arguments.iter().enumerate().rev().find_map(|(index, argument)| {
        let text = argument.to_str()?;
        match text.strip_prefix(flag) {
            Some("") => arguments.get(index + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(OsString::from),
            None => None,
        }
    })
}

/// `options` as TOML, for the file `path`, which `--config` can read.
pub fn text(options: &impl Serialize, path: &Path) -> Result<String> {
    toml::to_string_pretty(options).map_err(|error| Error::output(path, error.to_string()))
}
