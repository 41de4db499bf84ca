//! `dreamtuner eval dreambooth`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::detect::PoseModel;
use dreamtuner::evaluate::dreambooth::{
    DataSet, Encoders, Prompt, SubjectBenchmark, SubjectBenchmarkEvent, SubjectReport,
};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::clip::{Clip, ClipFiles};
use dreamtuner::model::dino::{Dino, DinoFiles};
use dreamtuner::model::weights::ModelDefaults;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::{Error, Result};

use crate::evaluate_folder::reserve;
use crate::exit;
use crate::parse::{ControlNetOption, Size};
use crate::render_options::RenderArgs;
use crate::say::{print, say};
use crate::signal::stop_on_signal;
use crate::step_progress::StepDisplay;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner eval dreambooth dreambooth/dataset --model sd15 --clip clip-vit-base-patch32 --dino dino-vits16 -o results
  dreamtuner eval dreambooth dreambooth/dataset --model sd15 --subjects tuned --refine -o results-tuned

The folder is that of the DreamBooth data set, or one of its layout: prompts_and_classes.txt, and for each subject a folder
of pictures. One picture is the reference; what is drawn is compared with all of them. Pictures that are finished are kept:
a benchmark that was stopped goes on where it was.";

/// Options of `dreamtuner eval dreambooth`.
#[derive(Debug, Args)]
pub struct DreamboothArgs {
    /// The data set
    #[arg(value_name = "FOLDER")]
    data: PathBuf,
    /// Folder for pictures and results; one that holds some already is continued
    #[arg(short, long, value_name = "FOLDER", help_heading = "Benchmark")]
    output: PathBuf,
    /// Write into a folder that holds files of other programs
    #[arg(long, help_heading = "Benchmark")]
    overwrite: bool,
    /// Pictures of each prompt, each with a seed of its own
    #[arg(short = 'n', long, default_value_t = 4, value_name = "NUMBER", help_heading = "Benchmark",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    number: u32,
    /// Of the subjects only the one with this name, also in the report; can be repeated
    #[arg(long, value_name = "NAME", help_heading = "Benchmark")]
    only: Vec<String>,
    /// A folder with a tuned subject for each, NAME.subject, as `dreamtuner tune` makes it
    #[arg(long, value_name = "FOLDER", conflicts_with = "subject", help_heading = "Benchmark")]
    subjects: Option<PathBuf>,
    /// A CLIP model folder as transformers writes it, in place of the model's own
    #[arg(long, value_name = "FOLDER", help_heading = "Benchmark")]
    clip: Option<PathBuf>,
    /// A DINO model folder as transformers writes it (ViTModel); without one, DINO is left out
    #[arg(long, value_name = "FOLDER", help_heading = "Benchmark")]
    dino: Option<PathBuf>,

    /// Which of a subject's pictures is its reference, from 1
    #[arg(long, default_value_t = 1, value_name = "NUMBER", help_heading = "Input",
        value_parser = clap::value_parser!(u32).range(1..))]
    reference_number: u32,
    /// What the references show; {1} stands for the class
    #[arg(long, default_value = "a {1}", value_name = "TEXT", help_heading = "Input")]
    reference_prompt: String,
    /// Where the subject is in its reference: `auto` (its transparency, else what stands in front of the background) or `none`
    #[arg(long, default_value = "auto", value_name = "auto|none", value_parser = ["auto", "none"], help_heading = "Input")]
    mask: String,
    /// A pose for all pictures, as for `image`; without one, ControlNets are left out
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pose: Option<PathBuf>,
    /// First let the model make each reference again, in its own text, and look at that
    #[arg(long, help_heading = "Input")]
    refine: bool,
    /// Size, 1 to 8192 a side, rounded to what the model allows; from the reference's shape and the model's native size where
    /// absent
    #[arg(long, value_name = "WIDTHxHEIGHT", help_heading = "Benchmark")]
    size: Option<Size>,

    #[command(flatten)]
    render: RenderArgs,
}

