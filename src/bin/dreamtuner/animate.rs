//! `dreamtuner animate`.

use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::animate::job::{ClipEvent, Job};
use dreamtuner::animate::outputs::OutputFiles;
use dreamtuner::detect::PoseModel;
use dreamtuner::files::read_options;
use dreamtuner::inputs::dance::{PoseKind, PoseSettings};
use dreamtuner::inputs::reference::{FileChoice, ReferenceFiles};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::picture::Fit;
use dreamtuner::pose::{Camera, PersonChoice, Retarget};
use dreamtuner::render::clip::Outcome;
use dreamtuner::render::pipeline_source::PipelineSource;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::{Error, Result};
use serde::Serialize;
use serde_json::json;

use crate::config_file::{self, FileOption};
use crate::draft_args::{DraftBeginArgs, DraftUseArgs};
use crate::exit;
use crate::figure_args::sentences;
use crate::parse::{Size, beside, named_beside, pixels};
use crate::progress::Display;
use crate::render_options::{CoherenceArgs, RenderArgs, TimeArgs, as_text};
use crate::signal::stop_on_signal;
use crate::split::{absolute, go_to_given};

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner animate --reference hero.png --pose dance.mp4 -o out.mp4
  dreamtuner animate --reference hero.png --reference-pose hero.json --pose dance.mp4 --prompt \"a knight\" \\
      --model sd15.safetensors --controlnet openpose.safetensors -o out.mp4 --compare --sheet

A render that was stopped or killed goes on where it was when the same command is given again.
Exit codes: dreamtuner --help";

/// Options from a file.
pub const CONFIG: FileOption = FileOption { command: "animate", flag: "--config", read: read_options };

