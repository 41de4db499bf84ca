//! From a picture to the file of its rig.

use std::path::{Path, PathBuf};

use super::doubts::Doubts;
use super::figure::RigFiles;
use super::file::{RigFile, parts_beside};
use super::sheet::sheet;
use crate::error::{Error, Result};
use crate::outputs::{Reservation, Wanted, check_sheet_name};

/// One rig, from files to files.
#[derive(Debug, Clone)]
pub struct RigJob {
    /// The picture and what is known of it.
    pub figure: RigFiles,
    /// The rig's file, .json; the picture of its parts lies beside it, [`parts_beside`].
    pub output: PathBuf,
    /// A picture of joints and parts to look at.
    pub sheet: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    pub overwrite: bool,
}

/// What happens meanwhile.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RigEvent {
    /// Something may be wrong.
    Doubts(Doubts),
    /// A file is complete.
    Written(PathBuf),
}

/// Finds joints and parts, and writes them.
///
/// # Errors
/// Everything that can be wrong with inputs; outputs that are there.
pub fn run(job: &RigJob, on_event: &mut dyn FnMut(RigEvent)) -> Result<()> {
    if job.output.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("json")) {
        return Err(Error::output(&job.output, "a rig's name ends in .json"));
    }
    job.sheet.as_deref().map_or(Ok(()), check_sheet_name)?;
    let parts_path = parts_beside(&job.output);
    let files = [Some(&job.output), Some(&parts_path), job.sheet.as_ref()].into_iter().flatten();
    let wanted = files.clone().map(|path| Wanted::File(path.clone())).collect();
    let inputs: Vec<&Path> = job.figure.files().collect();
    let mut reserved = Reservation::begin(wanted, &inputs, job.overwrite, &format!("{job:?}"))?;
    let figure = job.figure.read()?;
    let doubts = figure.doubts();
    if !doubts.is_empty() {
        on_event(RigEvent::Doubts(doubts));
    }
    let parts = figure.parts()?;
    let file = RigFile::new(figure.picture(), figure.person(), figure.order(), &job.output);
    let json =
        serde_json::to_vec_pretty(&file).map_err(|error| Error::output(&job.output, error.to_string()))?;
    reserved.file(&parts_path)?.write_png(&parts, &[])?;
    reserved.file(&job.output)?.write_bytes(&json)?;
    if let Some(path) = &job.sheet {
        reserved.file(path)?.write_png(&sheet(&figure, &parts), &[])?;
    }
    files.for_each(|path| on_event(RigEvent::Written(path.clone())));
    reserved.finish()
}
