//! `dreamtuner tune`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dreamtuner::detect::PoseModel;
use dreamtuner::inputs::reference::{FileChoice, ReferenceFiles};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::captioner::Captioner;
use dreamtuner::model::weights::{ModelDefaults, ModelFiles, TuneDefaults};
use dreamtuner::outputs::{self, Reservation, Wanted};
use dreamtuner::picture::Fit;
use dreamtuner::pose::{DrawSettings, Pose, ReadSettings, draw_pose, read_poses};
use dreamtuner::train::tune::{Method, TuneEvent, TuneJob, TuneSettings, folder_beside};
use dreamtuner::train::tuning::tune;
use dreamtuner::train::{export, exported_files};
use dreamtuner::{Error, Result};
use image::RgbImage;

use crate::device::DeviceArgs;
use crate::exit;
use crate::say::say;
use crate::signal::stop_on_signal;
use crate::step_progress::StepDisplay;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner tune --reference hero.png --class girl --model sd15 -o hero.subject
  dreamtuner animate --subject hero.subject --reference hero.png --pose dance.mp4 --model sd15 -o out.mp4

hero.subject.tune holds the curve of the loss, sheets of what the subject renders (000900.png), and what the tuning needs to go
on after it was stopped.";

/// Poses that are read at least: those of the preview sheets.
const SHOWN: usize = 5;

/// Options of `dreamtuner tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Picture of the subject; its transparency serves as mask
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    reference: PathBuf,
    /// Where the subject is in it: a grey picture, `auto` (its transparency, else what stands in front of the background) or `none`
    #[arg(long, default_value = "auto", value_name = "FILE|auto|none", help_heading = "Input")]
    mask: String,
    /// Its pose, for the model's ControlNet: pose JSON, `auto` (found in the picture) or `none`
    #[arg(long, default_value = "auto", value_name = "FILE|auto|none", help_heading = "Input")]
    reference_pose: String,
    /// The network that finds it
    #[arg(long, default_value_t, value_name = "NAME|PATH", help_heading = "Input")]
    pose_model: PoseModel,
    /// Pose JSON with poses for the regular pictures [default: the reference's own]
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pose: Option<PathBuf>,

    /// What the subject is, as one word of the model's vocabulary: girl, dog, robot
    #[arg(long, value_name = "WORD", help_heading = "Text")]
    class: String,
    /// The new word [default: <NAME>, the output's name]
    #[arg(long, value_name = "WORD", help_heading = "Text")]
    word: Option<String>,
    /// The reference in words, from which the regular pictures are made; `auto` lets the captioner say it [default: a CLASS]
    #[arg(long, value_name = "TEXT|auto", help_heading = "Text")]
    caption: Option<String>,
    /// What says it: the folder of a BLIP, as transformers writes it
    #[arg(long, value_name = "FOLDER", help_heading = "Text")]
    captioner: Option<PathBuf>,
    /// The training texts; {} stands for CLASS and WORD
    #[arg(long, default_value = "a {}", value_name = "TEXT", help_heading = "Text")]
    template: String,

    /// `mini` (inside the program), or a diffusers folder
    #[arg(long, default_value = "mini", value_name = "PATH", help_heading = "Training")]
    model: String,
    /// A subject encoder in place of the model's own
    #[arg(long, value_name = "PATH", help_heading = "Training")]
    subject_encoder: Option<PathBuf>,
    /// What trains besides word and ResBlocks: low-rank changes of U-Net and text encoder, or all of both
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Training")]
    method: MethodOption,
    /// Rank of the changes
    #[arg(long, default_value_t = 16, value_name = "NUMBER", help_heading = "Training")]
    rank: usize,
    /// Steps [default: the model's own, else 900]
    #[arg(long, value_name = "NUMBER", help_heading = "Training")]
    steps: Option<u64>,
    /// Also save the subject as it is after so many steps, and a sheet of what it renders, in the folder beside it; can be
    /// repeated
    #[arg(long, value_name = "STEPS", help_heading = "Training")]
    save_at: Vec<u64>,
    /// Learning rate of all but the word [default: for low-rank changes the model's own, else 1e-4; 1e-6 for all weights]
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    learning_rate: Option<f64>,
    /// Learning rate of the word
    #[arg(long, default_value_t = 5e-3, value_name = "RATE", help_heading = "Training")]
    word_learning_rate: f64,
    /// Regular pictures [default: the model's own, else 32]
    #[arg(long, value_name = "NUMBER", help_heading = "Training")]
    regular: Option<usize>,
    /// How often pictures are mirrored; 0 for subjects whose left and right differ [default: the model's own, else 0.5]
    #[arg(long, value_name = "0-1", help_heading = "Training")]
    flip: Option<f64>,
    /// How often the reference, moved a little, also looks at itself through S-S-A, as a render looks at the reference
    /// [default: the model's own, else 0]
    #[arg(long, value_name = "0-1", help_heading = "Training")]
    with_references: Option<f64>,
    /// Side of the pictures in pixels [default: the model's native size]
    #[arg(long, value_name = "PIXELS", help_heading = "Training")]
    size: Option<u32>,
    /// Seed of everything
    #[arg(long, default_value_t = 0, value_name = "NUMBER", help_heading = "Training")]
    seed: u64,

    /// The subject's file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
    /// Also write it into a folder as a LoRA (kohya's and diffusers' names) and a textual inversion
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    export: Option<PathBuf>,

    /// Replace a subject that is there already, and write into a folder beside it that holds files of other programs
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum MethodOption {
    /// Low-rank changes
    #[default]
    Lora,
    /// All weights
    Full,
}

