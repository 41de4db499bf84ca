//! `dreamtuner animate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dreamtuner::animate::job::{Event, Job};
use dreamtuner::animate::outputs::OutputFiles;
use dreamtuner::animate::pose_source::{PoseKind, PoseSettings};
use dreamtuner::animate::reference_input::{MaskChoice, ReferenceFiles};
use dreamtuner::animate::weights::WeightFiles;
use dreamtuner::diffusion::{Guidance, PredictionType, Sampler};
use dreamtuner::picture::Fit;
use dreamtuner::pose::PersonChoice;
use dreamtuner::render::clip::Outcome;
use dreamtuner::render::feature_store::FeatureCache;
use dreamtuner::render::interrupt::Interrupt;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::video::DecodeSettings;
use dreamtuner::{Error, Result};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::config_file;
use crate::device::DeviceArgs;
use crate::exit;
use crate::parse::{ControlNetOption, LoraOption, Size};
use crate::progress::Display;
use crate::say::say;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner animate --reference hero.png --pose dance.json -o out.mp4
  dreamtuner animate --reference hero.png --reference-pose hero.json --pose dance.mp4 --prompt \"a knight\" \\
      --model sd15.safetensors --controlnet openpose.safetensors -o out.mp4 --compare --sheet

A render that was stopped or killed goes on where it was when the same command is given again.
Exit codes: dreamtuner --help";

