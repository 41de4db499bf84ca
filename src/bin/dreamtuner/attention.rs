//! `dreamtuner attention`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dreamtuner::animate::watched::{WatchedFrame, watch};
use dreamtuner::animate::{self, Job};
use dreamtuner::frame::{Frame, MAX_SIDE};
use dreamtuner::inputs::dance::PoseSettings;
use dreamtuner::inputs::reference::ReferenceFiles;
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::DeviceSettings;
use dreamtuner::model::StableDiffusion;
use dreamtuner::model::unet::{Place, UNet};
use dreamtuner::outputs::{Output, Reservation, Wanted, is_png};
use dreamtuner::render::attention_maps::{AttentionSource, Captured, Watch, Watched};
use dreamtuner::render::clip::Progress;
use dreamtuner::render::pipeline::Pipeline;
use dreamtuner::render::pipeline_source::PipelineSource;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::still::{Made, Shares, StillEvent, Stills};
use dreamtuner::video::{Container, EncodeSettings, VideoWriter};
use dreamtuner::{Error, Result};
use image::RgbImage;

use crate::attention_sheet::{View, sheet};
use crate::exit;
use crate::image::{PictureArgs, note_doubts};
use crate::parse::Point;
use crate::render_options::{CoherenceArgs, TimeArgs};
use crate::say::{print, say};
use crate::signal::stop_on_signal;
use crate::step_progress::StepDisplay;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner attention --reference hero.png --prompt \"smile, beach\" --pose jump.json --at 64,50 --at 60,100 -o maps.png
  dreamtuner attention --reference hero.png --prompt \"smile, beach\" --layer decoder4 --over queries -o queries.mp4
  dreamtuner attention --reference hero.png --prompt \"smile, beach\" --at 64,50 --over steps -o steps.gif --shares shares.csv
  dreamtuner attention --reference hero.png --prompt \"smile, beach\" --dance dance.mp4 --at 64,50 -o frames.mp4 --plot shares.png

Left the picture, right the reference, and in a clip the previous frame: red is where the token in the red box looks most,
blue where it looks least.
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
    /// What a video goes over: points of the picture, row by row, or steps [default: queries]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Attention")]
    over: Option<Over>,
    /// A dance, as for `animate`: the video goes over the frames of a clip, which look at the frames before them too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["over", "pose", "init", "strength", "refine"], help_heading = "Input")]
    dance: Option<PathBuf>,
    #[command(flatten)]
    time: TimeArgs,
    #[command(flatten)]
    coherence: CoherenceArgs,

    /// The maps: .png, or a video: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
    /// How much attention goes to the picture itself, the reference and frames before, in each layer and step, as CSV
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    shares: Option<PathBuf>,
    /// The same as a picture, a .png file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    plot: Option<PathBuf>,
    /// Replace outputs that are there already
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Over {
    /// Points of the picture
    Queries,
    /// Steps
    Steps,
}

/// Makes the maps; the exit code.
pub fn run(arguments: &AttentionArgs) -> Result<i32> {
    let device = arguments.picture.render.device.choose()?;
    arguments.check()?;
    let mut reserved = arguments.reserve(&device)?;
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = StepDisplay::default();
    let shares = match &arguments.dance {
        Some(dance) => arguments.clip(dance, &device, &mut reserved, &interrupt, &mut display),
        None => arguments.still(&device, &mut reserved, &interrupt, &mut display),
    };
    display.finish();
    if matches!(shares, Err(Error::Interrupted)) {
        say("stopped");
        return Ok(exit::INTERRUPTED);
    }
    let shares = shares?;
    if let Some(path) = &arguments.shares {
        reserved.file(path)?.write_bytes(shares.csv().as_bytes())?;
    }
    if let Some(path) = &arguments.plot {
        reserved.file(path)?.write_png(&shares.plot(), &[])?;
    }
    reserved.finish()?;
    print(&arguments.output.display().to_string())?;
    Ok(exit::SUCCESS)
}

/// What was captured of the layers and steps that are shown.
fn captured(watched: &Watched) -> Result<&[Captured]> {
    if watched.captured.is_empty() {
        return Err(Error::setting("step", "no pass of these steps looks at the reference"));
    }
    Ok(&watched.captured)
}

impl AttentionArgs {
    fn check(&self) -> Result<()> {
        if self.dance.is_none() && self.time.are_given() {
            return Err(Error::setting("dance", "is absent; start, end and fps are a dance's"));
        }
        if self.dance.is_none() && self.coherence.is_given() {
            let problem = "is absent; a single picture has no frames before it, whatever their weight";
            return Err(Error::setting("dance", problem));
        }
        if self.over.is_some() && is_picture(&self.output) {
            let problem = format!("is for videos, and {} is a picture", self.output.display());
            return Err(Error::setting("over", problem));
        }
        if !is_picture(&self.output) {
            Container::from_path(&self.output)?;
        }
        match &self.plot {
            Some(path) if !is_picture(path) => Err(Error::output(path, "is no .png file")),
            _ => Ok(()),
        }
    }

