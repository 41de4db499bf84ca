//! `dreamtuner image`.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use dreamtuner::detect::PoseModel;
use dreamtuner::diffusion::Sampler;
use dreamtuner::files::{parse_options, read_picture};
use dreamtuner::inputs::reference::{FileChoice, ReferenceFiles};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::DeviceSettings;
use dreamtuner::outputs::{self, Reservation, Wanted, read_png_text};
use dreamtuner::render::pipeline_source::PipelineSource;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::rig::Doubts;
use dreamtuner::still::parameters::{OPTIONS, PARAMETERS, Parameters};
use dreamtuner::still::{Init, Still, StillEvent, Stills, labelled_grid};
use dreamtuner::{Error, Result};
use serde::Serialize;

use crate::config_file::{self, FileOption};
use crate::draft_args::DraftUseArgs;
use crate::exit;
use crate::figure_args::sentences;
use crate::image_grid::{Axis, Grid};
use crate::parse::{ControlNetOption, Size, pixels};
use crate::render_options::{RenderArgs, as_text};
use crate::say::{print, say};
use crate::signal::stop_on_signal;
use crate::step_progress::StepDisplay;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner image --reference hero.png --prompt \"laughing, night\" -o night.png
  dreamtuner image --reference hero.png --prompt \"smile, beach\" --pose jump.json -n 8 -o beach.png
  dreamtuner image --reference hero.png --prompt \"smile, forest\" --grid reference-weight=0,1,3,10 --grid beta=0,0.2,1 -o grid.png
  dreamtuner image --from night-3.png --prompt \"laughing, snow\" -o snow.png

Of several pictures each has a file of its own, night-1.png, night-2.png, ...; night.png shows them all. Every file knows
its settings: --from makes it again, with what else stands on the command line.";

/// Options from a picture that was made before.
pub const FROM: FileOption = FileOption { command: "image", flag: "--from", read: read_options };

/// Options of `dreamtuner image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(flatten)]
    picture: PictureArgs,

    /// The picture, a .png file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
    /// Number of pictures; each has a seed of its own, one after the other
    #[arg(short = 'n', long, default_value_t = 1, value_name = "NUMBER", help_heading = "Output",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    number: u32,
    /// A picture for each value of an option: reference-weight=0,1,10 or, where values hold commas, "prompt=a, b|c, d".
    /// If --grid is given twice, the second one's values go downwards
    #[arg(long, value_name = "OPTION=VALUES", help_heading = "Output")]
    grid: Vec<Axis>,
    /// Replace pictures that are there already
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
    /// Take the options that are not given here from a picture that was made before
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    from: Option<PathBuf>,
}

/// What decides a picture.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PictureArgs {
    /// Picture of the character (PNG, JPEG, WebP…); its transparency serves as mask
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    reference: PathBuf,
    /// The pose: pose JSON, a drawn skeleton, or a picture of somebody; without one, ControlNets are left out
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pose: Option<PathBuf>,
    /// The network that finds poses in pictures: thunder, lightning or drawn, or as for `animate` a file or folder
    #[arg(long, default_value_t, value_name = "NAME|PATH", help_heading = "Input")]
    #[serde(serialize_with = "as_text")]
    pub pose_model: PoseModel,
    /// The reference's own pose: pose JSON, a skeleton picture, `auto` (found in the picture) or `none`
    #[arg(long, default_value = "auto", value_name = "FILE|auto|none", help_heading = "Input")]
    reference_pose: String,
    /// Where the character is in the reference: a grey picture, `auto` (its transparency, else what stands in front of the
    /// background) or `none`
    #[arg(long, default_value = "auto", value_name = "FILE|auto|none", help_heading = "Input")]
    mask: String,
    /// A picture to begin from in place of noise, or `draft`: the reference bent to the pose (see `dreamtuner draft`)
    #[arg(long, value_name = "FILE|draft", requires = "strength", help_heading = "Input")]
    init: Option<PathBuf>,
    /// How much of it may change
    #[arg(long, value_name = "0-1", requires = "init", help_heading = "Input")]
    strength: Option<f64>,
    /// First let the model make the reference again, in its own pose and text, and look at that
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true",
        action = ArgAction::Set, hide_default_value = true, value_name = "true|false", hide_possible_values = true,
        help_heading = "Input")]
    refine: bool,

    /// What the picture shows; commas between words, (more:1.3) and [less] weight as in A1111
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true, help_heading = "Text")]
    prompt: String,
    /// What the reference shows; the prompt where absent
    #[arg(long, value_name = "TEXT", help_heading = "Text")]
    reference_prompt: Option<String>,

    /// Size, 1 to 8192 a side, rounded to what the model allows; from the reference's shape and the model's native size where
    /// absent
    #[arg(long, value_name = "WIDTHxHEIGHT", help_heading = "Output")]
    size: Option<Size>,
    #[command(flatten)]
    #[serde(flatten)]
    draft: DraftUseArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub render: RenderArgs,
    /// Decode and encode in tiles of this many pixels a side; 0 never does; above 1024 pixels a side by itself
    #[arg(long, value_name = "PIXELS", help_heading = "Machine", value_parser = pixels)]
    vae_tile: Option<usize>,
}

