//! What can be found wrong with a render before anything is read.

use std::path::{Path, PathBuf};

use super::job::Job;
use super::outputs::OutputFiles;
use crate::error::{Error, Result};
use crate::files::check_rereadable;
use crate::inputs::check_picture;
use crate::outputs::{Reservation, Wanted, check_sheet_name, existing_folder};
use crate::render::journal::Journal;
use crate::video::Container;

/// Refuses settings outside their ranges, and names of outputs that are of no known kind or lie among the inputs.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(job: &Job) -> Result<()> {
    check_outputs(job)?;
    check_inputs(job)
}

/// Refuses settings outside their ranges, and inputs that cannot be read.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check_inputs(job: &Job) -> Result<()> {
    check_settings(job)?;
    job.pipeline.check()?;
    // All of them are hashed, too; weights are looked at when they are opened.
    let weights = job.pipeline.files();
    job.inputs().into_iter().filter(|path| !weights.contains(path)).try_for_each(check_rereadable)
}

/// Refuses settings outside their ranges.
///
/// # Errors
/// The first of them.
pub fn check_settings(job: &Job) -> Result<()> {
    job.pose_settings.check()?;
    check_picture(job.size, &job.settings)
}

/// Keeps the outputs for this render. What an earlier one, of the same outputs, has left to tidy up in the journal's `folder` is
/// tidied up.
///
/// # Errors
/// Outputs that cannot be written, or would replace something.
pub(super) fn reserve(job: &Job, folder: &Path) -> Result<Reservation> {
    let OutputFiles { clip, compare, sheet } = &job.outputs;
    let mut wanted = vec![Wanted::clip(clip)];
    wanted.extend(compare.as_deref().map(Wanted::clip));
    wanted.extend(sheet.iter().cloned().map(Wanted::File));
    wanted.extend(job.config.iter().map(|(path, _)| Wanted::File(path.clone())));
    let inputs: Vec<&Path> = job.inputs().into_iter().chain(job.options.as_deref()).collect();
    let reserved = Reservation::new(wanted, &inputs, job.overwrite)?;
    match reserved.left_to_tidy() {
        Some(tidying) => Journal::tidy_up(folder, tidying.keeps_frames)?,
        None => Journal::check(folder, job.overwrite)?,
    }
    Ok(reserved)
}

/// Refuses names of outputs that are of no known kind or lie among the inputs.
///
/// # Errors
/// The first of them.
pub(super) fn check_outputs(job: &Job) -> Result<()> {
    let journal = Journal::folder_for(&job.outputs.clip);
    let journal_whole = journal.canonicalize().ok();
    let whole = |path: &Path| path.canonicalize().ok();
    let journaled =
        |input: &PathBuf| journal_whole.as_ref().is_some_and(|journal| input.starts_with(journal));
    if let Some(input) = job.inputs().into_iter().filter_map(whole).find(journaled) {
        let problem = format!("keeps this render's frames; the input {} cannot lie there", input.display());
        return Err(Error::output(&journal, problem));
    }
    let videos = job.control_videos.iter().flatten();
    let dances: Vec<PathBuf> = [&job.pose].into_iter().chain(videos).filter_map(|path| whole(path)).collect();
    for path in job.outputs.all() {
        check_name(path, job.outputs.sheet.as_deref() == Some(path))?;
        let folder = existing_folder(path)?;
        if let Some(dance) = dances.iter().find(|dance| **dance == folder) {
            let problem = format!("lies among the frames that are read from {}", dance.display());
            return Err(Error::output(path, problem));
        }
    }
    Ok(())
}

/// Refuses names whose extension says another kind of file.
fn check_name(path: &Path, is_sheet: bool) -> Result<()> {
    if is_sheet { check_sheet_name(path) } else { Container::from_path(path).map(drop) }
}
