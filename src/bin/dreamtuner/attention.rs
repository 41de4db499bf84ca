//! `dreamtuner attention`.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dreamtuner::files::{write_atomically, write_png};
use dreamtuner::frame::Frame;
use dreamtuner::model::unet::Place;
use dreamtuner::render::attention_maps::{Captured, Watch};
use dreamtuner::render::interrupt::Interrupt;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::render::studio::Studio;
use dreamtuner::still::{Event, Labels, Made, Panel, Stills, labelled_grid, panel};
use dreamtuner::video::{EncodeSettings, VideoWriter};
use dreamtuner::{Error, Result};
use image::RgbImage;

use crate::exit;
use crate::image::PictureArgs;
use crate::parse::Point;
use crate::say::{print, say};
use crate::signal::stop_on_signal;
use crate::step_progress::StepDisplay;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner attention --reference hero.png --prompt \"smile, beach\" --pose jump.json --at 64,50 --at 60,100 -o maps.png
  dreamtuner attention --reference hero.png --prompt \"smile, beach\" --layer decoder4 --over queries -o queries.mp4
  dreamtuner attention --reference hero.png --prompt \"smile, beach\" --at 64,50 --over steps -o steps.gif --shares shares.csv

Left the picture, right the reference: red is where the token in the red box looks most, blue where it looks least.
Layers are numbered as in the original code: encoder1 to encoder11, middle, decoder0 to decoder11 in Stable Diffusion 1.5.";

/// Queries along each side where a video goes over them.
const QUERIES: u32 = 8;
/// Frames a second of videos.
const FRAME_RATE: (u32, u32) = (6, 1);

/// Options of `dreamtuner attention`.
#[derive(Debug, Args)]
pub struct AttentionArgs {
    #[command(flatten)]
    picture: PictureArgs,

    /// A layer; can be repeated [default: encoder7, encoder8, decoder4 and decoder5; all of the decoder where a model lacks them]
    #[arg(long, value_name = "LAYER", help_heading = "Attention")]
    layer: Vec<Place>,
    /// A step, from 1; can be repeated [default: the middle one and the last]
    #[arg(long, value_name = "NUMBER", help_heading = "Attention")]
    step: Vec<usize>,
    /// The point of the picture that looks, in pixels; can be repeated [default: its middle]
    #[arg(long, value_name = "X,Y", help_heading = "Attention")]
    at: Vec<Point>,
    /// Each head apart, not the mean of all
    #[arg(long, help_heading = "Attention")]
    heads: bool,
    /// What a video goes over: points of the picture, row by row, or steps
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = "Attention")]
    over: Over,

    /// The maps: .png, or a video: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
    /// How much attention goes to the picture itself and to the reference in each layer and step, as CSV
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    shares: Option<PathBuf>,
    /// Replace outputs that are there already
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Over {
    /// Points of the picture
    #[default]
    Queries,
    /// Steps
    Steps,
}

/// Makes the maps; the exit code.
pub fn run(arguments: &AttentionArgs) -> Result<i32> {
    let (device, dtype) = arguments.picture.render.device.choose()?;
    let still = arguments.picture.still(&device, dtype)?;
    let outputs = [Some(&arguments.output), arguments.shares.as_ref()];
    if let Some(path) = outputs.into_iter().flatten().find(|path| path.is_file() && !arguments.overwrite) {
        return Err(Error::output(path, "is there already; --overwrite replaces it"));
    }
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = StepDisplay::default();
    let mut stills = Stills::default();
    let watch = |studio: &Studio, settings: &RenderSettings| arguments.watch(studio, settings).map(Some);
    let made = stills.make_watched(&still, &watch, &interrupt, &mut |event| match event {
        Event::Note(note) => display.note(&format!("note: {note}")),
        Event::Step { done, of } => display.update("step", done as u64, of as u64, ""),
    });
    display.finish();
    if matches!(made, Err(Error::Interrupted)) {
        say("stopped");
        return Ok(exit::INTERRUPTED);
    }
    let made = made?;
    if let Some(path) = &arguments.shares {
        write_atomically(path, shares(&made)?.as_bytes())?;
    }
    arguments.write(&made)?;
    print(&arguments.output.display().to_string())?;
    Ok(exit::SUCCESS)
}