/// Runs the command; the exit code.
pub fn run(arguments: &TuneArgs) -> Result<i32> {
    let device = arguments.device.choose()?.device;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let job = arguments.job(device)?;
    let mut reserved = arguments.reserve()?;
    let mut display = StepDisplay::default();
    let result = tune(&job, &mut reserved, &interrupt, &mut |event| show(&mut display, &event));
    display.finish();
    match result {
        Err(Error::Interrupted) => {
            say("stopped and saved; the same command goes on from here");
            Ok(exit::INTERRUPTED)
        }
        Ok(()) => {
            say(format_args!("{}", job.output.display()));
            if let Some(folder) = &arguments.export {
                let files = export(&job.output, folder, &mut reserved)?;
                files.iter().for_each(|path| say(format_args!("{}", path.display())));
            }
            reserved.finish()?;
            Ok(exit::SUCCESS)
        }
        Err(error) => Err(error),
    }
}

impl TuneArgs {
    fn job(&self, device: candle_core::Device) -> Result<TuneJob> {
        let path = (self.model != "mini").then_some(Path::new(&self.model));
        let mut model = path.map_or_else(ModelFiles::builtin, ModelFiles::open)?;
        if let Some(path) = &self.subject_encoder {
            model.subject_encoder = Some(model.open_subject_encoder(path)?);
        }
        let defaults = ModelDefaults::of(path)?;
        let settings = self.settings(&defaults.tune);
        settings.check()?;
        if self.export.is_some() && settings.method == Method::Full {
            let problem = "is for low-rank changes (--method lora); --method full changes all weights";
            return Err(Error::setting("export", problem));
        }
        let side = match settings.size {
            Some(side) => side,
            None => dreamtuner::train::native_side(&model),
        };
        let reference = ReferenceFiles {
            picture: self.reference.clone(),
            mask: self.mask.as_str().into(),
            controls: vec![match &model.controlnet {
                Some(_) => self.reference_pose.as_str().into(),
                None => FileChoice::None,
            }],
            model: self.pose_model.clone(),
        };
        let reference = reference.read()?;
        let settings = TuneSettings { caption: self.caption(reference.picture(), &device)?, ..settings };
        let reference_controls = reference.pose().map(|pose| both(&pose, side));
        let controls = match &self.pose {
            Some(path) => poses(path, side, settings.regular.max(SHOWN))?,
            None => reference_controls.clone().into_iter().collect(),
        };
        Ok(TuneJob {
            reference: reference.fit(side, side)?,
            reference_controls,
            controls,
            model,
            output: self.output.clone(),
            defaults,
            settings: TuneSettings { size: Some(side), ..settings },
            device,
        })
    }

