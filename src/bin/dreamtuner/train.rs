//! `dreamtuner train`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::weights::{ModelDefaults, ModelFiles};
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::train::pre_training::train;
use dreamtuner::train::subject_encoder::{SubjectEncoderJob, SubjectEncoderSettings, TrainEvent};
use dreamtuner::{Error, Result};

use crate::device::DeviceArgs;
use crate::exit;
use crate::say::say;
use crate::signal::stop_on_signal;
use crate::step_progress::StepDisplay;

/// Shown below the help.
const EXAMPLES: &str = "\
Examples:
  dreamtuner puppet dataset --identities 2000 --variants 7 --size 128 -o puppets
  dreamtuner train subject-encoder --data puppets --caption-column scene_caption -o subject_encoder
  dreamtuner train subject-encoder --model sd15 --data characters --at-once 1 -o sd15/subject_encoder

The folder for --data holds metadata.jsonl, a JSON object a line: file_name, mask_file_name, caption (or text) and, if there
are any, control_file_name and identity. A training that was stopped goes on where it was last saved; training/loss.csv and
training/loss.png show how it went.";

/// Commands that train.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// Teach a model's subject encoder who pictures show.
    #[command(allow_negative_numbers = true, after_help = EXAMPLES)]
    SubjectEncoder(Box<SubjectEncoderArgs>),
}

/// Options of `dreamtuner train subject-encoder`.
#[derive(Debug, Args)]
pub struct SubjectEncoderArgs {
    /// Folder with pictures
    #[arg(long, value_name = "FOLDER", help_heading = "Data")]
    data: PathBuf,
    /// Column of the captions [default: caption, else text]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    caption_column: Option<String>,
    /// Subjects at the end of the list that are not trained on, but looked at for the held-out loss
    #[arg(long, default_value_t = 32, value_name = "NUMBER", help_heading = "Data")]
    held_out: usize,
    /// Side of the pictures in pixels [default: the model's native size]
    #[arg(long, value_name = "PIXELS", help_heading = "Data")]
    size: Option<u32>,

    /// `mini` (inside the program), or a diffusers folder with image_encoder
    #[arg(long, default_value = "mini", value_name = "PATH", help_heading = "Training")]
    model: String,
    /// An encoder to go on from, in place of a new one
    #[arg(long, value_name = "PATH", help_heading = "Training")]
    from: Option<PathBuf>,
    /// Steps
    #[arg(long, default_value_t = 4000, value_name = "NUMBER", help_heading = "Training")]
    steps: u64,
    /// Pictures of a step
    #[arg(long, default_value_t = 16, value_name = "NUMBER", help_heading = "Training")]
    batch: usize,
    /// Pictures that pass the networks together; fewer take less memory [default: all of a step]
    #[arg(long, value_name = "NUMBER", help_heading = "Training")]
    at_once: Option<usize>,
    /// Learning rate; 1e-5 is the paper's for Stable Diffusion
    #[arg(long, default_value_t = 1e-5, value_name = "RATE", help_heading = "Training")]
    learning_rate: f64,
    /// Steps over which the learning rate grows from 0
    #[arg(long, default_value_t = 0, value_name = "STEPS", help_heading = "Training")]
    warm_up: u64,
    /// Share of the steps at whose end it falls to 0
    #[arg(long, default_value_t = 0.0, value_name = "0-1", help_heading = "Training")]
    cool_down: f64,
    /// Let pictures with little noise count less (min-SNR, gamma; 5 is usual)
    #[arg(long, value_name = "GAMMA", help_heading = "Training")]
    min_snr: Option<f64>,
    /// Share of the captions that are left out
    #[arg(long, default_value_t = 0.1, value_name = "0-1", help_heading = "Training")]
    without_text: f64,
    /// Share of the pictures that look at their reference through S-S-A too, as in a render
    #[arg(long, default_value_t = 0.0, value_name = "0-1", help_heading = "Training")]
    with_references: f64,
    /// ResBlocks of the encoder
    #[arg(long, default_value_t = 2, value_name = "NUMBER", help_heading = "Training")]
    res_blocks: usize,
    /// Seed of everything
    #[arg(long, default_value_t = 0, value_name = "NUMBER", help_heading = "Training")]
    seed: u64,

