//! `dreamtuner eval`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dreamtuner::evaluate::{
    Benchmark, BenchmarkModels, Caption, Dance, KnownJoints, Report, Row, Shown, Source, ablations, drafts,
    round_trip,
};
use dreamtuner::frame::MAX_SIDE;
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::clip::{Clip, ClipFiles};
use dreamtuner::puppet::{Expression, HELD_OUT_SEED, Scene};
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::{Error, Result};
use serde::de::DeserializeOwned;

use crate::draft_args::{DraftBeginArgs, DraftShareArgs};
use crate::evaluate_clip::{self, ClipArgs};
use crate::evaluate_dreambooth::{self, DreamboothArgs};
use crate::evaluate_folder::reserve;
use crate::evaluate_progress::Display;
use crate::exit;
use crate::puppet::by_name;
use crate::render_options::{CoherenceArgs, RenderArgs};
use crate::say::{print, say};
use crate::signal::stop_on_signal;

/// Shown below the help.
const EXAMPLES: &str = "\
Examples:
  dreamtuner eval puppets -o results
  dreamtuner eval puppets -o results --name weight-20 --reference-weight 20
  dreamtuner eval puppets -o results --ablations --identities 8
  dreamtuner eval puppets -o results --drafts --dance wave --dance disco
  dreamtuner eval puppets -o night --scene night --expression laugh --frames 1 --previous-weight 0 --reference-weight 3
  dreamtuner eval puppets -o stills --scene various --expression various --frames 1 --previous-weight 0
  dreamtuner eval puppets -o results --ablations --row text --row previous-1

Clips that are finished are kept in the folder; a benchmark that was stopped goes on where it was. The report also keeps
the rows of earlier runs with the same puppets, dances and weights.";

/// Most puppets of one benchmark.
const MOST_IDENTITIES: u64 = 100_000;

/// Commands that measure.
#[derive(Debug, Subcommand)]
pub enum EvaluateCommand {
    /// Let held-out puppets dance, and compare the renders with the truth: report.md, report.json, sheet-*.png.
    #[command(allow_negative_numbers = true, after_help = EXAMPLES)]
    Puppets(Box<PuppetsArgs>),
    /// Compare two clips frame by frame: L1, PSNR, SSIM, CLIP-I and flicker.
    #[command(after_help = evaluate_clip::EXAMPLES)]
    Clip(Box<ClipArgs>),
    /// Draw subjects by the prompts of the DreamBooth data set, and measure likeness and obedience: CLIP-I, DINO, CLIP-T.
    #[command(allow_negative_numbers = true, after_help = evaluate_dreambooth::EXAMPLES)]
    Dreambooth(Box<DreamboothArgs>),
}

