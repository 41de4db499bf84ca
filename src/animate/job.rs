//! One render from files to files.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use image::RgbImage;

use super::kept_poses;
use super::outputs::{OutputFiles, Outputs};
use super::plan::{plan, search};
use super::pose_source::{PoseKind, PoseSettings, PoseSource, Surroundings};
use super::reference_input::ReferenceFiles;
use super::sizes;
use crate::detect::PoseModelChoice;
use crate::diffusion::NoiseSource;
use crate::error::{Error, Result};
use crate::extract::Extracted;
use crate::model::StableDiffusion;
use crate::picture::Fit;
use crate::pose::Pose;
use crate::render::animator::{Animator, ClipInputs};
use crate::render::clip::{ControlFrame, FinishedFrame, Outcome, Progress, render_clip};
use crate::render::feature_store::FeatureCache;
use crate::render::interrupt::Interrupt;
use crate::render::journal::Journal;
use crate::render::settings::RenderSettings;
use crate::render::texts::Texts;
use crate::render::weights::WeightFiles;
use crate::video::{AudioSource, Container, EncodeSettings};

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
    /// The weights.
    pub weights: WeightFiles,
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
    /// Keeps the frames as PNG files.
    pub keep_frames: bool,
    /// Replaces an output that is there already.
    pub overwrite: bool,
    /// What happens to the reference's features.
    pub cache: FeatureCache,
    /// Where the networks run.
    pub device: Device,
    /// Type of the U-Net's weights and activations.
    pub dtype: DType,
}

/// What happens on the way.
#[derive(Debug, Clone)]
pub enum Event {
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
    /// The files and folders that are read.
    pub fn inputs(&self) -> Vec<&Path> {
        let mut inputs = vec![self.pose.as_path()];
        if let PoseModelChoice::File(path) = self.pose_settings.model.choice() {
            inputs.push(path);
        }
        inputs.extend(self.reference.files());
        inputs.extend(self.weights.files());
        inputs.extend(self.control_videos.iter().flatten().chain(&self.noise).map(PathBuf::as_path));
        inputs
    }
}

/// Renders a clip. A render that was interrupted goes on where it stopped.
///
/// # Errors
/// Everything that can be wrong with settings, inputs and weights is found before the first frame. What is finished stays
/// in the journal.
pub fn run(job: &Job, interrupt: &Interrupt, on_event: &mut dyn FnMut(Event)) -> Result<Outcome> {
    match render(job, interrupt, on_event) {
        Err(Error::Interrupted) => {
            let outcome = Outcome::Interrupted { frames: 0 };
            on_event(Event::End { outcome, written: Vec::new(), frames: None });
            Ok(outcome)
        }
        other => other,
    }
}

fn render(job: &Job, interrupt: &Interrupt, on_event: &mut dyn FnMut(Event)) -> Result<Outcome> {
    // 1. Inputs, the quick ones first.
    super::checks::check(job)?;
    let weights = job.weights.open()?;
    weights.check_steps(&job.settings)?;
    let noise = match &job.noise {
        Some(path) => NoiseSource::from_file(path)?,
        None => NoiseSource::new(job.settings.seed),
    };
    let reference = job.reference.read()?;
    let journal_folder = Journal::folder_for(&job.outputs.clip);
    let search = search(job)?;
    let search_key = search.to_string();
    let known =
        Journal::kept_poses(&journal_folder).and_then(|bytes| kept_poses::from_bytes(&bytes, &search_key));
    let (pose, videos) = open_poses(job, reference.pose(), known, interrupt, on_event)?;
    let encode = encode_settings(job, &pose)?;
    interrupt.check()?;
    // 2. Weights.
    tracing::info!("{} frames; weights are read", pose.frames);
    let fingerprints = weights.fingerprints()?;
    let phrase = weights.subject_phrase().cloned();
    let (mut model, controls) =
        weights.load(&job.device, job.dtype, &mut |note| on_event(Event::Note(note)))?;
    interrupt.check()?;
    tracing::info!("weights are in place; the reference is prepared");
    // 3. The size of the frames, and with it everything else.
    let settings = sized(job, &model, &pose, on_event)?.with_subject(phrase.as_ref());
    let (width, height) = (settings.width as u32, settings.height as u32);
    let plan = plan(job, &settings, search, fingerprints, pose.frames)?;
    // The journal comes first: its lock keeps a second render away from the outputs.
    let mut journal = Journal::open(&journal_folder, &plan)?;
    if let Some(found) = &pose.found {
        journal.keep_poses(&kept_poses::to_bytes(found, &search_key)?)?;
    }
    let reference = reference.fit(width, height)?;
    let picture = reference.image.clone();
    let (reference, texts) = (reference.encode(&model, &settings)?, Texts::encode(&model, &settings)?);
    model.drop_encoders();
    let inputs = ClipInputs { reference, texts, noise };
    let mut animator = Animator::new(&model, &controls, inputs, settings, job.cache, interrupt.clone())?;
    let encode = EncodeSettings { metadata: vec![("comment".into(), plan.to_string())], ..encode };
    let mut outputs = Outputs::create(&job.outputs, &picture, pose.frames, &encode)?;
    // 4. Rendering and encoding.
    on_event(Event::Begin {
        frames: pose.frames,
        finished: journal.finished(),
        width: width as usize,
        height: height as usize,
    });
    let frames = control_frames(&pose, &videos, width, height, job.fit)?;
    let names = job.outputs.all().map(super::checks::full_name).collect::<Result<Vec<_>>>()?;
    let write = |frame: FinishedFrame| {
        // The pictures of a folder appear one by one: a render that is killed has to know them for its own.
        if frame.index == 0 {
            Journal::publish(&journal_folder, &names)?;
        }
        outputs.write(&frame)
    };
    let rendered = render_clip(&mut animator, &mut journal, frames, write, &mut |progress| {
        on_event(Event::Progress(progress))
    });
    // 5. Outputs take their names; then the journal has done its work.
    let ended = rendered.and_then(|outcome| finish(job, &pose, outcome, outputs));
    let (outcome, written) = ended.inspect_err(|_| {
        if journal.finished() > 0 {
            let (finished, folder) = (journal.finished(), journal.folder().display());
            on_event(Event::Note(format!("{finished} finished frames are kept in {folder}")));
        }
    })?;
    close(job, journal, outcome, written, on_event)?;
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
    Ok((outcome, outputs.finish()?))
}

