//! What can be found wrong with a render before anything is read.

use std::path::{Path, PathBuf};

use super::job::Job;
use super::pose_source::RATES;
use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;
use crate::model::prompt;
use crate::render::journal::Journal;
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
    if let Some((width, height)) = job.size {
        let allowed = 1..=MAX_SIDE;
        if !allowed.contains(&width) || !allowed.contains(&height) {
            let problem = format!("{width}x{height}; 1 to {MAX_SIDE} a side is allowed");
            return Err(Error::setting("size", problem));
        }
    }
    job.settings.check_values()?;
    let texts = [
        ("prompt", Some(&job.settings.prompt)),
        ("negative-prompt", Some(&job.settings.negative_prompt)),
        ("reference-prompt", job.settings.reference_prompt.as_ref()),
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
    let refuse = |path: &Path| Err(Error::output(path, "is there already; --overwrite replaces it"));
    if !job.overwrite && Journal::holds_kept_frames(&journal) {
        return refuse(&journal);
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
            return refuse(path);
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
    let is_png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if is_png { Ok(()) } else { Err(Error::output(path, "a contact sheet is a .png file")) }
}

/// An output's name with its folder in full.
pub(super) fn full_name(path: &Path) -> Result<PathBuf> {
    Ok(existing_folder(path)?.join(path.file_name().unwrap_or_default()))
}

/// The folder that an output is written to, in full.
fn existing_folder(path: &Path) -> Result<PathBuf> {
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
fn is_there(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("000000.png").exists();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((before, rest)) = name.split_once('%') else { return path.exists() };
    let Some((digits, after)) = rest.split_once('d') else { return path.exists() };
    let digits: usize = digits.parse().unwrap_or(1);
    path.with_file_name(format!("{before}{:0digits$}{after}", 0)).exists()
}