    /// Keeps the files for these maps.
    fn reserve(&self, device: &DeviceSettings) -> Result<Reservation> {
        let maps = match is_picture(&self.output) {
            true => Wanted::File(self.output.clone()),
            false => Wanted::clip(&self.output),
        };
        let others = self.shares.iter().chain(&self.plot).cloned().map(Wanted::File);
        let still = self.picture.still(device)?;
        let job = self.dance.as_deref().map(|dance| self.job(dance, device)).transpose()?;
        let inputs = job.as_ref().map_or_else(|| still.inputs(), Job::inputs);
        let wanted = [maps].into_iter().chain(others).collect();
        Reservation::begin(wanted, &inputs, self.overwrite, &format!("{self:?}"))
    }

    /// What the video of a still goes over; nothing in pictures and clips.
    fn over(&self) -> Option<Over> {
        let video = self.dance.is_none() && !is_picture(&self.output);
        video.then(|| self.over.unwrap_or(Over::Queries))
    }

    /// The layers and steps that are shown, and the shares of all where they are asked for.
    fn watch(&self, unet: &UNet, settings: &RenderSettings) -> Result<Watch> {
        // Points outside the picture are refused before it is made.
        self.points((settings.width as u32, settings.height as u32))?;
        let watch = Watch::new(self.steps(settings.steps)?, self.layers(unet)?);
        Ok(if self.shares.is_some() || self.plot.is_some() { watch.with_shares() } else { watch })
    }

