//! Everything that a clip is rendered from, read and brought to the size of its frames.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use super::job::{ClipEvent, Job};
use crate::diffusion::NoiseSource;
use crate::draft::{Danced, FrameDrafts};
use crate::error::{Error, Result};
use crate::inputs::dance::{PoseKind, PoseSource, Surroundings};
use crate::inputs::extract::Extracted;
use crate::inputs::sizes;
use crate::interrupt::Interrupt;
use crate::model::StableDiffusion;
use crate::picture::Fit;
use crate::pose::Pose;
use crate::render::animator::{ClipInputs, ReferencePicture};
use crate::render::clip::ControlFrame;
use crate::render::pipeline::Pipeline;
use crate::render::settings::RenderSettings;
use crate::rig::Figure;
use crate::video::{AudioSource, Container, EncodeSettings};

/// What a clip is rendered from.
pub(super) struct Stage {
    /// The networks.
    pub pipeline: Arc<Pipeline>,
    /// The settings, with the size of the frames and texts that speak of a tuned subject.
    pub settings: RenderSettings,
    /// The reference, of the frames' size.
    pub reference: ReferencePicture,
    /// The dance.
    pub pose: PoseSource,
    /// The drafts of its frames, if frames use any.
    drafts: Option<FrameDrafts>,
    /// The fingerprint of the figure that they are made of.
    pub figure: Option<String>,
    /// How the clip is encoded, but for its metadata.
    pub encode: EncodeSettings,
    /// The videos of their own that ControlNets have.
    videos: Vec<Option<PoseSource>>,
    noise: NoiseSource,
}

impl Stage {
    /// Reads everything, the quick things first. `known` are poses that were found in the dance before.
    ///
    /// # Errors
    /// Everything that can be wrong with inputs and weights.
    pub fn prepare(
        job: &Job,
        known: Option<Extracted>,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(ClipEvent),
    ) -> Result<Self> {
        // 1. Inputs.
        let pipeline = job.pipeline.open()?;
        pipeline.check_steps(&job.settings)?;
        let noise = match &job.noise {
            Some(path) => NoiseSource::from_file(path)?,
            None => NoiseSource::new(job.settings.seed),
        };
        let reference = job.reference.read()?;
        let figure = job.needs_drafts().then(|| read_figure(job, on_event));
        let figure = if_possible(figure, job, on_event)?;
        let own = reference.pose();
        let body = figure.as_ref().map(Figure::pose).or(own.as_ref());
        let (pose, videos) = open_poses(job, body, known, interrupt, on_event)?;
        // Before weights are read.
        let figure = figure.map(|figure| Danced::of(&pose).map(|_| figure));
        let figure = if_possible(figure, job, on_event)?;
        let encode = encode_settings(job, &pose)?;
        interrupt.check()?;
        // 2. Weights.
        tracing::info!("{} frames; weights are read", pose.frames);
        let pipeline = pipeline.load(&mut |note| on_event(ClipEvent::Note(note)))?;
        interrupt.check()?;
        // 3. The size of the frames, and with it everything else.
        tracing::info!("weights are in place; the reference is prepared");
        let settings = sized(job, &pipeline.model, &pose, figure.is_some(), on_event)?;
        let settings = settings.with_subject(pipeline.weights.subject_phrase());
        let reference = reference.fit(settings.width as u32, settings.height as u32)?;
        let drafts = figure.as_ref().map(|figure| drafts(figure, &pose, &settings, job.fit));
        let drafts = if_possible(drafts, job, on_event)?;
        let settings = settings.with_drafts(drafts.is_some());
        let figure = figure.as_ref().filter(|_| drafts.is_some()).map(Figure::fingerprint);
        Ok(Self { pipeline, settings, reference, pose, drafts, figure, encode, videos, noise })
    }

    /// What the animator begins with.
    ///
    /// # Errors
    /// Failures of the encoders.
    pub fn inputs(&self) -> Result<ClipInputs> {
        let inputs = ClipInputs::encode(&self.pipeline, self.reference.clone(), &self.settings)?;
        Ok(ClipInputs { noise: self.noise.clone(), ..inputs })
    }

