//! One render from files to files.

use std::path::{Path, PathBuf};

use super::job::{ClipEvent, Job};
use super::outputs::Outputs;
use super::plan::{plan, search};
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::inputs::dance::PoseSource;
use crate::inputs::kept_poses;
use crate::interrupt::Interrupt;
use crate::outputs::{Before, Reservation, Tidying, key_of};
use crate::render::animator::Animator;
use crate::render::clip::{FinishedFrame, Outcome, render_clip};
use crate::render::journal::Journal;
use crate::video::EncodeSettings;

/// Renders a clip. A render that was interrupted goes on where it stopped.
///
/// # Errors
/// Everything that can be wrong with settings, inputs and weights is found before the first frame. What is finished stays
/// in the journal.
pub fn run(job: &Job, interrupt: &Interrupt, on_event: &mut dyn FnMut(ClipEvent)) -> Result<Outcome> {
    match render(job, interrupt, on_event) {
        Err(Error::Interrupted) => {
            let outcome = Outcome::Interrupted { frames: 0 };
            on_event(ClipEvent::End { outcome, written: Vec::new(), frames: None });
            Ok(outcome)
        }
        other => other,
    }
}

fn render(job: &Job, interrupt: &Interrupt, on_event: &mut dyn FnMut(ClipEvent)) -> Result<Outcome> {
    // 1. Everything that the clip is rendered from. Outputs are kept for this render from the beginning.
    super::checks::check(job)?;
    let folder = Journal::folder_for(&job.outputs.clip);
    let mut reserved = super::checks::reserve(job, &folder)?;
    let search = search(job)?;
    let search_key = search.to_string();
    let known = Journal::kept_poses(&folder).and_then(|bytes| kept_poses::from_bytes(&bytes, &search_key));
    let stage = Stage::prepare(job, known, interrupt, on_event)?;
    let figure = stage.figure.as_deref();
    let plan = plan(job, &stage.settings, search, &stage.pipeline, stage.pose.frames, figure)?;
    let encode =
        EncodeSettings { metadata: vec![("comment".into(), plan.to_string())], ..stage.encode.clone() };
    let before = reserved.resume(&key_of(&format!("{plan} {encode:?}")));
    // Of outputs of an unfinished render with other settings, these are what there is to tell.
    if before.map_err(|error| Journal::of_other_plan(&folder, &plan).unwrap_or(error))? == Before::Complete {
        return end_again(job, &stage, reserved, on_event);
    }
    // 2. The journal, then the outputs.
    let mut journal = Journal::open(&folder, &plan, job.overwrite)?;
    if let Some(found) = &stage.pose.found {
        journal.keep_poses(&kept_poses::to_bytes(found, &search_key)?)?;
    }
    let inputs = stage.inputs()?;
    let Stage { pipeline, settings, reference, pose, .. } = &stage;
    let mut animator = Animator::new(pipeline, inputs, settings.clone(), job.cache, interrupt.clone())?;
    let mut outputs = Outputs::create(&job.outputs, &mut reserved, &reference.image, pose.frames, &encode)?;
    if let Some((path, text)) = &job.config {
        reserved.file(path)?.write_bytes(text.as_bytes())?;
    }
    // 3. Rendering and encoding.
    on_event(ClipEvent::Begin {
        frames: pose.frames,
        finished: journal.finished(),
        width: settings.width,
        height: settings.height,
    });
    let frames = stage.control_frames(job.fit, |_| true)?;
    let write = |frame: FinishedFrame| outputs.write(&frame);
    let rendered = render_clip(&mut animator, &mut journal, frames, write, &mut |progress| {
        on_event(ClipEvent::Progress(progress))
    });
    // 4. Outputs take their names; then the journal has done its work.
    let ended = rendered.and_then(|outcome| finish(job, pose, outcome, outputs));
    let (outcome, written) = ended.inspect_err(|_| {
        if journal.finished() > 0 && folder.is_dir() {
            let (finished, folder) = (journal.finished(), folder.display());
            on_event(ClipEvent::Note(format!("{finished} finished frames are kept in {folder}")));
        }
    })?;
    close(job, journal, reserved, outcome, written, on_event)?;
    Ok(outcome)
}

/// Ends a render once more that had put its outputs in place and was cut off while it tidied up.
fn end_again(
    job: &Job,
    stage: &Stage,
    reserved: Reservation,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<Outcome> {
    let folder = Journal::folder_for(&job.outputs.clip);
    let outcome = Outcome::Complete { frames: stage.pose.frames };
    let written = job.outputs.all().map(Path::to_path_buf).collect();
    reserved.finish()?;
    // The run that was cut off has said whether frames are kept.
    on_event(ClipEvent::End { outcome, written, frames: folder.is_dir().then_some(folder) });
    Ok(outcome)
}

/// Completes the outputs; their names.
fn finish(
    job: &Job,
    pose: &PoseSource,
    outcome: Outcome,
    outputs: Outputs,
) -> Result<(Outcome, Vec<PathBuf>)> {
    match outcome {
        Outcome::Interrupted { frames: 0 } => return Ok((outcome, Vec::new())),
        Outcome::Complete { frames } if frames < pose.frames => {
            let problem = format!("gave {frames} frames; there were {} before", pose.frames);
            return Err(Error::input(&job.pose, problem));
        }
        _ => {}
    }
    let all = matches!(outcome, Outcome::Complete { .. });
    Ok((outcome, outputs.finish(all)?))
}

fn close(
    job: &Job,
    journal: Journal,
    mut reserved: Reservation,
    outcome: Outcome,
    written: Vec<PathBuf>,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<()> {
    let folder = journal.folder().to_path_buf();
    let kept = match outcome {
        Outcome::Complete { .. } => {
            reserved.complete(Tidying { keeps_frames: job.keep_frames })?;
            journal.close(job.keep_frames)?;
            reserved.finish()?;
            job.keep_frames.then_some(folder)
        }
        Outcome::Interrupted { frames } => (frames > 0).then_some(folder),
    };
    on_event(ClipEvent::End { outcome, written, frames: kept });
    Ok(())
}