/// For each layer and step how much of the attention goes where.
fn shares(made: &Made) -> Result<String> {
    let places = made.studio.model.unet.self_attentions();
    let mut text = String::from("step,layer,seen,share\n");
    for captured in &made.captured {
        for (seen, share) in captured.shares(&made.studio.model.unet)? {
            let (step, place) = (captured.step + 1, places[captured.layer].0);
            let _ = writeln!(text, "{step},{place},{},{share:.6}", seen.name());
        }
    }
    Ok(text)
}

impl AttentionArgs {
    fn is_picture(&self) -> bool {
        self.output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
    }

    /// The layers and steps that are shown, and all others where shares are asked for.
    fn watch(&self, studio: &Studio, settings: &RenderSettings) -> Result<Watch> {
        self.points((settings.width as u32, settings.height as u32))?;
        let (steps, layers) = (self.steps(settings.steps)?, self.layers(studio)?);
        if self.shares.is_some() {
            let all = studio.model.unet.self_attentions().len();
            return Ok(Watch::new((0..settings.steps).collect(), (0..all).collect()));
        }
        Ok(Watch::new(steps, layers))
    }

    /// Numbers of the layers that are shown.
    fn layers(&self, studio: &Studio) -> Result<Vec<usize>> {
        let places: Vec<Place> =
            studio.model.unet.self_attentions().into_iter().map(|(place, _)| place).collect();
        let number = |wanted: &Place| places.iter().position(|place| place == wanted);
        let published = [Place::Encoder(7), Place::Encoder(8), Place::Decoder(4), Place::Decoder(5)];
        let wanted = match (self.layer.is_empty(), published.iter().all(|place| number(place).is_some())) {
            (false, _) => self.layer.clone(),
            (true, true) => published.to_vec(),
            (true, false) => {
                places.iter().filter(|place| matches!(place, Place::Decoder(_))).copied().collect()
            }
        };
        wanted
            .iter()
            .map(|place| {
                number(place).ok_or_else(|| {
                    let names: Vec<String> = places.iter().map(ToString::to_string).collect();
                    Error::setting("layer", format!("{place}; the model has {}", names.join(", ")))
                })
            })
            .collect()
    }

    /// The steps that are shown, from 0.
    fn steps(&self, count: usize) -> Result<Vec<usize>> {
        if !self.is_picture() && self.over == Over::Steps {
            return Ok((0..count).collect());
        }
        if self.step.is_empty() {
            let mut steps = vec![count / 2, count - 1];
            steps.dedup();
            return Ok(steps);
        }
        match self.step.iter().find(|step| !(1..=count).contains(*step)) {
            Some(step) => Err(Error::setting("step", format!("{step}; 1 to {count} are there"))),
            None => Ok(self.step.iter().map(|step| step - 1).collect()),
        }
    }

    /// The points that look.
    fn points(&self, (width, height): (u32, u32)) -> Result<Vec<Point>> {
        if !self.is_picture() && self.over == Over::Queries && self.at.is_empty() {
            let middle = |cell: u32, length: u32| (2 * cell + 1) * length / (2 * QUERIES);
            let all = (0..QUERIES * QUERIES)
                .map(|place| Point { x: middle(place % QUERIES, width), y: middle(place / QUERIES, height) });
            return Ok(all.collect());
        }
        if self.at.is_empty() {
            return Ok(vec![Point { x: width / 2, y: height / 2 }]);
        }
        match self.at.iter().find(|point| point.x >= width || point.y >= height) {
            Some(Point { x, y }) => {
                Err(Error::setting("at", format!("{x},{y}; the picture is {width}x{height}")))
            }
            None => Ok(self.at.clone()),
        }
    }

