//! Writing files whole or not at all.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;

use image::{EncodableLayout, ImageBuffer, ImageFormat, PixelWithColorType};
use serde::Serialize;

use crate::error::{Error, Result};

/// What the names of files begin with until they are complete.
pub const TEMPORARY_PREFIX: &str = ".dreamtuner-";

/// Writes a file so that its final name never shows anything but the whole of it.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let fail = |error| Error::io(path, error);
    let mut file = temporary_file(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    // The rename itself has to reach the disk; not every file system lets a folder be opened and synced for that.
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Err(fail(error)),
        _ => Ok(()),
    }
}

/// Writes a value as JSON that people can read, whole or not at all.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(|error| Error::output(path, error.to_string()))?;
    write_atomically(path, &json)
}

/// Writes a picture as a PNG file, whole or not at all.
pub fn write_png<P>(path: &Path, image: &ImageBuffer<P, Vec<P::Subpixel>>) -> Result<()>
where
    P: PixelWithColorType,
    [P::Subpixel]: EncodableLayout,
{
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).map_err(|error| Error::output(path, error.to_string()))?;
    write_atomically(path, bytes.get_ref())
}

/// Removes what a killed process has left incomplete in `folder`, where nothing else may be writing.
///
/// # Errors
/// [`Error::Io`] for a folder that cannot be read or a file that cannot be removed.
pub fn remove_incomplete(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let path = entry.map_err(|error| Error::io(folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(TEMPORARY_PREFIX)) {
            fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        }
    }
    Ok(())
}

/// A temporary file with the permissions that any new file gets, not those of a private one.
fn temporary_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
