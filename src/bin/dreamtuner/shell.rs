//! `dreamtuner completions` and `dreamtuner man`: what shells and `man` are told of the program.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use dreamtuner::outputs::{Reservation, Wanted, make_folder};
use dreamtuner::{Error, Result};

use crate::say::print;

/// Options of `dreamtuner completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Options of `dreamtuner man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder for the pages, one for each command
    folder: PathBuf,
    /// Replace pages that are there
    #[arg(long)]
    overwrite: bool,
}

/// Prints a script that completes the options of `command`.
pub fn completions(arguments: &CompletionsArgs, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}

/// Writes the pages of `command` and of all commands below it.
pub fn man(arguments: &ManArgs, command: Command) -> Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, &arguments.folder, &mut pages)?;
    make_folder(&arguments.folder)?;
    let wanted = pages.iter().map(|(path, _)| Wanted::File(path.clone())).collect();
    let mut reserved = Reservation::begin(wanted, &[], arguments.overwrite, "man")?;
    for (path, page) in &pages {
        reserved.file(path)?.write_bytes(page)?;
    }
    reserved.finish()
}

fn add_pages(command: &Command, folder: &Path, pages: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page).map_err(|error| Error::io(&path, error))?;
    pages.push((path, page));
    command.get_subcommands().try_for_each(|command| add_pages(command, folder, pages))
}