/// Options of `dreamtuner animate`.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnimateArgs {
    /// Picture of the character (PNG, JPEG, WebP…); its transparency serves as mask
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub reference: PathBuf,
    /// The dance: a video of somebody dancing, pose JSON, motion capture (BVH), a skeleton video, or a folder of pictures or JSON
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pose: PathBuf,
    /// What the dance file is taken for
    #[arg(long, value_enum, default_value_t, value_name = "KIND", help_heading = "Input")]
    pose_kind: PoseKind,
    /// The network that finds people's joints: `thunder` or `lightning` (faster), both of MoveNet, or `drawn` for
    /// drawn figures. Or an ONNX file of RTMPose or DWPose, or a folder with such a file and one of YOLOX: these find
    /// hands and face too, and need ONNX Runtime
    #[arg(long, default_value_t, value_name = "NAME|PATH", help_heading = "Input")]
    #[serde(serialize_with = "as_text")]
    pose_model: PoseModel,
    /// From where a dancer of motion capture is seen, in degrees: yaw=20,pitch=5 is a little from the dancer's left, and from above
    #[arg(long, default_value_t, value_name = "ANGLES", help_heading = "Input")]
    #[serde(serialize_with = "as_text")]
    camera: Camera,
    /// How the dance is brought to the reference's body: its bones with the dancer's angles, its size only, or not at all
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Input")]
    retarget: Retarget,
    /// The reference's own pose: pose JSON, a skeleton picture, `auto` (found in the picture) or `none`
    #[arg(long, default_value = "auto", value_name = "FILE|auto|none", help_heading = "Input")]
    reference_pose: String,
    /// Where the character is in the reference: a grey picture, `auto` (its transparency, else what stands in front of the
    /// background) or `none`
    #[arg(long, default_value = "auto", value_name = "FILE|auto|none", help_heading = "Input")]
    mask: String,
    /// Who dances, where several are seen: largest, left, right, or a number from 0
    #[arg(long, default_value = "largest", value_name = "WHO", help_heading = "Input")]
    #[serde(serialize_with = "as_text")]
    person: PersonChoice,
    #[command(flatten)]
    #[serde(flatten)]
    time: TimeArgs,

    /// The clip: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: PathBuf,
    /// Size of the frames, 1 to 8192 a side, rounded to what the model allows; from the dance's shape and the model's
    /// native size where absent
    #[arg(long, value_name = "WIDTHxHEIGHT", help_heading = "Output")]
    size: Option<Size>,
    /// How the dance is laid into frames of another shape
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Output")]
    fit: Fit,
    /// CRF of the encoder, smaller is better: H.264 0-51, 16 where absent; VP9 0-63, 20 where absent; others have none
    #[arg(long, value_name = "CRF", help_heading = "Output")]
    quality: Option<u8>,
    /// Leave the dance's sound out
    #[arg(long, help_heading = "Output")]
    no_audio: bool,
    /// Also write a clip of reference, pose and result side by side; out.compare.mp4 for out.mp4 where no name is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", require_equals = true, help_heading = "Output")]
    compare: Option<String>,
    /// Also write a contact sheet; out.sheet.png for out.mp4 where no name is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", require_equals = true, help_heading = "Output")]
    sheet: Option<String>,
    /// Keep the frames as PNG files beside the clip, in out.mp4.frames for out.mp4
    #[arg(long, help_heading = "Output")]
    keep_frames: bool,
    /// Replace outputs that are there already
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// What the clip shows; nothing in particular where absent. Commas between words, (more:1.3) and [less] weight as in
    /// A1111
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true, help_heading = "Text")]
    prompt: String,
    /// What the reference shows; the prompt where absent
    #[arg(long, value_name = "TEXT", help_heading = "Text")]
    reference_prompt: Option<String>,

    #[command(flatten)]
    #[serde(flatten)]
    begin: DraftBeginArgs,
    #[command(flatten)]
    #[serde(flatten)]
    draft: DraftUseArgs,
    #[command(flatten)]
    #[serde(flatten)]
    coherence: CoherenceArgs,
    #[command(flatten)]
    #[serde(flatten)]
    render: RenderArgs,
    /// Noise from a safetensors file (latent, reference, lambda) in place of the seed's
    #[arg(long, value_name = "FILE", help_heading = "Sampling")]
    noise: Option<PathBuf>,
    /// Decode and encode in tiles of this many pixels a side; 0 never does; above 1024 pixels a side by itself
    #[arg(long, value_name = "PIXELS", help_heading = "Machine", value_parser = pixels)]
    vae_tile: Option<usize>,

    /// Options from a TOML file; what stands on the command line wins, and options that can be repeated add up
    #[arg(long, value_name = "FILE", help_heading = "Program")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Write all options of this render to a TOML file, then render; its paths are those given here
    #[arg(long, value_name = "FILE", help_heading = "Program")]
    #[serde(skip)]
    save_config: Option<PathBuf>,
    /// Events as JSON on the standard output, one a line
    #[arg(long, help_heading = "Program")]
    #[serde(skip)]
    pub json: bool,

    /// Render a shot of the clip that `dreamtuner split` has divided into this folder, which holds all other options
    #[arg(long, value_name = "FOLDER", requires = "shot", help_heading = "Shots")]
    #[serde(skip)]
    split: Option<PathBuf>,
    /// The number of the shot, from 0
    #[arg(long, value_name = "NUMBER", requires = "split", help_heading = "Shots")]
    #[serde(skip)]
    shot: Option<usize>,
    /// Refuse a processor that may round otherwise than the one that split the clip
    #[arg(long, requires = "split", help_heading = "Shots")]
    #[serde(skip)]
    exact: bool,
}

impl AnimateArgs {
    /// Refuses outputs that are not written with the frames of a clip in shots.
    ///
    /// # Errors
    /// The first of them.
    pub fn refuse_outputs(&self) -> Result<()> {
        let given = [
            ("compare", self.compare.is_some(), "is made by renders that are not split"),
            ("sheet", self.sheet.is_some(), "is for `dreamtuner merge`"),
            ("keep-frames", self.keep_frames, "is not needed: the folder keeps all frames"),
            ("save-config", self.save_config.is_some(), "is not needed: the folder keeps all options"),
            ("split", self.split.is_some(), "is for `dreamtuner animate`"),
        ];
        match given.into_iter().find(|(_, is_given, _)| *is_given) {
            Some((name, _, problem)) => Err(Error::setting(name, problem)),
            None => Ok(()),
        }
    }

