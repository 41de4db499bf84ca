//! One render from files to files.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use image::RgbImage;
use serde_json::{Value, json};

use super::outputs::{OutputFiles, Outputs};
use super::pose_source::{PoseSettings, PoseSource};
use super::reference_input::ReferenceFiles;
use super::weights::WeightFiles;
use crate::diffusion::NoiseSource;
use crate::error::{Error, Result};
use crate::model::StableDiffusion;
use crate::picture::Fit;
use crate::render::animator::Animator;
use crate::render::clip::{ControlFrame, Outcome, Progress, render_clip};
use crate::render::feature_store::FeatureCache;
use crate::render::interrupt::Interrupt;
use crate::render::journal::Journal;
use crate::render::settings::RenderSettings;
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
    /// What the frames look like; width and height are filled in.
    pub settings: RenderSettings,
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

/// Renders a clip. A render that was interrupted goes on where it stopped.
///
/// # Errors
/// Everything that can be wrong with settings, inputs and weights is found before the first frame. What is finished stays
/// in the journal.
pub fn run(job: &Job, interrupt: &Interrupt, on_event: &mut dyn FnMut(Event)) -> Result<Outcome> {
    // 1. Cheap checks, inputs.
    let journal_folder = check_outputs(job)?;
    let pose = PoseSource::open(&job.pose, &job.pose_settings)?;
    let videos = open_control_videos(job, &pose)?;
    for note in &pose.notes {
        on_event(Event::Note(format!("{}: {note}", job.pose.display())));
    }
    // 2. Weights.
    let weights = job.weights.open()?;
    let fingerprints = weights.fingerprints();
    let (model, controls) = weights.load(&job.device, job.dtype, on_event)?;
    // 3. The size of the frames, and with it everything else.
    let settings = sized(job, &model, &pose, on_event)?;
    let (width, height) = (settings.width as u32, settings.height as u32);
    let reference = job.reference.read(width, height)?;
    let noise = match &job.noise {
        Some(path) => NoiseSource::from_file(path)?,
        None => NoiseSource::new(settings.seed),
    };
    let plan = plan(job, &settings, fingerprints, pose.frames)?;
    let metadata = metadata(&settings)?;
    let mut animator =
        Animator::new(&model, &controls, &reference, settings, noise, job.cache, interrupt.clone())?;
    // 4. Rendering, encoding, journal.
    let encode = encode_settings(job, &pose, metadata);
    let mut outputs = Outputs::create(&job.outputs, &reference.image, pose.frames, &encode)?;
    let mut journal = Journal::open(&journal_folder, &plan)?;
    on_event(Event::Begin {
        frames: pose.frames,
        finished: journal.finished(),
        width: width as usize,
        height: height as usize,
    });
    let frames = control_frames(&pose, &videos, width, height, job.fit)?;
    let outcome =
        render_clip(&mut animator, &mut journal, frames, |frame| outputs.write(&frame), &mut |progress| {
            on_event(Event::Progress(progress))
        })?;
    // 5. Outputs take their names; then the journal has done its work.
    end(job, outcome, outputs, journal, on_event)
}