    /// Numbers of the layers that are shown.
    fn layers(&self, unet: &UNet) -> Result<Vec<usize>> {
        let places: Vec<Place> = unet.self_attentions().into_iter().map(|(place, _)| place).collect();
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
        if self.step.is_empty() {
            let mut steps = match self.over() {
                Some(Over::Steps) => (0..count).collect(),
                _ => vec![count / 2, count - 1],
            };
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
        if self.at.is_empty() && self.over() == Some(Over::Queries) {
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

    /// A still's maps; its shares, if they are asked for.
    fn still(
        &self,
        device: &DeviceSettings,
        reserved: &mut Reservation,
        interrupt: &Interrupt,
        display: &mut StepDisplay,
    ) -> Result<Shares> {
        let still = self.picture.still(device)?;
        let mut stills = Stills::default();
        let watch = |pipeline: &Pipeline, settings: &RenderSettings| {
            self.watch(&pipeline.model.unet, settings).map(Some)
        };
        let made = stills.make_watched(&still, &watch, interrupt, &mut |event| match event {
            StillEvent::Note(note) => display.note(&format!("note: {note}")),
            StillEvent::Doubts(doubts) => note_doubts(display, &doubts, &still.reference.picture),
            StillEvent::Step { done, of } => display.update("step", done as u64, of as u64, ""),
        })?;
        let mut shares = Shares::default();
        shares.add(0, &made.watched.shares, &made.pipeline.model.unet);
        self.write(&made, reserved)?;
        Ok(shares)
    }

    /// One picture with all maps, or a video.
    fn write(&self, made: &Made, reserved: &mut Reservation) -> Result<()> {
        let unet = &made.pipeline.model.unet;
        let (captured, points) = (captured(&made.watched)?, self.points(made.picture.dimensions())?);
        let mut pictures = vec![
            (AttentionSource::Itself, &made.picture),
            (AttentionSource::Reference, &made.reference.image),
        ];
        let draft = made.draft.as_ref().filter(|_| made.settings.draft.weight > 0.0);
        pictures.extend(draft.map(|draft| (AttentionSource::Draft, &draft.image)));
        let view = View { pictures: &pictures, mask: made.reference.mask.as_ref(), unet };
        let of_steps = captured.chunk_by(|a, b| a.step == b.step);
        let frames: Vec<(&[Captured], &[Point])> = match self.over() {
            None => {
                let maps = sheet(&view, captured, &points, self.heads)?;
                return reserved.file(&self.output)?.write_png(&maps, &[]);
            }
            Some(Over::Queries) => points.chunks(1).map(|point| (captured, point)).collect(),
            Some(Over::Steps) => of_steps.map(|of_step| (of_step, points.as_slice())).collect(),
        };
        let mut video = Video::Reserved(reserved.clip(&self.output)?);
        let encode = EncodeSettings { frame_rate: FRAME_RATE, ..EncodeSettings::default() };
        for (place, (captured, points)) in frames.into_iter().enumerate() {
            let image = sheet(&view, captured, points, self.heads)?;
            let time = place as f64 * f64::from(FRAME_RATE.1) / f64::from(FRAME_RATE.0);
            video = video.write(image, time, &encode)?;
        }
        video.finish()
    }

    /// The maps of a clip's frames; its shares, if they are asked for.
    fn clip(
        &self,
        dance: &Path,
        device: &DeviceSettings,
        reserved: &mut Reservation,
        interrupt: &Interrupt,
        display: &mut StepDisplay,
    ) -> Result<Shares> {
        let job = self.job(dance, device)?;
        let mut shares = Shares::default();
        let mut video = Some(Video::Reserved(reserved.clip(&self.output)?));
        let mut frames = 0;
        let choose = |model: &StableDiffusion, settings: &RenderSettings| self.watch(&model.unet, settings);
        let mut on_event = |event| match event {
            animate::ClipEvent::Note(note) => display.note(&format!("note: {note}")),
            animate::ClipEvent::Doubts(doubts) => note_doubts(display, &doubts, &job.reference.picture),
            animate::ClipEvent::Searched { done, of } => {
                display.update("searching frame", done as u64, of.unwrap_or(done) as u64, "");
            }
            animate::ClipEvent::Begin { frames: count, .. } => frames = count as u64,
            animate::ClipEvent::Progress(Progress::Frame { frame }) => {
                display.update("frame", frame as u64 + 1, frames, "");
            }
            _ => {}
        };
        watch(&job, &choose, interrupt, &mut on_event, &mut |frame| {
            shares.add(frame.index, &frame.watched.shares, &frame.model.unet);
            let image = self.frame(&frame, &job.settings)?;
            video = match video.take() {
                Some(video) => Some(video.write(image, frame.time, frame.encode)?),
                None => None,
            };
            Ok(())
        })?;
        video.map_or(Ok(()), Video::finish)?;
        Ok(shares)
    }

    /// The maps of a frame. Frames without a frame before them have a black picture in its place, so that all are of one size.
    fn frame(&self, frame: &WatchedFrame, settings: &RenderSettings) -> Result<RgbImage> {
        let (width, height) = frame.pictures[0].1.dimensions();
        let (unet, black) = (&frame.model.unet, RgbImage::new(width, height));
        let places = [
            (AttentionSource::Itself, 1.0),
            (AttentionSource::Reference, 1.0),
            (AttentionSource::First, settings.first_weight),
            (AttentionSource::Previous, settings.previous_weight),
            (AttentionSource::Draft, settings.draft.weight),
        ];
        let picture = |source: AttentionSource| {
            let found = frame.pictures.iter().find(|(other, _)| *other == source);
            (source, found.map_or(&black, |(_, picture)| *picture))
        };
        let pictures: Vec<(AttentionSource, &RgbImage)> = places
            .into_iter()
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(source, _)| picture(source))
            .collect();
        let view = View { pictures: &pictures, mask: frame.mask, unet };
        sheet(&view, captured(&frame.watched)?, &self.points((width, height))?, self.heads)
    }

    /// The clip that is watched.
    fn job(&self, dance: &Path, device: &DeviceSettings) -> Result<Job> {
        let still = self.picture.still(device)?;
        let options = &self.picture;
        let settings = RenderSettings {
            prompt: still.settings.prompt,
            reference_prompt: still.settings.reference_prompt,
            draft: still.settings.draft,
            ..self.coherence.on(options.render.settings()?)
        };
        let pipeline = PipelineSource::from_files(options.render.weights(), device.clone());
        let job = Job::new(&still.reference.picture, dance, &self.output, pipeline, settings);
        Ok(Job {
            reference: ReferenceFiles { controls: options.controls(), ..still.reference },
            figure: still.figure,
            pose_settings: PoseSettings {
                decode: self.time.decode(),
                model: options.pose_model.clone(),
                ..PoseSettings::default()
            },
            size: still.size,
            vae_tile: still.vae_tile,
            audio: false,
            overwrite: self.overwrite,
            cache: options.render.cache(),
            ..job
        })
    }
}

/// Whether the name is that of one picture, not of a video or of many.
fn is_picture(path: &Path) -> bool {
    let is_pattern = path.file_name().is_some_and(|name| name.to_string_lossy().contains('%'));
    is_png(path) && !is_pattern && !path.is_dir()
}

/// A video that is begun with its first frame, which says how large it is.
enum Video {
    Reserved(Output),
    Begun(VideoWriter),
}

impl Video {
    fn write(self, image: RgbImage, time: f64, settings: &EncodeSettings) -> Result<Self> {
        let (width, height) = image.dimensions();
        if width.max(height) > MAX_SIDE {
            let problem = format!(
                "all maps side by side are {width}×{height} pixels, and a video has at most {MAX_SIDE} a side: choose fewer by \
                 --layer, --step or --at"
            );
            return Err(Error::setting("layer", problem));
        }
        let mut writer = match self {
            Self::Reserved(output) => VideoWriter::begin(output, width, height, settings)?,
            Self::Begun(writer) => writer,
        };
        writer.write(&Frame { image, time })?;
        Ok(Self::Begun(writer))
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Reserved(_) => Ok(()),
            Self::Begun(writer) => writer.finish().map(drop),
        }
    }
}