    /// What is to be rendered.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn job(&self) -> Result<Job> {
        let device = self.render.device.choose()?;
        let reference = ReferenceFiles {
            picture: self.reference.clone(),
            mask: self.mask.as_str().into(),
            controls: self.reference_controls(),
            model: self.pose_model.clone(),
        };
        Ok(Job {
            figure: self.draft.figure(&reference, &self.reference_pose),
            reference,
            pose: self.pose.clone(),
            pose_settings: PoseSettings {
                kind: self.pose_kind,
                decode: self.time.decode(),
                person: self.person,
                model: self.pose_model.clone(),
                retarget: self.retarget,
                camera: self.camera,
            },
            control_videos: self.render.controlnet.iter().map(|option| option.video.clone()).collect(),
            size: self.size.map(|size| (size.width, size.height)),
            fit: self.fit,
            pipeline: PipelineSource::from_files(self.render.weights(), device),
            settings: self.render_settings()?,
            vae_tile: self.vae_tile,
            noise: self.noise.clone(),
            audio: !self.no_audio,
            quality: self.quality,
            outputs: self.outputs(),
            options: self.config.clone(),
            config: self.config_text()?,
            keep_frames: self.keep_frames,
            overwrite: self.overwrite,
            cache: self.render.cache(),
        })
    }

    /// The reference's control image for each ControlNet. One that is shown other pictures than skeletons knows nothing of its pose.
    fn reference_controls(&self) -> Vec<FileChoice> {
        let pose = match self.reference_pose.as_str() {
            "auto" if self.pose_kind == PoseKind::Control => "none",
            choice => choice,
        };
        self.render.controlnet.iter().map(|option| option.reference_control(pose)).collect()
    }

    fn render_settings(&self) -> Result<RenderSettings> {
        Ok(RenderSettings {
            prompt: self.prompt.clone(),
            reference_prompt: self.reference_prompt.clone(),
            draft: self.draft.share.settings(self.begin.strength, &self.render)?,
            ..self.coherence.on(self.render.settings()?)
        })
    }

    /// The file for the options, and their text.
    fn config_text(&self) -> Result<Option<(PathBuf, String)>> {
        let text = |path: &PathBuf| Ok((path.clone(), config_file::text(self, path)?));
        self.save_config.as_ref().map(text).transpose()
    }

    fn outputs(&self) -> OutputFiles {
        OutputFiles {
            clip: self.output.clone(),
            compare: named_beside(&self.output, self.compare.as_deref(), "compare"),
            sheet: beside(&self.output, self.sheet.as_deref(), "sheet.png"),
        }
    }
}

/// Renders the clip; the exit code.
pub fn run(arguments: AnimateArgs) -> Result<i32> {
    let mut display = Display::new(arguments.json);
    let outcome = render(&arguments, &mut display);
    display.finish();
    if let Err(error) = &outcome {
        display.event(json!({"event": "error", "message": exit::message(error)}));
    }
    Ok(match outcome? {
        Outcome::Complete { .. } => exit::SUCCESS,
        Outcome::Interrupted { .. } => exit::INTERRUPTED,
    })
}

fn render(arguments: &AnimateArgs, display: &mut Display) -> Result<Outcome> {
    let split = arguments.split.as_deref().map(absolute).transpose()?;
    split.as_deref().map_or(Ok(()), go_to_given)?;
    let job = arguments.job()?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut on_event = |event: ClipEvent| show(display, &event, &arguments.reference);
    match split.as_deref().zip(arguments.shot) {
        Some((folder, shot)) => {
            dreamtuner::animate::render_shot(&job, folder, shot, arguments.exact, &interrupt, &mut on_event)
        }
        None => dreamtuner::animate::run(&job, &interrupt, &mut on_event),
    }
}

/// Shows what happens.
pub fn show(display: &mut Display, event: &ClipEvent, reference: &Path) {
    match event {
        ClipEvent::Note(note) => display.note(note),
        ClipEvent::Doubts(doubts) => {
            sentences(doubts, reference).iter().for_each(|sentence| display.note(sentence));
        }
        ClipEvent::Searched { done, of } => display.search(*done, *of),
        ClipEvent::Begin { frames, finished, width, height } => {
            display.begin(*frames, *finished, (*width, *height))
        }
        ClipEvent::Progress(progress) => display.update(*progress),
        ClipEvent::End { outcome, written, frames } => display.end(outcome, written, frames.as_deref()),
    }
}