/// Options of `dreamtuner animate`.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnimateArgs {
    /// Picture of the character (PNG, JPEG, WebP…); its transparency serves as mask
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    reference: PathBuf,
    /// The dance: pose JSON, a folder of it, a skeleton video, or a folder of skeleton pictures
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pose: PathBuf,
    /// What the dance file is taken for
    #[arg(long, value_enum, default_value_t, value_name = "KIND", help_heading = "Input")]
    pose_kind: PoseKind,
    /// The reference's own pose: pose JSON or a skeleton picture; recommended, as the reference is then seen in its pose
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    reference_pose: Option<PathBuf>,
    /// Where the character is in the reference: a grey picture, `auto` (transparency) or `none`
    #[arg(long, default_value = "auto", value_name = "FILE|auto|none", help_heading = "Input")]
    mask: String,
    /// Who dances, where a pose file shows several: largest, left, right, or a number from 0
    #[arg(long, default_value = "largest", value_name = "WHO", help_heading = "Input")]
    #[serde(serialize_with = "as_text")]
    person: PersonChoice,
    /// First second of the dance that is used; its beginning where absent
    #[arg(long, value_name = "SECONDS", help_heading = "Input")]
    start: Option<f64>,
    /// The dance is used up to this second; its end where absent
    #[arg(long, value_name = "SECONDS", help_heading = "Input")]
    end: Option<f64>,
    /// Frames a second, 0.01 to 1000; the dance's own where absent, 24 where it has none
    #[arg(long, value_name = "NUMBER", help_heading = "Input")]
    fps: Option<f64>,

    /// The clip: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
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
    /// What it must not show; nothing in particular where absent
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true, help_heading = "Text")]
    negative_prompt: String,
    /// What the reference shows; the prompt where absent
    #[arg(long, value_name = "TEXT", help_heading = "Text")]
    reference_prompt: Option<String>,
    /// Layer of the text encoder that is used, counted from the last
    #[arg(long, default_value_t = 1, value_name = "LAYER", help_heading = "Text")]
    clip_skip: usize,

    /// `mini` (inside the program), a diffusers folder, or a .safetensors file of SD 1.x or 2.x
    #[arg(long, default_value = "mini", value_name = "PATH", help_heading = "Weights")]
    model: String,
    /// Folder in the diffusers layout whose config.json files and tokenizer replace the model's own: for single files of
    /// unusual sizes
    #[arg(long, value_name = "FOLDER", help_heading = "Weights")]
    model_config: Option<PathBuf>,
    /// A VAE in place of the model's own
    #[arg(long, value_name = "PATH", help_heading = "Weights")]
    vae: Option<PathBuf>,
    /// A ControlNet: PATH or `model` (the model's own), then if needed ,strength=1,start=0,end=1 (fractions of the
    /// steps),video=FILE (in place of the dance),reference=FILE (the reference's control image); can be repeated
    #[arg(long, value_name = "CONTROLNET", default_value = "model", help_heading = "Weights")]
    #[serde(skip_serializing_if = "is_models_own")]
    controlnet: Vec<ControlNetOption>,
    /// A LoRA: PATH or PATH:WEIGHT, 1 where no weight is given; can be repeated
    #[arg(long, value_name = "PATH:WEIGHT", help_heading = "Weights")]
    lora: Vec<LoraOption>,
    /// A textual-inversion file; can be repeated
    #[arg(long, value_name = "PATH", help_heading = "Weights")]
    embedding: Vec<PathBuf>,
    /// What the U-Net predicts; as the model says where absent
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Weights")]
    prediction: Option<PredictionType>,

    /// How much the reference counts in self-subject-attention; 0 leaves it out
    #[arg(long, default_value_t = 10.0, value_name = "WEIGHT", help_heading = "Likeness and coherence")]
    reference_weight: f64,
    /// How much the previous frame counts
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT", help_heading = "Likeness and coherence")]
    previous_weight: f64,
    /// How much the first frame counts
    #[arg(long, default_value_t = 0.0, value_name = "WEIGHT", help_heading = "Likeness and coherence")]
    first_weight: f64,

    /// Steps of each frame
    #[arg(long, default_value_t = 20, value_name = "NUMBER", help_heading = "Sampling")]
    steps: usize,
    /// How the steps are taken: ddim, euler, euler-ancestral, dpm++-2m, dpm++-2m-karras, unipc, lcm
    #[arg(long, default_value = "ddim", value_name = "NAME", help_heading = "Sampling")]
    sampler: Sampler,
    /// Seed of all randomness
    #[arg(long, default_value_t = 0, value_name = "NUMBER", help_heading = "Sampling")]
    #[serde(serialize_with = "as_text")]
    seed: u64,
    /// Noise from a safetensors file (latent, reference, lambda) in place of the seed's
    #[arg(long, value_name = "FILE", help_heading = "Sampling")]
    noise: Option<PathBuf>,
    /// DreamTuner's interleaved guidance, or plain classifier-free guidance
    #[arg(long, value_enum, default_value_t, value_name = "KIND", help_heading = "Sampling")]
    guidance: GuidanceOption,
    /// Guidance scale towards the text (ω_c)
    #[arg(long, default_value_t = 7.5, value_name = "SCALE", help_heading = "Sampling")]
    guidance_scale: f64,
    /// Guidance scale towards the reference (ω_r), interleaved only
    #[arg(long, default_value_t = 2.0, value_name = "SCALE", help_heading = "Sampling")]
    reference_scale: f64,
    /// How often a step follows the reference rather than the text (p_r), interleaved only
    #[arg(long, default_value_t = 0.9, value_name = "0-1", help_heading = "Sampling")]
    reference_probability: f64,
    /// How much less noise the reference carries than the frame (Δt), interleaved only
    #[arg(long, default_value_t = 10.0, value_name = "TIMESTEPS", help_heading = "Sampling")]
    less_noise: f64,
    /// How much more noise it carries in the negative pass (Δt'), interleaved only
    #[arg(long, default_value_t = 10.0, value_name = "TIMESTEPS", help_heading = "Sampling")]
    more_noise: f64,

    #[command(flatten)]
    #[serde(flatten)]
    device: DeviceArgs,
    /// Memory for the features of the reference, and again for those of the first frame if it counts, in MiB; what exceeds it
    /// goes to a temporary file
    #[arg(long, default_value_t = 4096, value_name = "MIB", help_heading = "Machine")]
    feature_memory: usize,
    /// Compute the reference's features anew for every frame: slow, for comparison
    #[arg(long, help_heading = "Machine")]
    recompute_features: bool,
    /// Decode and encode in tiles of this many pixels a side; 0 never does; above 1024 pixels a side by itself
    #[arg(long, value_name = "PIXELS", help_heading = "Machine")]
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
    json: bool,
}

/// The default is not saved: options that can be repeated add up.
fn is_models_own(controlnets: &Vec<ControlNetOption>) -> bool {
    matches!(controlnets.as_slice(), [only] if only.is_models_own())
}

