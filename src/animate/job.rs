//! What a render from files to files is told, and what it tells.

use std::path::{Path, PathBuf};

use super::outputs::OutputFiles;
use crate::detect::PoseModel;
use crate::inputs::dance::PoseSettings;
use crate::inputs::reference::{FileChoice, ReferenceFiles};
use crate::picture::Fit;
use crate::render::clip::{Outcome, Progress};
use crate::render::feature_store::FeatureCache;
use crate::render::networks::ControlSource;
use crate::render::pipeline_source::PipelineSource;
use crate::render::settings::RenderSettings;
use crate::rig::{Doubts, RigFiles};

/// All that `dreamtuner animate` is told.
#[derive(Debug, Clone)]
pub struct Job {
    /// The reference picture with its mask; its controls stand in the order of the ControlNets.
    pub reference: ReferenceFiles,
    /// The reference's figure, for drafts.
    pub figure: RigFiles,
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
    /// Quality of the encoder, as [`crate::video::EncodeSettings::quality`].
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
    /// The joints of the reference's figure may be wrong.
    Doubts(Doubts),
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
        let control = |source: ControlSource| match source {
            ControlSource::Dance => FileChoice::Auto,
            ControlSource::Draft | ControlSource::DraftInpaint => FileChoice::Itself,
        };
        let controls: Vec<FileChoice> = pipeline.control_sources().into_iter().map(control).collect();
        let controlnets = controls.len();
        let reference = ReferenceFiles {
            picture: picture.into(),
            mask: FileChoice::Auto,
            controls,
            model: PoseModel::default(),
        };
        Self {
            figure: RigFiles::found_in(&reference),
            reference,
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

    /// Whether frames need drafts.
    pub fn needs_drafts(&self) -> bool {
        self.settings.draft.are_used() || self.pipeline.shows_drafts()
    }

    /// The files and folders that the clip is made of.
    pub fn inputs(&self) -> Vec<&Path> {
        let mut inputs = vec![self.pose.as_path()];
        if self.needs_drafts() {
            inputs.extend(self.figure.files());
        }
        inputs.extend(self.pose_settings.model.choice().file());
        inputs.extend(self.reference.files());
        inputs.extend(self.pipeline.files());
        inputs.extend(self.control_videos.iter().flatten().chain(&self.noise).map(PathBuf::as_path));
        inputs
    }
}