/// Makes the pictures; the exit code.
pub fn run(arguments: &ImageArgs) -> Result<i32> {
    let device = arguments.picture.render.device.choose()?;
    // Before anything is said of the grid: a value out of range is not its fault.
    arguments.picture.still(&device)?.check()?;
    let grid = Grid::new(&arguments.grid, arguments.number, arguments.picture.render.seed)?;
    let outputs = names(arguments, grid.cells.len())?;
    let options = grid.cells.iter().map(|changes| config_file::changed(&arguments.picture, changes, "grid"));
    let options = options.collect::<Result<Vec<PictureArgs>>>()?;
    let stills = options.iter().map(|options| options.still(&device));
    let stills = stills.collect::<Result<Vec<Still>>>()?;
    stills.iter().try_for_each(Still::check)?;
    let mut reserved = reserve(arguments, &outputs, &stills)?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = StepDisplay::default();
    let mut maker = Stills::default();
    let mut pictures = Vec::with_capacity(stills.len());
    for (place, (still, options)) in stills.iter().zip(&options).enumerate() {
        // A run of the same command that was cut off has left it.
        if stills.len() > 1 && reserved.has_published(&outputs[place]) {
            pictures.push(read_picture(&outputs[place])?.into_rgb8());
            continue;
        }
        let made = maker.make(still, &interrupt, &mut |event| match event {
            StillEvent::Note(note) => display.note(&format!("note: {note}")),
            StillEvent::Doubts(doubts) => note_doubts(&mut display, &doubts, &still.reference.picture),
            StillEvent::Step { done, of } => {
                let (done, of) = ((place * of + done) as u64, (stills.len() * of) as u64);
                display.update("step", done, of, "");
            }
        });
        if matches!(made, Err(Error::Interrupted)) {
            display.finish();
            say(format_args!("stopped; {place} of {} pictures are there", stills.len()));
            return Ok(exit::INTERRUPTED);
        }
        let made = made?;
        let parameters = Parameters::new(&made.settings, &options.render.model_name(), options.strength);
        let options = config_file::text(options, &outputs[place])?;
        let texts = [(PARAMETERS, &*parameters.to_string()), (OPTIONS, &*options)];
        reserved.file(&outputs[place])?.write_png(&made.picture, &texts)?;
        pictures.push(made.picture);
    }
    display.finish();
    if pictures.len() > 1 {
        reserved.file(&arguments.output)?.write_png(&labelled_grid(&pictures, &grid.labels), &[])?;
    }
    reserved.finish()?;
    print(&arguments.output.display().to_string())?;
    Ok(exit::SUCCESS)
}

/// Says what may be wrong with the reference's joints.
pub fn note_doubts(display: &mut StepDisplay, doubts: &Doubts, reference: &Path) {
    sentences(doubts, reference).iter().for_each(|sentence| display.note(&format!("note: {sentence}")));
}

/// The files of the pictures.
fn names(arguments: &ImageArgs, count: usize) -> Result<Vec<PathBuf>> {
    let output = &arguments.output;
    if !outputs::is_png(output) {
        return Err(Error::output(output, "is no .png file"));
    }
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let outputs: Vec<PathBuf> = match count {
        1 => vec![output.clone()],
        _ => (1..=count).map(|number| output.with_file_name(format!("{stem}-{number}.png"))).collect(),
    };
    Ok(outputs)
}

