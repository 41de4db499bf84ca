//! Names of files that are to be written.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::disk::same_file;
use crate::error::{Error, Result};
use crate::files::{has_extension, is_picture};

/// What the names of files begin with that belong to the program alone: files until they are complete, and records of commands
/// that have not come to their end.
pub const HIDDEN_PREFIX: &str = ".dreamtuner-";

/// Longest name of a file, in bytes, on the file systems in use.
const LONGEST_NAME: usize = 255;

/// How the names of files end that are read from folders beside pictures: poses, lists, weights with their configurations.
const READ_FROM_FOLDERS: [&str; 5] = ["json", "jsonl", "txt", "safetensors", "onnx"];

/// Whether the name is that of a file that would be read from its folder.
pub(super) fn is_read_from_folders(path: &Path) -> bool {
    !is_hidden(path) && (is_picture(path) || has_extension(path, &READ_FROM_FOLDERS))
}

/// Whether the name is that of a PNG file.
pub fn is_png(path: &Path) -> bool {
    has_extension(path, &["png"])
}

/// Refuses a contact sheet of another name than a PNG file's.
///
/// # Errors
/// [`Error::Output`].
#[cfg(feature = "video")]
pub(crate) fn check_sheet_name(path: &Path) -> Result<()> {
    if is_png(path) { Ok(()) } else { Err(Error::output(path, "a contact sheet is a .png file")) }
}

/// Says that `path` would be written over.
pub(crate) fn there_already(path: &Path) -> Error {
    Error::output(path, "is there already; --overwrite replaces it")
}

/// An output's name with its folder in full.
pub(crate) fn full_name(path: &Path) -> Result<PathBuf> {
    Ok(existing_folder(path)?.join(path.file_name().unwrap_or_default()))
}

/// The folder that an output is written to, in full.
pub(crate) fn existing_folder(path: &Path) -> Result<PathBuf> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(Error::output(path, format!("the folder {} does not exist", folder.display())));
    }
    folder.canonicalize().map_err(|error| Error::io(folder, error))
}

/// The folder that a file stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside `target` that belongs to the program: `.dreamtuner-out.mp4.part`; without the target's name where that is too
/// long.
pub(super) fn hidden(target: &Path, kind: &str) -> Result<PathBuf> {
    let name = target.file_name().ok_or_else(|| Error::output(target, "is not the name of a file"))?;
    let mut hidden = OsString::from(HIDDEN_PREFIX);
    if name.len() + hidden.len() + kind.len() <= LONGEST_NAME {
        hidden.push(name);
    } else {
        hidden.push(&blake3::hash(name.as_encoded_bytes()).to_hex()[..16]);
    }
    hidden.push(kind);
    Ok(target.with_file_name(hidden))
}

/// Whether the name is one of those that belong to the program.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(HIDDEN_PREFIX.as_bytes()))
}

/// A file or folder that is read.
pub(super) struct Input<'a> {
    pub path: &'a Path,
    /// Its own name, and that of what it leads to if it is a link, both with their folders in full.
    names: [Option<PathBuf>; 2],
    facts: Option<Metadata>,
}

impl<'a> Input<'a> {
    pub fn new(path: &'a Path) -> Self {
        Self { path, names: [full_name(path).ok(), path.canonicalize().ok()], facts: path.metadata().ok() }
    }

    /// Whether an output with the full name `full` would take its place: under its name, through a link, or as another name of it.
    pub fn is(&self, full: &Path) -> bool {
        let named = self.names.iter().flatten().any(|name| name == full);
        let facts = self.facts.as_ref().zip(full.metadata().ok());
        named || facts.is_some_and(|(input, output)| cfg!(unix) && same_file(input, &output))
    }

    /// Whether it is a folder that is read, and the file `full` is of a kind that is read from folders: clips never are.
    pub fn holds(&self, full: &Path) -> bool {
        let folder = full.parent().and_then(|folder| folder.canonicalize().ok());
        is_read_from_folders(full)
            && self.facts.as_ref().is_some_and(Metadata::is_dir)
            && folder.zip(self.names[1].as_ref()).is_some_and(|(folder, input)| folder.starts_with(input))
    }
}