    /// The control images of every frame, one for each ControlNet; drafts only of those that are `rendered`, by their numbers.
    pub fn control_frames<'a>(
        &'a self,
        fit: Fit,
        rendered: impl Fn(usize) -> bool + Send + 'a,
    ) -> Result<ControlFrames<'a>> {
        let (width, height) = (self.settings.width as u32, self.settings.height as u32);
        let Self { pose, videos, drafts, .. } = self;
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
            let draft = match drafts
                .as_ref()
                .filter(|_| rendered(index))
                .map(|drafts| drafts.frame(index))
                .transpose()
            {
                Ok(draft) => draft,
                Err(error) => return Some(Err(error)),
            };
            for ((other, video), unit) in others.iter_mut().zip(videos).zip(&self.pipeline.controls) {
                let shown = draft.as_ref().filter(|_| unit.source.is_draft());
                if let Some(draft) = shown {
                    images.push(Some(draft.image.clone()));
                    continue;
                }
                match other.as_mut().map(Iterator::next) {
                    None => images.push(Some(dance.image.clone())),
                    Some(Some(Ok(frame))) => images.push(Some(frame.image)),
                    Some(Some(Err(error))) => return Some(Err(error)),
                    Some(None) => return video.as_ref().map(|video| Err(ended_early(video.path()))),
                }
            }
            let is_cut = pose.cuts.contains(&index);
            Some(Ok(ControlFrame { time: dance.time, images, draft, is_cut }))
        })))
    }
}

/// The reference's figure, and what is doubtful of it.
fn read_figure(job: &Job, on_event: &mut dyn FnMut(ClipEvent)) -> Result<Figure> {
    let figure = job.figure.read()?;
    let doubts = figure.doubts();
    if !doubts.is_empty() {
        on_event(ClipEvent::Doubts(doubts));
    }
    Ok(figure)
}

/// What drafts are made of; `None`, and a note, where it cannot be had and need not.
fn if_possible<T>(
    made: Option<Result<T>>,
    job: &Job,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<Option<T>> {
    match made {
        Some(Err(error)) if job.settings.draft.can_do_without(&error) => {
            on_event(ClipEvent::Note(format!("frames are made without drafts: {error}")));
            Ok(None)
        }
        made => made.transpose(),
    }
}

/// The drafts of every frame of the dance.
fn drafts(figure: &Figure, dance: &PoseSource, settings: &RenderSettings, fit: Fit) -> Result<FrameDrafts> {
    let size = (settings.width as u32, settings.height as u32);
    FrameDrafts::new(figure, &Danced::of(dance)?, size, fit)
}

/// The dance, and the videos of their own that ControlNets have.
fn open_poses(
    job: &Job,
    reference: Option<&Pose>,
    known: Option<Extracted>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<(PoseSource, Vec<Option<PoseSource>>)> {
    let mut on_frame = |done, of| on_event(ClipEvent::Searched { done, of });
    let mut around = Surroundings { reference, known, interrupt, on_frame: &mut on_frame };
    let pose = PoseSource::open(&job.pose, &job.pose_settings, &mut around)?;
    let videos = open_control_videos(job, &pose, &mut around)?;
    for source in videos.iter().flatten().chain([&pose]) {
        for note in &source.notes {
            on_event(ClipEvent::Note(format!("{}: {note}", source.path().display())));
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
    with_drafts: bool,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<RenderSettings> {
    let shape = (pose.width, pose.height);
    let settings = job.settings.clone().with_drafts(with_drafts);
    let (settings, notes) = sizes::sized(settings, model, job.size, job.vae_tile, shape)?;
    notes.into_iter().for_each(|note| on_event(ClipEvent::Note(note)));
    Ok(settings)
}

/// How the clip is encoded; its metadata, the plan, is not known yet.
pub(super) fn encode_settings(job: &Job, pose: &PoseSource) -> Result<EncodeSettings> {
    let sound = || AudioSource::beside(&job.pose, &job.pose_settings.decode);
    let audio = (job.audio && pose.has_audio).then(sound);
    let settings =
        EncodeSettings { frame_rate: pose.frame_rate, quality: job.quality, audio, ..Default::default() };
    settings.validate(Container::from_path(&job.outputs.clip)?)?;
    Ok(settings)
}

fn ended_early(video: &Path) -> Error {
    Error::input(video, "ends before the dance; it was longer before")
}

/// The control images of a clip, frame by frame.
type ControlFrames<'a> = Box<dyn Iterator<Item = Result<ControlFrame>> + Send + 'a>;