    /// One picture with all maps, or a video.
    fn write(&self, made: &Made) -> Result<()> {
        let points = self.points(made.picture.dimensions())?;
        let layers = self.layers(made.studio)?;
        let steps = self.steps(made.settings.steps)?;
        let shown = |captured: &&Captured| layers.contains(&captured.layer) && steps.contains(&captured.step);
        let captured: Vec<&Captured> = made.captured.iter().filter(shown).collect();
        if captured.is_empty() {
            return Err(Error::setting("step", "no pass of these steps looks at the reference"));
        }
        if self.is_picture() {
            return write_png(&self.output, &self.sheet(made, &captured, &points)?);
        }
        let of_steps: Vec<&[&Captured]> = captured.chunk_by(|a, b| a.step == b.step).collect();
        let frames: Vec<(&[&Captured], &[Point])> = match self.over {
            Over::Queries => points.chunks(1).map(|point| (captured.as_slice(), point)).collect(),
            Over::Steps => of_steps.into_iter().map(|of_step| (of_step, points.as_slice())).collect(),
        };
        let mut writer = None;
        for (place, (captured, points)) in frames.into_iter().enumerate() {
            let image = self.sheet(made, captured, points)?;
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(self.writer(image.dimensions())?),
            };
            let time = place as f64 * f64::from(FRAME_RATE.1) / f64::from(FRAME_RATE.0);
            writer.write(&Frame { image, time })?;
        }
        writer.map_or(Ok(()), |writer| writer.finish().map(drop))
    }

    fn writer(&self, (width, height): (u32, u32)) -> Result<VideoWriter> {
        let settings = EncodeSettings { frame_rate: FRAME_RATE, ..EncodeSettings::default() };
        VideoWriter::create(&self.output, width, height, &settings)
    }

    /// A row for each point (and head), a column for each layer and step.
    fn sheet(&self, made: &Made, captured: &[&Captured], points: &[Point]) -> Result<RgbImage> {
        let unet = &made.studio.model.unet;
        let places = unet.self_attentions();
        let (width, height) = made.picture.dimensions();
        let mut columns = Vec::new();
        let mut labels = Vec::new();
        for captured in captured {
            let (rows, across) = captured.grid();
            let token = |point: &Point| {
                let cell = |at: u32, length: u32, cells: usize| at * cells as u32 / length;
                cell(point.y, height, rows) * across as u32 + cell(point.x, width, across)
            };
            let tokens: Vec<u32> = points.iter().map(token).collect();
            let maps = captured.maps(unet, made.reference.mask.as_ref(), &tokens)?;
            let heads = maps.first().map_or(0, |map| map.weights.len());
            let heads: Vec<Option<usize>> =
                if self.heads { (0..heads).map(Some).collect() } else { vec![None] };
            let mut column = Vec::new();
            for (query, &token) in tokens.iter().enumerate() {
                for &head in &heads {
                    let (picture, reference) = (&made.picture, &made.reference.image);
                    let shown = panel(Panel { picture, reference, maps: &maps, query, token, head });
                    let point = points[query];
                    let head = head.map(|head| format!(" head {}", head + 1)).unwrap_or_default();
                    column.push((format!("{point}{head}"), shown));
                }
            }
            labels.push(format!("{} step {}", places[captured.layer].0, captured.step + 1));
            columns.push(column);
        }
        // Layers may differ in their heads.
        let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
        let size = columns[0][0].1.dimensions();
        let cell = |row: usize, column: &Vec<(String, RgbImage)>| {
            column.get(row).map_or_else(|| RgbImage::new(size.0, size.1), |(_, shown)| shown.clone())
        };
        let cells: Vec<RgbImage> =
            (0..rows).flat_map(|row| columns.iter().map(move |column| cell(row, column))).collect();
        let longest = columns.iter().max_by_key(|column| column.len());
        let rows = longest.into_iter().flatten().map(|(label, _)| label.clone()).collect();
        Ok(labelled_grid(&cells, &Labels::Table { corner: "looks from".into(), columns: labels, rows }))
    }
}