fn as_text<S: Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[derive(Debug, Clone, Copy, Default, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum GuidanceOption {
    /// DreamTuner, Eq. 4-6
    #[default]
    Interleaved,
    /// Two passes a step, with prompt and negative prompt
    ClassifierFree,
}

impl AnimateArgs {
    fn job(&self) -> Result<Job> {
        let (device, dtype) = self.device.choose()?;
        Ok(Job {
            reference: ReferenceFiles {
                picture: self.reference.clone(),
                mask: match self.mask.as_str() {
                    "auto" => MaskChoice::Auto,
                    "none" => MaskChoice::None,
                    path => MaskChoice::File(path.into()),
                },
                controls: self.controlnet.iter().map(|option| self.reference_control(option)).collect(),
            },
            pose: self.pose.clone(),
            pose_settings: PoseSettings {
                kind: self.pose_kind,
                decode: DecodeSettings { start: self.start, end: self.end, frames_per_second: self.fps },
                person: self.person,
            },
            control_videos: self.controlnet.iter().map(|option| option.video.clone()).collect(),
            size: self.size.map(|size| (size.width, size.height)),
            fit: self.fit,
            weights: WeightFiles {
                model: (self.model != "mini").then(|| self.model.clone().into()),
                model_config: self.model_config.clone(),
                vae: self.vae.clone(),
                loras: self.lora.iter().map(|option| (option.path.clone(), option.weight)).collect(),
                textual_inversions: self.embedding.clone(),
                controlnets: self.controlnet.iter().map(|option| option.file.clone()).collect(),
            },
            settings: self.render_settings(),
            vae_tile: self.vae_tile,
            noise: self.noise.clone(),
            audio: !self.no_audio,
            quality: self.quality,
            outputs: self.outputs(),
            keep_frames: self.keep_frames,
            overwrite: self.overwrite,
            cache: if self.recompute_features {
                FeatureCache::Recompute
            } else {
                FeatureCache::Keep { bytes: self.feature_memory.saturating_mul(1 << 20) }
            },
            device,
            dtype,
        })
    }

    /// A ControlNet with a video of its own knows nothing of the reference's pose.
    fn reference_control(&self, option: &ControlNetOption) -> Option<PathBuf> {
        option
            .reference
            .clone()
            .or_else(|| if option.video.is_none() { self.reference_pose.clone() } else { None })
    }

    fn render_settings(&self) -> RenderSettings {
        RenderSettings {
            // The size, and with it the tile, is chosen once model and dance are known.
            width: 0,
            height: 0,
            prompt: self.prompt.clone(),
            negative_prompt: self.negative_prompt.clone(),
            reference_prompt: self.reference_prompt.clone(),
            clip_skip: self.clip_skip,
            seed: self.seed,
            steps: self.steps,
            sampler: self.sampler,
            guidance: match self.guidance {
                GuidanceOption::ClassifierFree => Guidance::ClassifierFree { scale: self.guidance_scale },
                GuidanceOption::Interleaved => Guidance::Interleaved {
                    reference_probability: self.reference_probability,
                    reference_scale: self.reference_scale,
                    text_scale: self.guidance_scale,
                    less_noise: self.less_noise,
                    more_noise: self.more_noise,
                },
            },
            prediction: self.prediction,
            reference_weight: self.reference_weight,
            previous_weight: self.previous_weight,
            first_weight: self.first_weight,
            vae_tile: None,
        }
    }

    fn outputs(&self) -> OutputFiles {
        let named = |choice: &Option<String>, extension: &str| match choice.as_deref() {
            Some("") => Some(self.output.with_extension(extension)),
            path => path.map(PathBuf::from),
        };
        let extension = self.output.extension().map_or("mp4".into(), |extension| extension.to_string_lossy());
        OutputFiles {
            clip: self.output.clone(),
            compare: named(&self.compare, &format!("compare.{extension}")),
            sheet: named(&self.sheet, "sheet.png"),
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
    let job = arguments.job()?;
    if let Some(path) = &arguments.save_config {
        config_file::save(path, arguments)?;
    }
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    dreamtuner::animate::run(&job, &interrupt, &mut |event| show(display, &event))
}

fn show(display: &mut Display, event: &Event) {
    match event {
        Event::Note(note) => display.note(note),
        Event::Begin { frames, finished, width, height } => {
            display.begin(*frames, *finished, (*width, *height))
        }
        Event::Progress(progress) => display.update(*progress),
        Event::End { outcome, written, frames } => display.end(outcome, written, frames.as_deref()),
    }
}

/// The first Ctrl-C asks the render to stop, the second ends the program.
fn stop_on_signal(interrupt: Interrupt) -> Result<()> {
    let handler = move || {
        if interrupt.requested() {
            std::process::exit(exit::INTERRUPTED);
        }
        interrupt.request();
        say(format_args!("\nstopping after this pass; Ctrl-C again ends at once"));
    };
    ctrlc::set_handler(handler).map_err(|error| Error::setting("signal handler", error.to_string()))
}