/// Draws and measures; the exit code.
pub fn run(arguments: &DreamboothArgs) -> Result<i32> {
    let mut display = StepDisplay::default();
    let report = measure(arguments, &mut display);
    display.finish();
    if matches!(report, Err(Error::Interrupted)) {
        say("stopped; the same command goes on from here");
        return Ok(exit::INTERRUPTED);
    }
    print(report?.table().trim_end())?;
    say(format_args!("wrote report.md, report.json and sheets to {}", arguments.output.display()));
    Ok(exit::SUCCESS)
}

fn measure(arguments: &DreamboothArgs, display: &mut StepDisplay) -> Result<SubjectReport> {
    // 1. Everything that can be wrong without reading tensors.
    let benchmark = arguments.benchmark()?;
    let clip_files = match &arguments.clip {
        Some(folder) => Some(ClipFiles::open(folder)?),
        None => benchmark.weights.open()?.clip(),
    };
    if clip_files.is_none() {
        say("note: the model brings no CLIP, so CLIP-I and CLIP-T are left out; --clip FOLDER names one");
    }
    let dino_files = arguments.dino.as_deref().map(DinoFiles::open).transpose()?;
    let folders =
        [Some(&arguments.data), arguments.clip.as_ref(), arguments.dino.as_ref(), arguments.pose.as_ref()];
    let folders = folders.into_iter().flatten().map(PathBuf::as_path);
    let inputs: Vec<&Path> = folders.chain(benchmark.weights.files()).collect();
    let mut reserved = reserve(&arguments.output, &inputs, arguments.overwrite)?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    // 2. The benchmark.
    let clip = clip_files.as_ref().map(|files| Clip::load(files, &benchmark.device.device)).transpose()?;
    let dino = dino_files.as_ref().map(|files| Dino::load(files, &benchmark.device.device)).transpose()?;
    let prints =
        (clip_files.as_ref().map(ClipFiles::fingerprint), dino_files.as_ref().map(DinoFiles::fingerprint));
    let encoders =
        Encoders { clip: clip.as_ref().zip(prints.0.as_ref()), dino: dino.as_ref().zip(prints.1.as_ref()) };
    let mut said = BTreeSet::new();
    let report = benchmark.run(encoders, &mut reserved, &interrupt, &mut |event| match event {
        SubjectBenchmarkEvent::Note(note) => {
            if said.insert(note.clone()) {
                display.note(&format!("note: {note}"));
            }
        }
        SubjectBenchmarkEvent::Begin { done, of } => display.update("picture", done as u64, of as u64, ""),
        SubjectBenchmarkEvent::Finished { done, of, subject } => {
            display.update("picture", done as u64, of as u64, &format!("{subject}  "));
        }
    })?;
    reserved.finish()?;
    Ok(report)
}

impl DreamboothArgs {
    fn benchmark(&self) -> Result<SubjectBenchmark> {
        let device = self.render.device.choose()?;
        let own = |option: &ControlNetOption| option.video.is_some() || option.reference.is_some();
        if self.render.controlnet.iter().any(own) {
            let problem = "video and reference have no place here: --pose is what is shown";
            return Err(Error::setting("controlnet", problem));
        }
        let defaults = ModelDefaults::of(self.render.weights().model.as_deref())?;
        let settings = RenderSettings {
            reference_weight: self.render.reference_weight.unwrap_or(defaults.still_reference_weight),
            ..self.render.settings()?
        };
        settings.check_values()?;
        let data = DataSet::open(&self.data)?;
        let data = if self.only.is_empty() { data } else { data.only(&self.only)? };
        Ok(SubjectBenchmark {
            data,
            number: self.number,
            settings,
            reference_prompt: Prompt(self.reference_prompt.clone()),
            reference: self.reference_number as usize - 1,
            mask: self.mask.as_str().into(),
            refine: self.refine,
            pose: self.pose.clone(),
            pose_model: PoseModel::default(),
            size: self.size.map(|size| (size.width, size.height)),
            weights: self.render.weights_where(self.pose.is_some() || self.refine)?,
            subjects: self.subjects.clone(),
            device,
            folder: self.output.clone(),
        })
    }
}