/// Keeps the files for these pictures: first the picture of all, or the only one.
fn reserve(arguments: &ImageArgs, pictures: &[PathBuf], stills: &[Still]) -> Result<Reservation> {
    let mut wanted = vec![Wanted::File(arguments.output.clone())];
    let several = pictures.iter().filter(|path| **path != arguments.output);
    wanted.extend(several.cloned().map(Wanted::OneOfMany));
    let inputs: Vec<&Path> = stills.iter().flat_map(Still::inputs).chain(arguments.from.as_deref()).collect();
    // Of what decides how fast they are made, nothing.
    Reservation::begin(wanted, &inputs, arguments.overwrite, &format!("{stills:?} {:?}", arguments.grid))
}

/// The options that a picture was made with.
fn read_options(path: &Path) -> Result<toml::Table> {
    let texts = read_png_text(path)?;
    if let Some(options) = texts.get(OPTIONS) {
        return parse_options(path, options);
    }
    let Some(text) = texts.get(PARAMETERS) else {
        return Err(Error::input(path, "does not say how it was made"));
    };
    let parameters = Parameters::parse(text);
    let mut table = toml::Table::new();
    table.insert("prompt".into(), parameters.prompt.clone().into());
    table.insert("negative-prompt".into(), parameters.negative_prompt.clone().into());
    let sampler = parameters.sampler();
    if let Some(name) = parameters.unknown_sampler() {
        let instead = sampler.map_or("the default", Sampler::name);
        say(format_args!(
            "note: {}: there is no sampler {name} here; {instead} takes its place",
            path.display()
        ));
    }
    table.extend(sampler.map(|sampler| ("sampler".to_owned(), sampler.name().into())));
    for (name, option) in [
        ("Steps", "steps"),
        ("CFG scale", "guidance-scale"),
        ("Seed", "seed"),
        ("Size", "size"),
        ("Clip skip", "clip-skip"),
        ("Reference weight", "reference-weight"),
        ("Beta", "beta"),
    ] {
        table.extend(parameters.get(name).map(|value| (option.to_owned(), value.into())));
    }
    Ok(table)
}

impl PictureArgs {
    /// The still that they describe.
    pub fn still(&self, device: &DeviceSettings) -> Result<Still> {
        let own = |option: &ControlNetOption| option.video.is_some();
        if self.render.controlnet.iter().any(own) {
            return Err(Error::setting("controlnet", "video has no place here: --pose is what is shown"));
        }
        let shown = self.pose.is_some() || self.refine;
        let reference = ReferenceFiles {
            picture: self.reference.clone(),
            mask: self.mask.as_str().into(),
            controls: if shown { self.controls() } else { Vec::new() },
            model: self.pose_model.clone(),
        };
        let init = self.init.clone().filter(|_| !self.begins_from_draft());
        Ok(Still {
            figure: self.draft.figure(&reference, &self.reference_pose),
            reference,
            pose: self.pose.clone(),
            size: self.size.map(|size| (size.width, size.height)),
            pipeline: PipelineSource::from_files(self.render.weights_where(shown)?, device.clone()),
            settings: self.settings()?,
            vae_tile: self.vae_tile,
            init: init.zip(self.strength).map(|(path, strength)| Init { path, strength }),
            refine: self.refine,
        })
    }

    /// The reference's control image for each ControlNet.
    pub fn controls(&self) -> Vec<FileChoice> {
        self.render.controlnet.iter().map(|option| option.reference_control(&self.reference_pose)).collect()
    }

    fn begins_from_draft(&self) -> bool {
        self.init.as_deref() == Some(Path::new("draft"))
    }

    fn settings(&self) -> Result<RenderSettings> {
        let defaults = self.render.defaults()?;
        let settings = self.render.settings()?;
        Ok(RenderSettings {
            prompt: self.prompt.clone(),
            reference_prompt: self.reference_prompt.clone(),
            draft: self
                .draft
                .share
                .settings(self.strength.filter(|_| self.begins_from_draft()), &self.render)?,
            reference_weight: self.render.reference_weight.unwrap_or(defaults.still_reference_weight),
            ..settings
        })
    }
}
