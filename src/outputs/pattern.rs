//! Names of numbered pictures.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// How the files of a picture sequence are called: a number, with zeros in front, between two fixed parts of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    folder: PathBuf,
    /// Whether the pictures are named by their folder.
    is_folder: bool,
    before: String,
    digits: usize,
    after: String,
}

impl Pattern {
    /// The pattern `%d` or `%0Nd` (N from 1 to 9) in the name of `path`, or six digits in the folder `path`.
    ///
    /// # Errors
    /// [`Error::Output`] for a name that is neither.
    pub fn parse(path: &Path) -> Result<Self> {
        if names_folder(path) || path.is_dir() {
            return Ok(Self::in_folder(path));
        }
        let wrong = || {
            let problem =
                "a PNG sequence is named with one number, such as frame%04d.png, or by a folder ending in /";
            Error::output(path, problem)
        };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let (before, rest) = name.split_once('%').ok_or_else(wrong)?;
        let (width, after) = rest.split_once('d').ok_or_else(wrong)?;
        let digits = match width.as_bytes() {
            [] => 1,
            [b'0', digit @ b'1'..=b'9'] => usize::from(digit - b'0'),
            _ => return Err(wrong()),
        };
        if after.contains('%') {
            return Err(wrong());
        }
        let folder = super::names::folder_of(path).to_path_buf();
        Ok(Self { folder, is_folder: false, before: before.to_owned(), digits, after: after.to_owned() })
    }

    /// Pictures of six digits in a folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let (before, after) = (String::new(), ".png".to_owned());
        Self { folder: folder.to_path_buf(), is_folder: true, before, digits: 6, after }
    }

    /// The folder that the pictures lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the pictures are named by their folder.
    pub(super) fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The name of a picture.
    pub fn file(&self, number: usize) -> PathBuf {
        self.folder.join(self.name(number))
    }

    /// The pattern itself, as the name of a file: one for all ways to write it.
    pub(super) fn file_name(&self) -> String {
        let width = if self.digits == 1 { String::new() } else { format!("0{}", self.digits) };
        format!("{}%{width}d{}", self.before, self.after)
    }

    fn name(&self, number: usize) -> String {
        format!("{}{number:0digits$}{}", self.before, self.after, digits = self.digits)
    }

    /// The pictures that are there, with their numbers, in no order.
    pub(crate) fn there(&self) -> Vec<(usize, PathBuf)> {
        let Ok(entries) = self.folder.read_dir() else { return Vec::new() };
        let picture =
            |entry: std::fs::DirEntry| Some((self.number(entry.file_name().to_str()?)?, entry.path()));
        entries.flatten().filter_map(picture).collect()
    }

    /// The number in a name.
    fn number(&self, name: &str) -> Option<usize> {
        let number = name.strip_prefix(&self.before)?.strip_suffix(&self.after)?.parse().ok()?;
        (self.name(number) == name).then_some(number)
    }
}

/// Whether the path is written as that of a folder, with a slash at its end.
pub(crate) fn names_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|&last| std::path::is_separator(last.into()))
}