/// Options of `dreamtuner eval puppets`.
#[derive(Debug, Args)]
pub struct PuppetsArgs {
    /// Folder for results; one that holds some already is continued
    #[arg(short, long, value_name = "FOLDER", help_heading = "Benchmark")]
    output: PathBuf,
    /// Write into a folder that holds files of other programs
    #[arg(long, help_heading = "Benchmark")]
    overwrite: bool,
    /// Number of puppets
    #[arg(long, default_value_t = 32, value_name = "NUMBER", help_heading = "Benchmark",
        value_parser = clap::value_parser!(u64).range(1..=MOST_IDENTITIES))]
    identities: u64,
    /// Seed of the first puppet; those from 1000000 on are in no training data
    #[arg(long, default_value_t = HELD_OUT_SEED, value_name = "NUMBER", help_heading = "Benchmark",
        value_parser = clap::value_parser!(u64).range(..=u64::MAX - MOST_IDENTITIES))]
    first_seed: u64,
    /// A dance: a name as in `poses/`, or a file with key poses; can be repeated
    #[arg(long, default_value = "wave", value_name = "NAME|FILE", help_heading = "Benchmark")]
    dance: Vec<String>,
    /// Frames of each dance
    #[arg(long, default_value_t = 24, value_name = "NUMBER", help_heading = "Benchmark",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    frames: u32,
    /// Frames a second
    #[arg(long, default_value_t = 12.0, value_name = "NUMBER", help_heading = "Benchmark")]
    fps: f32,
    /// Where they dance: white, night, beach, ... as for `puppet image`, or `various`: each elsewhere; references stand on white
    #[arg(long, value_name = "NAME", default_value = "white", value_parser = shown::<Scene>, help_heading = "Benchmark")]
    scene: Shown<Scene>,
    /// With which face: smile, laugh, angry, ... as for `puppet image`, or `various`: each with another; references smile
    #[arg(long, value_name = "NAME", default_value = "smile", value_parser = shown::<Expression>, help_heading = "Benchmark")]
    expression: Shown<Expression>,
    /// Side of the pictures in pixels; the model's native size where absent
    #[arg(long, value_name = "PIXELS", help_heading = "Benchmark")]
    size: Option<u32>,
    /// What the prompts say
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = "Benchmark")]
    caption: Caption,
    /// Do not mask the reference's background out
    #[arg(long, conflicts_with = "ablations", help_heading = "Benchmark")]
    no_mask: bool,
    /// Name of the one row that is measured without --ablations
    #[arg(
        long,
        default_value = "defaults",
        value_name = "NAME",
        help_heading = "Benchmark",
        conflicts_with = "ablations"
    )]
    name: String,
    /// Measure all the standard rows, which differ from the options given here in what their titles say
    #[arg(long, help_heading = "Benchmark")]
    ablations: bool,
    /// Measure drafts, which are no renders: the reference itself, bent to the true poses
    #[arg(long, conflicts_with = "ablations", help_heading = "Benchmark")]
    drafts: bool,
    /// Of the standard rows only the one with this name; can be repeated
    #[arg(long, value_name = "NAME", requires = "ablations", help_heading = "Benchmark")]
    row: Vec<String>,
    /// Also print what each row differs from this one by, puppet by puppet: intervals of differences are narrower
    #[arg(long, value_name = "NAME", help_heading = "Benchmark")]
    against: Option<String>,
    /// A folder with a subject for each puppet, SEED.subject, as `dreamtuner tune` makes it of the puppet's picture
    #[arg(long, value_name = "FOLDER", conflicts_with = "subject", help_heading = "Benchmark")]
    subjects: Option<PathBuf>,
    /// A CLIP model folder as transformers writes it, in place of the model's own
    #[arg(long, value_name = "FOLDER", help_heading = "Benchmark")]
    clip: Option<PathBuf>,

    #[command(flatten)]
    begin: DraftBeginArgs,
    #[command(flatten)]
    share: DraftShareArgs,
    /// How the joints of references are known, which drafts are bent by
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Draft")]
    joints: KnownJoints,

    #[command(flatten)]
    coherence: CoherenceArgs,
    #[command(flatten)]
    render: RenderArgs,
}

/// Runs a command; the exit code.
pub fn run(command: EvaluateCommand) -> Result<i32> {
    let arguments = match command {
        EvaluateCommand::Puppets(arguments) => arguments,
        EvaluateCommand::Clip(arguments) => return evaluate_clip::run(&arguments),
        EvaluateCommand::Dreambooth(arguments) => return evaluate_dreambooth::run(&arguments),
    };
    let mut display = Display::new();
    let report = measure(&arguments, &mut display);
    display.finish();
    if matches!(report, Err(Error::Interrupted)) {
        say("stopped; the same command goes on from here");
        return Ok(exit::INTERRUPTED);
    }
    let report = report?;
    print(report.table().trim_end())?;
    if let Some(name) = &arguments.against {
        let differences = report.against(name)?.table();
        print(&format!("\nminus {name}, puppet by puppet: {}", differences.trim_end()))?;
    }
    say(format_args!("wrote report.md, report.json and contact sheets to {}", arguments.output.display()));
    Ok(exit::SUCCESS)
}

