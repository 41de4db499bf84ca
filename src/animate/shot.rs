//! One shot of a clip that was split.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::{ClipEvent, Job};
use super::plan::{plan, search};
use super::split::{Shot, Split, instructions, poses_of, record_of};
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::files::read;
use crate::inputs::{content_hash, kept_poses};
use crate::interrupt::Interrupt;
use crate::outputs::{Reservation, Tidying, Wanted, key_of, make_folder};
use crate::plan::differences;
use crate::render::animator::Animator;
use crate::render::clip::{ControlFrame, Outcome, render_clip};
use crate::render::journal::Journal;

/// Longest record that is read.
const MAX_BYTES: u64 = 1 << 28;

/// A shot that is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// All that decides its frames.
    pub plan: Value,
    /// What the processor that rendered it can do.
    pub instructions: String,
    /// Seconds that the last run took before its first frame.
    pub start_seconds: f64,
    /// Seconds that the last run took for each frame it rendered; 0 where it rendered none.
    pub seconds_per_frame: f64,
    /// The hash of the picture of each frame that was rendered.
    pub pictures: Vec<String>,
}

impl Record {
    /// The record of a shot; `None` while it is not finished.
    ///
    /// # Errors
    /// [`Error::Plan`] where it is that of another clip; a record that is damaged.
    pub fn of(folder: &Path, split: &Split, number: usize) -> Result<Option<Self>> {
        let path = record_of(folder, number);
        if !path.exists() {
            return Ok(None);
        }
        let text = read(&path, MAX_BYTES)?;
        let record: Self = serde_json::from_slice(&text)
            .map_err(|error| Error::input(&path, format!("{error}; delete it to render the shot again")))?;
        let differences = differences(&split.plan_of(split.shot(number)?), &record.plan);
        if !differences.is_empty() {
            return Err(Error::Plan { path, differences });
        }
        Ok(Some(record))
    }
}

/// Renders shot `number` of the clip that was split into `folder`, whose job this is. One that was interrupted goes on where it stopped;
/// one that is finished stays as it is. With `exact`, only a processor like the one that split the clip renders it.
///
/// # Errors
/// [`Error::Plan`] where settings, inputs or weights are not those of the split; [`Error::Busy`] while another process renders the shot;
/// those of [`super::run`].
pub fn render_shot(
    job: &Job,
    folder: &Path,
    number: usize,
    exact: bool,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<Outcome> {
    let begin = Instant::now();
    // 1. What the shot is.
    let split = Split::read(folder)?;
    let shot = split.shot(number)?;
    compare_processors(&split, exact, on_event)?;
    let target = record_of(folder, number);
    let journal_folder = Journal::folder_for(&target);
    let wanted = || vec![Wanted::File(target.clone())];
    if Record::of(folder, &split, number)?.is_some() {
        // One that was cut off while it tidied up has left its record.
        let left = Reservation::new(wanted(), &[], false).ok().filter(|left| left.left_to_tidy().is_some());
        if let Some(reserved) = left {
            Journal::tidy_up(&journal_folder, true)?;
            reserved.finish()?;
        }
        on_event(ClipEvent::Note(format!("shot {number} is finished already")));
        return Ok(Outcome::Complete { frames: shot.rendered() });
    }
    super::checks::check_inputs(job)?;
    target.parent().map_or(Ok(()), make_folder)?;
    let mut reserved = Reservation::new(wanted(), &job.inputs(), false)?;
    // 2. What it is made from: the same as when the clip was split.
    let search = search(job)?;
    let known = poses_of(folder).and_then(|bytes| kept_poses::from_bytes(&bytes, &search.to_string()));
    let stage = Stage::prepare(job, known, interrupt, on_event)?;
    let figure = stage.figure.as_deref();
    let now = plan(job, &stage.settings, search, &stage.pipeline, stage.pose.frames, figure)?;
    let differences = differences(&split.plan, &now);
    if !differences.is_empty() {
        return Err(Error::Plan { path: folder.to_path_buf(), differences });
    }
    let own_plan = split.plan_of(shot);
    reserved.resume(&key_of(&own_plan.to_string()))?;
    // 3. Rendering.
    let mut journal = Journal::open(&journal_folder, &own_plan, false)?;
    let inputs = stage.inputs()?;
    let Stage { pipeline, settings, .. } = &stage;
    let mut animator = Animator::new(pipeline, inputs, settings.clone(), job.cache, interrupt.clone())?;
    let finished = journal.finished();
    on_event(ClipEvent::Begin {
        frames: shot.rendered(),
        finished,
        width: settings.width,
        height: settings.height,
    });
    let start = Instant::now();
    let frames = of_shot(stage.control_frames(job.fit, |number| shot.renders(number))?, shot);
    let outcome = render_clip(&mut animator, &mut journal, frames, |_| Ok(()), &mut |progress| {
        on_event(ClipEvent::Progress(progress))
    })?;
    let Outcome::Complete { frames } = outcome else {
        let frames = (journal.finished() > 0).then_some(journal_folder);
        on_event(ClipEvent::End { outcome, written: Vec::new(), frames });
        return Ok(outcome);
    };
    if frames < shot.rendered() {
        return Err(Error::input(
            &job.pose,
            format!("gave {frames} frames; the shot has {}", shot.rendered()),
        ));
    }
    // 4. The record, and the pictures beside it.
    let pictures = (0..frames).map(|frame| content_hash(&journal_folder.join(Journal::picture_name(frame))));
    let rendered = frames - finished;
    let record = Record {
        plan: own_plan,
        instructions: instructions(),
        start_seconds: (start - begin).as_secs_f64(),
        seconds_per_frame: if rendered > 0 { start.elapsed().as_secs_f64() / rendered as f64 } else { 0.0 },
        pictures: pictures.collect::<Result<_>>()?,
    };
    let text =
        serde_json::to_vec_pretty(&record).map_err(|error| Error::output(&target, error.to_string()))?;
    reserved.file(&target)?.write_bytes(&text)?;
    reserved.complete(Tidying { keeps_frames: true })?;
    journal.close(true)?;
    reserved.finish()?;
    on_event(ClipEvent::End { outcome, written: vec![target], frames: Some(journal_folder) });
    Ok(outcome)
}

/// Says where this processor may round otherwise than the one that split the clip.
fn compare_processors(split: &Split, exact: bool, on_event: &mut dyn FnMut(ClipEvent)) -> Result<()> {
    let own = instructions();
    if own == split.instructions {
        return Ok(());
    }
    let problem = format!("this processor has {own}, the one that split the clip {}", split.instructions);
    if exact {
        return Err(Error::setting("exact", problem));
    }
    on_event(ClipEvent::Note(format!("{problem}: pictures may differ in their last bits")));
    Ok(())
}

/// The frames of a shot, out of those of the whole clip. Where the frame before is not the one before it in the clip, another scene
/// begins.
fn of_shot(
    frames: impl Iterator<Item = Result<ControlFrame>> + Send,
    shot: &Shot,
) -> impl Iterator<Item = Result<ControlFrame>> + Send {
    let end = shot.first + shot.frames;
    frames.enumerate().take(end).filter(move |(number, frame)| frame.is_err() || shot.renders(*number)).scan(
        None,
        |before: &mut Option<usize>, (number, frame)| {
            let follows = before.is_none_or(|before| before + 1 == number);
            *before = Some(number);
            Some(frame.map(|frame| ControlFrame { is_cut: frame.is_cut || !follows, ..frame }))
        },
    )
}
