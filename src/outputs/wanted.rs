//! What a command is to write.

use std::path::{Path, PathBuf};

use super::folder::MadeFolders;
use super::names::{Input, folder_of, full_name, is_hidden, is_png};
use super::part::PartFile;
use super::pattern::{Pattern, names_folder};
use super::pictures::Pictures;
use crate::error::{Error, Result};

/// Something that a command is to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A file.
    File(PathBuf),
    /// A file among many, which is begun only when it is written.
    OneOfMany(PathBuf),
    /// Numbered pictures: a folder, or a pattern such as `%04d.png`.
    Pictures(PathBuf),
    /// A new folder that appears with all its files at once.
    Folder(PathBuf),
    /// A new folder that is filled file by file.
    FilledFolder(PathBuf),
    /// A folder that is worked on again and again: one that the program has made, or an empty one.
    Kept(PathBuf),
}

impl Wanted {
    /// A clip: one file, or numbered pictures, as its name says.
    pub fn clip(path: &Path) -> Self {
        let has_number = path.file_name().is_some_and(|name| name.as_encoded_bytes().contains(&b'%'));
        match names_folder(path) || path.is_dir() || is_png(path) && has_number {
            true => Self::Pictures(path.to_path_buf()),
            false => Self::File(path.to_path_buf()),
        }
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::OneOfMany(path) | Self::Pictures(path) => path,
            Self::Folder(path) | Self::FilledFolder(path) | Self::Kept(path) => path,
        }
    }
}

/// A clip that may be written.
#[derive(Debug)]
pub enum Output {
    /// One file.
    File(PartFile),
    /// Numbered pictures.
    Pictures(Pictures),
}

impl Output {
    /// A clip that replaces what is there under its name.
    ///
    /// # Errors
    /// [`Error::Output`] for a name that cannot be written, or while another process writes it.
    pub fn replacing(path: &Path) -> Result<Self> {
        match Wanted::clip(path) {
            Wanted::File(path) => Ok(Self::File(PartFile::replacing(&path)?)),
            _ => Ok(Self::Pictures(Pictures::replacing(Pattern::parse(path)?))),
        }
    }
}

/// An output with its one full name.
#[derive(Debug)]
pub(super) struct Named {
    pub wanted: Wanted,
    /// Its name with its folder in full; of pictures, the pattern of their names.
    pub full: PathBuf,
}

impl Named {
    /// Names an output in full. Folders that are filled file by file are made; what was missing goes to `made`.
    ///
    /// # Errors
    /// [`Error::Output`] for a name that cannot be one; [`Error::Io`].
    pub fn new(wanted: Wanted, made: &mut MadeFolders) -> Result<Self> {
        let path = wanted.path();
        let refuse = |problem: &str| Err(Error::output(path, problem));
        let full = match &wanted {
            Wanted::File(_) | Wanted::OneOfMany(_) if path.is_dir() => return refuse("is a folder"),
            Wanted::File(_) | Wanted::OneOfMany(_) => full_name(path)?,
            _ if names_folder(path) && full_name(path).is_ok_and(|full| full.is_file()) => {
                return refuse("is no folder");
            }
            Wanted::Pictures(_) => {
                let pattern = Pattern::parse(path)?;
                if pattern.is_folder() {
                    made.make(pattern.folder())?;
                }
                full_name(&pattern.folder().join(pattern.file_name()))?
            }
            Wanted::Folder(_) => {
                made.make_with_parents(folder_of(path))?;
                full_name(path)?
            }
            Wanted::FilledFolder(_) | Wanted::Kept(_) => {
                made.make_with_parents(path)?;
                path.canonicalize().map_err(|error| Error::io(path, error))?
            }
        };
        Ok(Self { wanted, full })
    }

    /// The name beside which the output's record and lock stand: within the folder of what is filled file by file.
    pub fn anchor(&self) -> PathBuf {
        match self.wanted {
            Wanted::FilledFolder(_) | Wanted::Kept(_) => self.full.join("folder"),
            _ => self.full.clone(),
        }
    }

    /// What is there of the output already.
    pub fn there(&self) -> Vec<PathBuf> {
        match &self.wanted {
            Wanted::File(_) | Wanted::OneOfMany(_) => {
                self.full.symlink_metadata().map_or(Vec::new(), |_| vec![self.full.clone()])
            }
            Wanted::Pictures(path) => match Pattern::parse(path) {
                Ok(pattern) => pattern.there().into_iter().map(|(_, path)| path).collect(),
                Err(_) => Vec::new(),
            },
            Wanted::Folder(path) | Wanted::FilledFolder(path) | Wanted::Kept(path) => match path.read_dir() {
                // What the program itself has left there does not count.
                Ok(entries) => {
                    entries.flatten().map(|entry| entry.path()).filter(|path| !is_hidden(path)).collect()
                }
                Err(_) => path.symlink_metadata().map_or(Vec::new(), |_| vec![path.clone()]),
            },
        }
    }

    /// Refuses an output that would take an input's place.
    ///
    /// # Errors
    /// [`Error::Output`] with the input.
    pub fn check_inputs(&self, inputs: &[Input]) -> Result<()> {
        let replaced = match self.wanted {
            Wanted::File(_) | Wanted::OneOfMany(_) | Wanted::Pictures(_) => self.there(),
            Wanted::Folder(_) | Wanted::FilledFolder(_) | Wanted::Kept(_) => Vec::new(),
        };
        for input in inputs {
            if input.is(&self.full) || replaced.iter().any(|path| input.is(path) || input.holds(path)) {
                let problem = format!("would replace an input, {}", input.path.display());
                return Err(Error::output(self.wanted.path(), problem));
            }
        }
        Ok(())
    }
}