fn measure(arguments: &PuppetsArgs, display: &mut Display) -> Result<Report> {
    // 1. Everything that can be wrong without reading tensors.
    let device = arguments.render.device.choose()?;
    let mut benchmark = arguments.benchmark()?;
    benchmark.check()?;
    let files = arguments.render.weights();
    let weights = files.open()?;
    let clip_files = match &arguments.clip {
        Some(folder) => Some(ClipFiles::open(folder)?),
        None => weights.clip(),
    };
    if clip_files.is_none() {
        say("note: the model brings no CLIP, so CLIP-I and CLIP-T are left out; --clip FOLDER names one");
    }
    let (native, step) = weights.sizes();
    benchmark.size = size(arguments.size, native, step)?;
    let inputs: Vec<&Path> = files.files().chain(arguments.clip.as_deref()).collect();
    let mut reserved = reserve(&arguments.output, &inputs, arguments.overwrite)?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    // 2. The benchmark.
    let clip = clip_files.as_ref().map(|files| Clip::load(files, &device.device)).transpose()?;
    let models = BenchmarkModels {
        weights: files,
        subjects: arguments.subjects.clone(),
        clip: clip.as_ref().zip(clip_files.as_ref().map(ClipFiles::fingerprint)),
        device,
        cache: arguments.render.cache(),
    };
    let report = benchmark.run(&models, &mut reserved, &interrupt, &mut |event| display.show(&event))?;
    reserved.finish()?;
    Ok(report)
}

/// A kind by its name, or `various`.
fn shown<Kind: DeserializeOwned>(name: &str) -> std::result::Result<Shown<Kind>, String> {
    match name {
        "various" => Ok(Shown::Various),
        name => by_name(name).map(Shown::Same),
    }
}

/// The side of the pictures: what is asked for, or the model's native one, rounded to what it allows.
fn size(wanted: Option<u32>, native: u32, step: u32) -> Result<u32> {
    let Some(size) = wanted else { return Ok((native / step).max(1) * step) };
    if (16..=MAX_SIDE).contains(&size) && size.is_multiple_of(step) {
        return Ok(size);
    }
    Err(Error::setting("size", format!("{size}; multiples of {step} from 16 to {MAX_SIDE} are allowed")))
}

impl PuppetsArgs {
    fn benchmark(&self) -> Result<Benchmark> {
        let settings = RenderSettings {
            draft: self.share.settings(self.begin.strength, &self.render)?,
            ..self.coherence.on(self.render.settings()?)
        };
        settings.check_values()?;
        let own =
            self.render.controlnet.iter().find(|option| {
                option.video.is_some() || option.reference.is_some() || option.is_shown_draft()
            });
        if own.is_some() {
            return Err(Error::setting(
                "controlnet",
                "video, reference and source have no place here: the puppets' poses are used",
            ));
        }
        let dances = self
            .dance
            .iter()
            .map(|name| {
                let mut dance = Dance::open(name, self.frames as usize, self.fps)?;
                (dance.scene, dance.expression) = (self.scene, self.expression);
                Ok(dance)
            })
            .collect::<Result<Vec<Dance>>>()?;
        Ok(Benchmark {
            identities: (0..self.identities).map(|place| self.first_seed + place).collect(),
            dances,
            rows: self.rows(settings)?,
            size: 0,
            folder: self.output.clone(),
        })
    }

    fn rows(&self, settings: RenderSettings) -> Result<Vec<Row>> {
        if self.drafts {
            return Ok(drafts());
        }
        let mut rows = vec![round_trip()];
        if !self.ablations {
            let mut row = Row::new(&self.name, &self.name, settings, self.caption);
            if let Source::Render { mask, joints, .. } = &mut row.source {
                (*mask, *joints) = (!self.no_mask, self.joints);
            }
            rows.push(row);
            return Ok(rows);
        }
        let standard = ablations(&settings, self.caption);
        if let Some(name) = self.row.iter().find(|name| standard.iter().all(|row| row.name != **name)) {
            let names: Vec<&str> = standard.iter().map(|row| row.name.as_str()).collect();
            return Err(Error::setting("row", format!("{name}: there are {}", names.join(", "))));
        }
        rows.extend(standard.into_iter().filter(|row| self.row.is_empty() || self.row.contains(&row.name)));
        Ok(rows)
    }
}