    /// The encoder's folder; a training that it holds goes on
    #[arg(short, long, value_name = "FOLDER", help_heading = "Output")]
    output: PathBuf,
    /// Write into a folder that holds files of other programs
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
    /// Steps between two looks at held-out pictures
    #[arg(long, default_value_t = 250, value_name = "STEPS", help_heading = "Output")]
    check_every: u64,
    /// Steps between two savings
    #[arg(long, default_value_t = 250, value_name = "STEPS", help_heading = "Output")]
    save_every: u64,
    /// Steps between two sheets of samples in training/samples; 0 for none
    #[arg(long, default_value_t = 1000, value_name = "STEPS", help_heading = "Output")]
    sample_every: u64,

    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs a command; the exit code.
pub fn run(command: TrainCommand) -> Result<i32> {
    let TrainCommand::SubjectEncoder(arguments) = command;
    let device = arguments.device.choose()?.device;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let overwrite = arguments.overwrite;
    let (job, inputs) = arguments.job(device)?;
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    let mut reserved = Reservation::new(vec![Wanted::Kept(job.output.clone())], &inputs, overwrite)?;
    let mut display = StepDisplay::default();
    let result = train(&job, &mut reserved, &interrupt, &mut |event| show(&mut display, &event));
    display.finish();
    match result {
        Err(Error::Interrupted) => {
            say("stopped and saved; the same command goes on from here");
            Ok(exit::INTERRUPTED)
        }
        Ok(_) => {
            reserved.finish()?;
            say(format_args!("{}", job.output.display()));
            Ok(exit::SUCCESS)
        }
        Err(error) => Err(error),
    }
}

impl SubjectEncoderArgs {
    /// The training, and the files and folders that are read.
    fn job(self, device: candle_core::Device) -> Result<(SubjectEncoderJob, Vec<PathBuf>)> {
        let path = (self.model != "mini").then_some(Path::new(&self.model));
        let model = path.map_or_else(ModelFiles::builtin, ModelFiles::open)?;
        let defaults = ModelDefaults::of(path)?;
        let from = self.from.as_ref().map(|path| model.open_subject_encoder(path)).transpose()?;
        let settings = SubjectEncoderSettings {
            steps: self.steps,
            batch: self.batch,
            at_once: self.at_once.unwrap_or(self.batch),
            learning_rate: self.learning_rate,
            warm_up: self.warm_up,
            cool_down: self.cool_down,
            min_snr: self.min_snr,
            without_text: self.without_text,
            with_references: self.with_references,
            size: self.size,
            res_blocks: self.res_blocks,
            held_out: self.held_out,
            check_every: self.check_every,
            save_every: self.save_every,
            sample_every: self.sample_every,
            seed: self.seed,
            caption: self.caption_column,
        };
        let inputs = [path.map(PathBuf::from), self.from.clone(), Some(self.data.clone())];
        let job = SubjectEncoderJob {
            model,
            from,
            data: self.data,
            output: self.output,
            defaults,
            settings,
            device,
        };
        Ok((job, inputs.into_iter().flatten().collect()))
    }
}

fn show(display: &mut StepDisplay, event: &TrainEvent) {
    match event {
        TrainEvent::Note(note) => display.note(note),
        TrainEvent::HeldOut { done, with, without } => {
            display.note(&format!("step {done}: held-out loss {with:.5}, without the encoder {without:.5}"));
        }
        TrainEvent::Step { done, of, loss } => {
            display.update("step", *done, *of, &format!("loss {loss:.4}, "))
        }
    }
}
