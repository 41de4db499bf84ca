//! One still from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use crate::draft::{Danced, FrameDrafts};
use crate::error::{Error, Result};
use crate::files::{check_rereadable, read_picture};
use crate::inputs::check_picture;
use crate::inputs::reference::{ReferenceFiles, ReferenceInput, opaque, pose_image};
use crate::inputs::sizes::sized;
use crate::interrupt::Interrupt;
use crate::kept::Kept;
use crate::picture::{Fit, WHITE, fit_image};
use crate::render::animator::ReferencePicture;
use crate::render::attention_maps::{Watch, Watched};
use crate::render::draft::DraftFrame;
use crate::render::networks::ControlUnit;
use crate::render::pipeline::Pipeline;
use crate::render::pipeline_source::PipelineSource;
use crate::render::settings::RenderSettings;
use crate::render::still::StillInputs;
use crate::render::weights::WeightFiles;
use crate::rig::{Doubts, RigFiles};

/// All that a still is made from.
#[derive(Debug, Clone)]
pub struct Still {
    /// The reference picture with its mask; its controls stand in the order of the ControlNets.
    pub reference: ReferenceFiles,
    /// The pose that ControlNets are shown: pose JSON, a drawn skeleton, or a picture of somebody; they do nothing where absent.
    pub pose: Option<PathBuf>,
    /// Width and height in pixels; of the reference's shape at the model's native size where absent.
    pub size: Option<(u32, u32)>,
    /// The networks; without ControlNets where there is no pose.
    pub pipeline: PipelineSource,
    /// What the picture looks like; width, height and VAE tile are filled in, and there is no previous or first frame.
    pub settings: RenderSettings,
    /// Side in pixels of the VAE's tiles; 0 for whole pictures; by the size where absent.
    pub vae_tile: Option<usize>,
    /// A picture to begin from.
    pub init: Option<Init>,
    /// The reference's figure, for a draft.
    pub figure: RigFiles,
    /// Makes a refined reference first, in the reference's own pose and text, with subject encoder and S-S-A, and looks at that.
    pub refine: bool,
}

impl Still {
    /// Refuses what can be seen to be wrong before anything is read.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, [`Error::Io`] for files that are not there.
    pub fn check(&self) -> Result<()> {
        check_picture(self.size, &self.settings)?;
        if self.needs_draft() && self.pose.is_none() {
            return Err(Error::setting("draft", "needs a pose: --pose FILE"));
        }
        if self.init.is_some() && self.settings.draft.strength.is_some() && self.needs_draft() {
            return Err(Error::setting("init", "a picture cannot begin from a picture and from its draft"));
        }
        self.own_inputs().try_for_each(check_rereadable)
    }

    /// The files and folders that are read.
    pub fn inputs(&self) -> Vec<&Path> {
        self.own_inputs().chain(self.pipeline.files()).collect()
    }

    /// All but the weights.
    fn own_inputs(&self) -> impl Iterator<Item = &Path> {
        let own = self.pose.iter().chain(self.init.as_ref().map(|init| &init.path)).map(PathBuf::as_path);
        let figure = self.needs_draft().then(|| self.figure.files());
        self.reference.files().chain(own).chain(figure.into_iter().flatten())
    }

    fn needs_draft(&self) -> bool {
        let draft = &self.settings.draft;
        let is_possible = self.pose.is_some() && self.init.is_none();
        (draft.are_used() && (is_possible || !draft.if_possible)) || self.pipeline.shows_drafts()
    }
}

/// A picture to begin from in place of noise.
#[derive(Debug, Clone, PartialEq)]
pub struct Init {
    /// The picture.
    pub path: PathBuf,
    /// How much of it may change, 0 to 1.
    pub strength: f64,
}

/// What happens on the way.
#[derive(Debug, Clone)]
pub enum StillEvent {
    /// Something that the user should know.
    Note(String),
    /// The joints of the reference's figure may be wrong.
    Doubts(Doubts),
    /// A step is done.
    Step {
        /// Steps done.
        done: usize,
        /// Steps of the picture.
        of: usize,
    },
}

/// A finished still.
#[derive(Debug)]
pub struct Made {
    /// The picture.
    pub picture: RgbImage,
    /// The settings that it was made with, its size among them.
    pub settings: RenderSettings,
    /// The reference that it was made from.
    pub reference: ReferencePicture,
    /// The draft that it took from, if it did.
    pub draft: Option<DraftFrame>,
    /// What attention saw, if it was watched.
    pub watched: Watched,
    /// The networks.
    pub pipeline: Arc<Pipeline>,
}

/// Makes stills. Networks and reference stay loaded from one to the next while they are the same.
#[derive(Default)]
pub struct Stills {
    pipeline: Kept<WeightFiles, Arc<Pipeline>>,
    reference: Kept<ReferenceFiles, ReferenceInput>,
}

impl Stills {
    /// Makes one still.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; files that cannot be used, settings out of range, failures of the networks.
    pub fn make(
        &mut self,
        still: &Still,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(StillEvent),
    ) -> Result<Made> {
        self.make_watched(still, &|_, _| Ok(None), interrupt, on_event)
    }