    /// The reference in words, if there are any.
    fn caption(&self, picture: &RgbImage, device: &candle_core::Device) -> Result<Option<String>> {
        match (self.caption.as_deref(), &self.captioner) {
            (Some("auto"), Some(folder)) => {
                let caption = Captioner::open(folder, device)?.caption(picture)?;
                say(format_args!("caption: {caption}"));
                Ok(Some(caption))
            }
            (Some("auto"), None) => {
                Err(Error::setting("caption", "auto needs --captioner, the folder of a BLIP"))
            }
            (_, Some(_)) => Err(Error::setting("captioner", "is for --caption auto")),
            (caption, None) => Ok(caption.map(str::to_owned)),
        }
    }

    /// Keeps the outputs for this tuning.
    fn reserve(&self) -> Result<Reservation> {
        let mut wanted = vec![Wanted::File(self.output.clone()), Wanted::Kept(folder_beside(&self.output))];
        if let Some(folder) = &self.export {
            outputs::make_folder(folder)?;
            wanted.extend(exported_files(folder).map(Wanted::OneOfMany));
        }
        let model = (self.model != "mini").then(|| PathBuf::from(&self.model));
        let choices = [&self.mask, &self.reference_pose].map(|text| FileChoice::from(text.as_str()));
        let files = [
            Some(&self.reference),
            self.pose.as_ref(),
            self.captioner.as_ref(),
            self.subject_encoder.as_ref(),
            model.as_ref(),
        ];
        let files = files.into_iter().flatten().map(PathBuf::as_path).chain(self.pose_model.choice().file());
        let inputs: Vec<&Path> = files.chain(choices.iter().filter_map(FileChoice::file)).collect();
        Reservation::new(wanted, &inputs, self.overwrite)
    }

    fn settings(&self, defaults: &TuneDefaults) -> TuneSettings {
        let name = self.output.file_stem().unwrap_or_default().to_string_lossy();
        let method = match self.method {
            MethodOption::Lora => Method::LowRank(self.rank),
            MethodOption::Full => Method::Full,
        };
        TuneSettings {
            class: self.class.clone(),
            word: self.word.clone().unwrap_or_else(|| format!("<{name}>")),
            caption: None,
            template: self.template.clone(),
            steps: self.steps.unwrap_or(defaults.steps),
            save_at: self.save_at.clone(),
            method,
            learning_rate: self.learning_rate.unwrap_or(match method {
                Method::LowRank(_) => defaults.learning_rate,
                Method::Full => 1e-6,
            }),
            word_learning_rate: self.word_learning_rate,
            regular: self.regular.unwrap_or(defaults.regular),
            flip: self.flip.unwrap_or(defaults.flip),
            with_references: self.with_references.unwrap_or(defaults.with_references),
            size: self.size,
            seed: self.seed,
        }
    }
}

/// A pose as the ControlNet is shown it, and its mirror image.
fn both(pose: &Pose, side: u32) -> [RgbImage; 2] {
    let pose = pose.fit(side, side, Fit::Contain);
    [&pose, &pose.mirrored()].map(|pose| draw_pose(pose, side, side, &DrawSettings::default()))
}

/// At most `count` poses of a file in which somebody is seen, evenly spaced.
fn poses(path: &Path, side: u32, count: usize) -> Result<Vec<[RgbImage; 2]>> {
    let poses = read_poses(path, &ReadSettings::default())?;
    let shown: Vec<&Pose> = poses.poses.iter().filter(|pose| !pose.people.is_empty()).collect();
    if shown.is_empty() {
        return Err(Error::input(path, "shows nobody"));
    }
    let count = count.min(shown.len());
    Ok((0..count).map(|index| both(shown[index * shown.len() / count], side)).collect())
}

fn show(display: &mut StepDisplay, event: &TuneEvent) {
    match *event {
        TuneEvent::Regular { done, of } => display.update("regular picture", done as u64, of as u64, ""),
        TuneEvent::Step { done, of, loss } => display.update("step", done, of, &format!("loss {loss:.4}, ")),
    }
}
