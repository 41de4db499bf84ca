//! One render from files to files.

use std::path::{Path, PathBuf};

use super::outputs::{OutputFiles, Outputs};
use super::plan::{plan, search};
use super::stage::Stage;
use crate::detect::PoseModel;
use crate::error::{Error, Result};
use crate::inputs::dance::{PoseSettings, PoseSource};
use crate::inputs::kept_poses;
use crate::inputs::reference::{FileChoice, ReferenceFiles};
use crate::interrupt::Interrupt;
use crate::outputs::{Before, Reservation, Tidying, key_of};
use crate::picture::Fit;
use crate::render::animator::Animator;
use crate::render::clip::{FinishedFrame, Outcome, Progress, render_clip};
use crate::render::feature_store::FeatureCache;
use crate::render::journal::Journal;
use crate::render::pipeline_source::PipelineSource;
use crate::render::settings::RenderSettings;
use crate::video::EncodeSettings;

/// All that `dreamtuner animate` is told.
#[derive(Debug, Clone)]
pub struct Job {
    /// The reference picture with its mask; its controls stand in the order of the ControlNets.
    pub reference: ReferenceFiles,
    /// The dance.
    pub pose: PathBuf,
    /// How the dance is read.
    pub pose_settings: PoseSettings,
    /// For each ControlNet its own control video; `None` for the dance.
    pub control_videos: Vec<Option<PathBuf>>,
    /// Width and height of the frames in pixels; chosen from the dance's shape and the model's native size where absent.
    pub size: Option<(u32, u32)>,
    /// How the dance's canvas is laid into frames of another shape.
    pub fit: Fit,
    /// The networks.
    pub pipeline: PipelineSource,
    /// What the frames look like; width, height and VAE tile are filled in.
    pub settings: RenderSettings,
    /// Side in pixels of the VAE's tiles; 0 for whole pictures; by the size of the frames where absent.
    pub vae_tile: Option<usize>,
    /// Noise from a file in place of the seed's.
    pub noise: Option<PathBuf>,
    /// Whether the sound of the dance is kept.
    pub audio: bool,
    /// Quality of the encoder, as [`EncodeSettings::quality`].
    pub quality: Option<u8>,
    /// The outputs.
    pub outputs: OutputFiles,
    /// The file that options were taken from, which no output may replace.
    pub options: Option<PathBuf>,
    /// A file for the options of this render, and their text.
    pub config: Option<(PathBuf, String)>,
    /// Keeps the frames as PNG files.
    pub keep_frames: bool,
    /// Replaces an output that is there already.
    pub overwrite: bool,
    /// What happens to the reference's features.
    pub cache: FeatureCache,
}

/// What happens on the way.
#[derive(Debug, Clone)]
pub enum ClipEvent {
    /// A repair, or something else that the user should know.
    Note(String),
    /// A frame of the dance was searched for people.
    Searched {
        /// Frames searched.
        done: usize,
        /// Frames in all, about, where the file says so.
        of: Option<usize>,
    },
    /// Everything is checked; rendering begins.
    Begin {
        /// Number of frames.
        frames: usize,
        /// Of these already in the journal.
        finished: usize,
        /// Width of the frames in pixels.
        width: usize,
        /// Height of the frames in pixels.
        height: usize,
    },
    /// Rendering goes on.
    Progress(Progress),
    /// The render has ended and its outputs are in place.
    End {
        /// How it ended.
        outcome: Outcome,
        /// The files.
        written: Vec<PathBuf>,
        /// The folder that holds the frames, if they were kept.
        frames: Option<PathBuf>,
    },
}

impl Job {
    /// A clip of the character in `picture` that dances as in `dance`. All that is not said is found out, as by the program;
    /// every ControlNet is shown the dance.
    pub fn new(
        picture: impl Into<PathBuf>,
        dance: impl Into<PathBuf>,
        clip: impl Into<PathBuf>,
        pipeline: PipelineSource,
        settings: RenderSettings,
    ) -> Self {
        let controlnets = pipeline.controlnets();
        Self {
            reference: ReferenceFiles {
                picture: picture.into(),
                mask: FileChoice::Auto,
                controls: vec![FileChoice::Auto; controlnets],
                model: PoseModel::default(),
            },
            pose: dance.into(),
            pose_settings: PoseSettings::default(),
            control_videos: vec![None; controlnets],
            size: None,
            fit: Fit::default(),
            pipeline,
            settings,
            vae_tile: None,
            noise: None,
            audio: true,
            quality: None,
            outputs: OutputFiles { clip: clip.into(), compare: None, sheet: None },
            options: None,
            config: None,
            keep_frames: false,
            overwrite: false,
            cache: FeatureCache::default(),
        }
    }

    /// The files and folders that the clip is made of.
    pub fn inputs(&self) -> Vec<&Path> {
        let mut inputs = vec![self.pose.as_path()];
        inputs.extend(self.pose_settings.model.choice().file());
        inputs.extend(self.reference.files());
        inputs.extend(self.pipeline.files());
        inputs.extend(self.control_videos.iter().flatten().chain(&self.noise).map(PathBuf::as_path));
        inputs
    }
}

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
    let plan = plan(job, &stage.settings, search, &stage.pipeline, stage.pose.frames)?;
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
    let frames = stage.control_frames(job.fit)?;
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