fn end(
    job: &Job,
    outcome: Outcome,
    outputs: Outputs,
    journal: Journal,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome> {
    let empty = matches!(outcome, Outcome::Interrupted { frames: 0 });
    let written = if empty { Vec::new() } else { outputs.finish()? };
    let folder = journal.folder().to_path_buf();
    let kept = match outcome {
        Outcome::Complete { .. } => {
            journal.close(job.keep_frames)?;
            job.keep_frames.then_some(folder)
        }
        Outcome::Interrupted { .. } => Some(folder),
    };
    on_event(Event::End { outcome, written, frames: kept });
    Ok(outcome)
}

/// Refuses outputs that cannot be written, before any work; the journal's folder.
fn check_outputs(job: &Job) -> Result<PathBuf> {
    let journal = Journal::folder_for(&job.outputs.clip);
    let resuming = journal.join("plan.json").exists();
    let files = [Some(&job.outputs.clip), job.outputs.compare.as_ref(), job.outputs.sheet.as_ref()];
    for path in files.into_iter().flatten() {
        if path.exists() && !job.overwrite && !resuming {
            return Err(Error::output(path, "is there already; --overwrite replaces it"));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            return Err(Error::output(path, format!("the folder {} does not exist", folder.display())));
        }
    }
    Container::from_path(&job.outputs.clip)?;
    if let Some(path) = &job.outputs.compare {
        Container::from_path(path)?;
    }
    Ok(journal)
}

/// The control videos of their own that ControlNets have, each as long as the dance.
fn open_control_videos(job: &Job, pose: &PoseSource) -> Result<Vec<Option<PoseSource>>> {
    let mut settings = job.pose_settings.clone();
    settings.kind = super::pose_source::PoseKind::Control;
    let open = |path: &PathBuf| {
        let video = PoseSource::open(path, &settings)?;
        if video.frames < pose.frames {
            let problem = format!("has {} frames, the dance {}", video.frames, pose.frames);
            return Err(Error::input(path, problem));
        }
        Ok(video)
    };
    job.control_videos.iter().map(|path| path.as_ref().map(open).transpose()).collect()
}

/// The settings with the frames' size: the one asked for, rounded to what the VAE allows, or the dance's shape at the
/// model's native number of pixels.
fn sized(
    job: &Job,
    model: &StableDiffusion,
    pose: &PoseSource,
    on_event: &mut dyn FnMut(Event),
) -> Result<RenderSettings> {
    let mut settings = job.settings.clone();
    let (width, height, step) = match job.size {
        Some((width, height)) => (f64::from(width), f64::from(height), model.vae.factor()),
        None => {
            let side = model.native_side as f64;
            let shape = (f64::from(pose.width) / f64::from(pose.height)).sqrt();
            (side * shape, side / shape, model.size_step)
        }
    };
    let rounded = |side: f64| ((side / step as f64).round() as usize).max(1) * step;
    (settings.width, settings.height) = (rounded(width), rounded(height));
    if let Some((width, height)) = job.size
        && (width as usize, height as usize) != (settings.width, settings.height)
    {
        let (to_width, to_height) = (settings.width, settings.height);
        on_event(Event::Note(format!(
            "--size {width}x{height} rounded to {to_width}x{to_height}: this model's sizes are multiples of {step}"
        )));
    }
    settings.check(model.vae.factor())?;
    Ok(settings)
}

/// All that decides the frames.
fn plan(job: &Job, settings: &RenderSettings, weights: Value, frames: usize) -> Result<Value> {
    let hash = |path: &PathBuf| content_hash(path);
    let maybe = |path: &Option<PathBuf>| path.as_ref().map(hash).transpose();
    let mask = match &job.reference.mask {
        super::reference_input::MaskChoice::File(path) => hash(path)?,
        other => format!("{other:?}"),
    };
    let decode = &job.pose_settings.decode;
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "frames": frames,
        "settings": settings,
        "reference": {
            "picture": hash(&job.reference.picture)?,
            "mask": mask,
            "controls": job.reference.controls.iter().map(maybe).collect::<Result<Vec<_>>>()?,
        },
        "pose": {
            "file": hash(&job.pose)?,
            "kind": job.pose_settings.kind,
            "person": job.pose_settings.person.to_string(),
            "start": decode.start,
            "end": decode.end,
            "frames_per_second": decode.frames_per_second,
            "fit": job.fit,
        },
        "control_videos": job.control_videos.iter().map(maybe).collect::<Result<Vec<_>>>()?,
        "noise": maybe(&job.noise)?,
        "weights": weights,
        "device": format!("{:?}", job.device.location()),
        "dtype": job.dtype.as_str(),
    }))
}

/// A hash of a file's bytes, or of the names and bytes of all files in a folder.
fn content_hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let fail = |path: &Path, error| Error::io(path, error);
    if path.is_dir() {
        let entries =
            std::fs::read_dir(path).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
        let mut files: Vec<PathBuf> =
            entries.map_err(|error| fail(path, error))?.iter().map(|entry| entry.path()).collect();
        files.retain(|file| file.is_file());
        files.sort();
        for file in files {
            hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hasher.update_mmap_rayon(&file).map_err(|error| fail(&file, error))?;
        }
    } else {
        hasher.update_mmap_rayon(path).map_err(|error| fail(path, error))?;
    }
    Ok(hasher.finalize().to_hex()[..16].to_string())
}

/// What goes into the clip, so that it can be made again.
fn metadata(settings: &RenderSettings) -> Result<Vec<(String, String)>> {
    let settings =
        serde_json::to_string(settings).map_err(|error| Error::setting("settings", error.to_string()))?;
    Ok(vec![
        ("encoder".into(), concat!("dreamtuner ", env!("CARGO_PKG_VERSION")).into()),
        ("comment".into(), settings),
    ])
}

fn encode_settings(job: &Job, pose: &PoseSource, metadata: Vec<(String, String)>) -> EncodeSettings {
    let decode = &job.pose_settings.decode;
    let audio = (job.audio && pose.has_audio).then(|| AudioSource {
        path: job.pose.clone(),
        start: decode.start.unwrap_or(0.0),
        end: decode.end,
    });
    EncodeSettings { frame_rate: pose.frame_rate, quality: job.quality, metadata, audio }
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
    let mut dance = pose.images(width, height, fit)?;
    let mut others = videos
        .iter()
        .map(|video| video.as_ref().map(|video| video.images(width, height, fit)).transpose())
        .collect::<Result<Vec<_>>>()?;
    Ok(Box::new(std::iter::from_fn(move || {
        let dance = match dance.next()? {
            Ok(frame) => frame,
            Err(error) => return Some(Err(error)),
        };
        let mut images: Vec<Option<RgbImage>> = Vec::with_capacity(others.len());
        for other in &mut others {
            match other.as_mut().map(Iterator::next) {
                None => images.push(Some(dance.image.clone())),
                Some(Some(Ok(frame))) => images.push(Some(frame.image)),
                Some(Some(Err(error))) => return Some(Err(error)),
                Some(None) => return None,
            }
        }
        Some(Ok(ControlFrame { time: dance.time, images }))
    })))
}