fn close(
    job: &Job,
    journal: Journal,
    outcome: Outcome,
    written: Vec<PathBuf>,
    on_event: &mut dyn FnMut(Event),
) -> Result<()> {
    let folder = journal.folder().to_path_buf();
    let kept = match outcome {
        Outcome::Complete { .. } => {
            journal.close(job.keep_frames)?;
            job.keep_frames.then_some(folder)
        }
        Outcome::Interrupted { frames } => (frames > 0).then_some(folder),
    };
    on_event(Event::End { outcome, written, frames: kept });
    Ok(())
}

/// The dance, and the videos of their own that ControlNets have.
fn open_poses(
    job: &Job,
    reference: Option<&Pose>,
    known: Option<Extracted>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(Event),
) -> Result<(PoseSource, Vec<Option<PoseSource>>)> {
    let mut on_frame = |done, of| on_event(Event::Searched { done, of });
    let mut around = Surroundings { reference, known, interrupt, on_frame: &mut on_frame };
    let pose = PoseSource::open(&job.pose, &job.pose_settings, &mut around)?;
    let videos = open_control_videos(job, &pose, &mut around)?;
    for source in videos.iter().flatten().chain([&pose]) {
        for note in &source.notes {
            on_event(Event::Note(format!("{}: {note}", source.path().display())));
        }
    }
    Ok((pose, videos))
}

/// The control videos of their own that ControlNets have, each as long as the dance.
fn open_control_videos(
    job: &Job,
    pose: &PoseSource,
    around: &mut Surroundings,
) -> Result<Vec<Option<PoseSource>>> {
    let mut settings = job.pose_settings.clone();
    settings.kind = PoseKind::Control;
    let mut open = |path: &PathBuf| {
        let video = PoseSource::open(path, &settings, around)?;
        if video.frames < pose.frames {
            let problem = format!("has {} frames, the dance {}", video.frames, pose.frames);
            return Err(Error::input(path, problem));
        }
        Ok(video)
    };
    job.control_videos.iter().map(|path| path.as_ref().map(&mut open).transpose()).collect()
}

/// The settings with the frames' size.
fn sized(
    job: &Job,
    model: &StableDiffusion,
    pose: &PoseSource,
    on_event: &mut dyn FnMut(Event),
) -> Result<RenderSettings> {
    let shape = (pose.width, pose.height);
    let (settings, note) = sizes::sized(job.settings.clone(), model, job.size, job.vae_tile, shape)?;
    note.into_iter().for_each(|note| on_event(Event::Note(note)));
    Ok(settings)
}

/// How the clip is encoded; its metadata, the plan, is not known yet.
fn encode_settings(job: &Job, pose: &PoseSource) -> Result<EncodeSettings> {
    let decode = &job.pose_settings.decode;
    let audio = (job.audio && pose.has_audio).then(|| AudioSource {
        path: job.pose.clone(),
        start: decode.start.unwrap_or(0.0),
        end: decode.end,
    });
    let settings =
        EncodeSettings { frame_rate: pose.frame_rate, quality: job.quality, audio, ..Default::default() };
    settings.validate(Container::from_path(&job.outputs.clip)?)?;
    Ok(settings)
}

fn ended_early(video: &Path) -> Error {
    Error::input(video, "ends before the dance; it was longer before")
}

type ControlFrames<'a> = Box<dyn Iterator<Item = Result<ControlFrame>> + Send + 'a>;

/// The control images of every frame, one for each ControlNet.
fn control_frames<'a>(
    pose: &'a PoseSource,
    videos: &'a [Option<PoseSource>],
    width: u32,
    height: u32,
    fit: Fit,
) -> Result<ControlFrames<'a>> {
    let mut dance = pose.images(width, height, fit)?.enumerate();
    let mut others = videos
        .iter()
        .map(|video| video.as_ref().map(|video| video.images(width, height, fit)).transpose())
        .collect::<Result<Vec<_>>>()?;
    Ok(Box::new(std::iter::from_fn(move || {
        let (index, dance) = match dance.next()? {
            (index, Ok(frame)) => (index, frame),
            (_, Err(error)) => return Some(Err(error)),
        };
        let mut images: Vec<Option<RgbImage>> = Vec::with_capacity(others.len());
        for (other, video) in others.iter_mut().zip(videos) {
            match other.as_mut().map(Iterator::next) {
                None => images.push(Some(dance.image.clone())),
                Some(Some(Ok(frame))) => images.push(Some(frame.image)),
                Some(Some(Err(error))) => return Some(Err(error)),
                Some(None) => return video.as_ref().map(|video| Err(ended_early(video.path()))),
            }
        }
        Some(Ok(ControlFrame { time: dance.time, images, is_cut: pose.cuts.contains(&index) }))
    })))
}