    /// Makes one still, and keeps what attention sees meanwhile. `watch` chooses what, once model and settings are known.
    ///
    /// # Errors
    /// Those of [`Self::make`] and of `watch`.
    pub fn make_watched(
        &mut self,
        still: &Still,
        watch: &dyn Fn(&Pipeline, &RenderSettings) -> Result<Option<Watch>>,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(StillEvent),
    ) -> Result<Made> {
        // 1. Everything that can be wrong without reading tensors.
        still.check()?;
        let settings = RenderSettings { previous_weight: 0.0, first_weight: 0.0, ..still.settings.clone() };
        let init = still.init.as_ref().map(|init| Ok::<_, Error>((read_picture(&init.path)?, init.strength)));
        let init = init.transpose()?;
        let input = self.reference.get(&still.reference, || still.reference.read())?;
        // 2. Weights.
        let load = |on_event: &mut dyn FnMut(StillEvent)| {
            still.pipeline.open()?.load(&mut |note| on_event(StillEvent::Note(note)))
        };
        let pipeline = match &still.pipeline {
            PipelineSource::Files(weights, _) => self.pipeline.get(weights, || load(on_event))?.clone(),
            PipelineSource::Loaded(pipeline) => pipeline.clone(),
        };
        // 3. Everything in its size.
        let (settings, notes) = sized(settings, &pipeline.model, still.size, still.vae_tile, input.size())?;
        notes.into_iter().for_each(|note| on_event(StillEvent::Note(note)));
        let settings = settings.with_subject(pipeline.weights.subject_phrase());
        let (width, height) = (settings.width as u32, settings.height as u32);
        let pose = still.pose.as_ref().map(|path| pose_image(path, &still.reference.model, width, height));
        let pose = pose.transpose()?;
        let init = init.map(|(picture, strength)| {
            (fit_image(&opaque(picture), width, height, Fit::Contain, WHITE), strength)
        });
        let draft = still.needs_draft().then(|| draft(still, width, height, on_event));
        let draft = match draft {
            Some(Err(error)) if still.settings.draft.can_do_without(&error) => {
                on_event(StillEvent::Note(format!("the picture is made without a draft: {error}")));
                None
            }
            draft => draft.transpose()?,
        };
        let plain = settings.clone().with_drafts(false);
        let settings = settings.with_drafts(draft.is_some());
        let watch = watch(&pipeline, &settings)?;
        let mut reference = input.fit(width, height)?;
        // 4. The picture.
        let (mut before, pictures) = (0, 1 + usize::from(still.refine));
        let mut make = |inputs, settings, watch| {
            let mut steps = 0;
            let made = pipeline.watched(inputs, settings, watch, interrupt, &mut |done, of| {
                steps = of;
                on_event(StillEvent::Step { done: before + done, of: pictures * of });
            })?;
            before += steps;
            Ok::<_, Error>(made)
        };
        if still.refine {
            let (inputs, settings) = refining(&reference, &plain);
            reference.image = make(inputs, settings, None)?.0;
            // A ControlNet holds the subject where it was; else it may be anywhere in the new picture.
            reference.mask = reference.mask.filter(|_| reference.controls.iter().any(Option::is_some));
        }
        let shown = |unit: &ControlUnit| match &draft {
            Some(draft) if unit.source.is_draft() => Some(draft.image.clone()),
            _ => pose.clone(),
        };
        let controls = pipeline.controls.iter().map(shown).collect();
        let inputs = StillInputs { reference: reference.clone(), controls, init, draft: draft.clone() };
        let (picture, watched) = make(inputs, settings.clone(), watch)?;
        Ok(Made { picture, settings, reference, draft, watched, pipeline })
    }
}

/// The reference's figure in the still's pose.
fn draft(still: &Still, width: u32, height: u32, on_event: &mut dyn FnMut(StillEvent)) -> Result<DraftFrame> {
    let Some(path) = &still.pose else { return Err(Error::setting("draft", "needs a pose")) };
    let figure = still.figure.read()?;
    let doubts = figure.doubts();
    if !doubts.is_empty() {
        on_event(StillEvent::Doubts(doubts));
    }
    let pose = ReferenceFiles::body(path, &still.reference.model)?;
    let danced = Danced { path, poses: vec![&pose], times: vec![0.0], cuts: &[] };
    FrameDrafts::new(&figure, &danced, (width, height), Fit::Contain)?.frame(0)
}

/// How the model makes the reference again: with subject encoder and S-S-A, in its own text and pose.
fn refining(reference: &ReferencePicture, settings: &RenderSettings) -> (StillInputs, RenderSettings) {
    let prompt = settings.reference_prompt.as_ref().unwrap_or(&settings.prompt).clone();
    let (reference, controls) = (reference.clone(), reference.controls.clone());
    let inputs = StillInputs { reference, controls, init: None, draft: None };
    (inputs, RenderSettings { prompt, ..settings.clone() })
}
