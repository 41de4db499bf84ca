//! Names of files that are to be written.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Refuses names that cannot be written: whose folder does not exist, that are there already (unless `overwrite`), or that stand
/// there twice. A name may stand for many pictures: a folder, or a pattern such as `%04d.png`.
///
/// # Errors
/// [`Error::Output`] for the first of them.
pub fn check<'a>(names: impl IntoIterator<Item = &'a Path>, overwrite: bool) -> Result<()> {
    let mut seen = Vec::new();
    for path in names {
        let whole = full_name(path)?;
        if !overwrite && is_there(path) {
            return Err(there_already(path));
        }
        if seen.contains(&whole) {
            return Err(Error::output(path, "is named for two outputs"));
        }
        seen.push(whole);
    }
    Ok(())
}

/// Whether the name is that of a PNG file.
pub fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
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
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::output(path, format!("the folder {} does not exist", folder.display())));
    }
    folder.canonicalize().map_err(|error| Error::io(folder, error))
}

/// Whether an output would be written over something: a file, or in a folder the first of its pictures.
pub(crate) fn is_there(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("000000.png").exists();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((before, rest)) = name.split_once('%') else { return path.exists() };
    let Some((digits, after)) = rest.split_once('d') else { return path.exists() };
    let digits: usize = digits.parse().unwrap_or(1);
    path.with_file_name(format!("{before}{:0digits$}{after}", 0)).exists()
}
