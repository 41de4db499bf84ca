//! What can be found wrong with a render before anything is read.

use std::path::{Path, PathBuf};

use super::job::Job;
use super::pose_source::RATES;
use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;
use crate::model::prompt;
use crate::outputs::{existing_folder, full_name, is_png, is_there, there_already};
use crate::render::journal::Journal;
use crate::render::settings::RenderSettings;
use crate::video::Container;

/// Refuses settings outside their ranges and outputs that cannot be written.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(job: &Job) -> Result<()> {
    check_outputs(job)?;
    job.pose_settings.decode.validate()?;
    if let Some(rate) = job.pose_settings.decode.frames_per_second.filter(|rate| !RATES.contains(rate)) {
        let (least, most) = (RATES.start(), RATES.end());
        return Err(Error::setting("fps", format!("{rate}; {least} to {most} is allowed")));
    }
    check_picture(job.size, &job.settings)
}

/// Refuses a size, settings and texts that no picture can be made with.
///
/// # Errors
/// [`Error::Setting`] for the first of them.
pub(crate) fn check_picture(size: Option<(u32, u32)>, settings: &RenderSettings) -> Result<()> {
    if let Some((width, height)) = size {
        let allowed = 1..=MAX_SIDE;
        if !allowed.contains(&width) || !allowed.contains(&height) {
            let problem = format!("{width}x{height}; 1 to {MAX_SIDE} a side is allowed");
            return Err(Error::setting("size", problem));
        }
    }
    settings.check_values()?;
    let texts = [
        ("prompt", Some(&settings.prompt)),
        ("negative-prompt", Some(&settings.negative_prompt)),
        ("reference-prompt", settings.reference_prompt.as_ref()),
    ];
    for (name, text) in texts {
        let Some(text) = text else { continue };
        prompt::parse(text).map_err(|error| match error {
            Error::Setting { problem, .. } => Error::setting(name, problem),
            other => other,
        })?;
    }
    Ok(())
}

fn check_outputs(job: &Job) -> Result<()> {
    let journal = Journal::folder_for(&job.outputs.clip);
    let published = Journal::published(&journal);
    let journal_whole = journal.canonicalize().ok();
    if !job.overwrite && Journal::holds_kept_frames(&journal) {
        return Err(there_already(&journal));
    }
    let inputs: Vec<(PathBuf, &Path)> =
        job.inputs().into_iter().filter_map(|path| Some((path.canonicalize().ok()?, path))).collect();
    let dances: Vec<PathBuf> = [&job.pose]
        .into_iter()
        .chain(job.control_videos.iter().flatten())
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    let journaled =
        |input: &PathBuf| journal_whole.as_ref().is_some_and(|journal| input.starts_with(journal));
    if let Some((_, input)) = inputs.iter().find(|(input, _)| journaled(input)) {
        let problem = format!("keeps this render's frames; the input {} cannot lie there", input.display());
        return Err(Error::output(&journal, problem));
    }
    let mut outputs: Vec<PathBuf> = Vec::new();
    for path in job.outputs.all() {
        check_name(path, job.outputs.sheet.as_deref() == Some(path))?;
        let folder = existing_folder(path)?;
        let whole = full_name(path)?;
        if !job.overwrite && !published.contains(&whole) && is_there(path) {
            return Err(there_already(path));
        }
        if outputs.contains(&whole) {
            return Err(Error::output(path, "is named for two outputs"));
        }
        if let Some((_, input)) = inputs.iter().find(|(input, _)| *input == whole) {
            return Err(Error::output(path, format!("would replace an input, {}", input.display())));
        }
        if let Some(dance) = dances.iter().find(|dance| **dance == folder) {
            let problem = format!("lies among the frames that are read from {}", dance.display());
            return Err(Error::output(path, problem));
        }
        outputs.push(whole);
    }
    Ok(())
}

/// Refuses names whose extension says another kind of file.
fn check_name(path: &Path, is_sheet: bool) -> Result<()> {
    if !is_sheet {
        return Container::from_path(path).map(drop);
    }
    if is_png(path) { Ok(()) } else { Err(Error::output(path, "a contact sheet is a .png file")) }
}
