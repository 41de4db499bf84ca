//! Exit codes: who has to act.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};
use dreamtuner::Error;

use crate::CommandLine;
use crate::say::say;

/// Everything was done.
pub const SUCCESS: i32 = 0;
/// Stopped on request; what was finished is kept.
pub const INTERRUPTED: i32 = 130;

/// Shown below the help.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    a computation failed (memory, device)
  2    a wrong option or setting
  3    an input file cannot be used
  4    a weights file cannot be used
  5    a file is missing, or the system refused to read or write it
  6    the output could not be encoded
  7    the frames beside the output belong to a render with other settings
  75   another run of this program is writing the output: try again later
  130  interrupted; the frames done so far are kept
RUST_LOG=info tells more on the way.";

/// The exit code for an error.
fn code(error: &Error) -> i32 {
    match error {
        Error::Compute(_) => 1,
        Error::Setting { .. } => 2,
        Error::Input { .. } => 3,
        Error::Weights { .. } => 4,
        Error::Io { .. } => 5,
        Error::Output { .. } => 6,
        Error::Plan { .. } => 7,
        Error::Busy { .. } => 75,
        Error::Interrupted => INTERRUPTED,
        Error::Frame { source, .. } => code(source),
    }
}

/// Says what went wrong; the exit code for it.
pub fn report(error: &Error) -> i32 {
    say(format_args!("error: {}", message(error)));
    code(error)
}

/// The error in words, with settings named as on the command line, and files with the option that named them.
pub fn message(error: &Error) -> String {
    let (command, arguments) = (CommandLine::command(), std::env::args_os().skip(1).collect::<Vec<_>>());
    match error {
        Error::Setting { name, .. } if is_option(&command, name) => format!("--{error}"),
        Error::Frame { frame, source } => format!("frame {frame}: {}", message(source)),
        other => match other.path().and_then(|path| Some((path, option_of(path, &command, &arguments)?))) {
            Some((path, option)) => {
                let path = path.display().to_string();
                other.to_string().replacen(&path, &format!("{path} ({option})"), 1)
            }
            None => other.to_string(),
        },
    }
}

/// The option that named a file, or the folder or the list of settings that it belongs to.
fn option_of<'a>(path: &Path, root: &Command, arguments: &'a [OsString]) -> Option<&'a str> {
    let names = |value: &str| {
        let file = Path::new(value.split(',').next().unwrap_or(value));
        !value.is_empty() && path.starts_with(file)
    };
    let (mut command, mut option) = (root, None);
    for argument in arguments.iter().map(|argument| argument.to_str().unwrap_or_default()) {
        match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") && names(value) => return Some(name),
            _ if argument.starts_with('-') => {
                option = Some(argument).filter(|name| takes_value(command, name))
            }
            _ if option.is_some() && names(argument) => return option,
            _ => {
                command = command.find_subcommand(argument).unwrap_or(command);
                option = None;
            }
        }
    }
    None
}

/// Whether a command has an option, as `--name` or `-n`, with a value behind it.
fn takes_value(command: &Command, option: &str) -> bool {
    let is_it = |argument: &&Arg| match option.strip_prefix("--") {
        Some(name) => argument.get_long() == Some(name),
        None => argument.get_short().is_some_and(|letter| option == format!("-{letter}")),
    };
    command.get_arguments().find(is_it).is_some_and(|argument| argument.get_action().takes_values())
}

fn is_option(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|argument| argument.get_long() == Some(name))
        || command.get_subcommands().any(|command| is_option(command, name))
}
