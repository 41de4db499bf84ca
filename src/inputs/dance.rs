//! Where control images come from: pose files, videos of people or of skeletons, or any control video as it is.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::detect::PoseModel;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::inputs::extract::{ExtractSettings, Extracted, Mended, extract_poses, mend};
use crate::interrupt::Interrupt;
use crate::picture::{Fit, fit_image};
use crate::pose::{
    Camera, ControlKind, DrawSettings, PersonChoice, Pose, PoseSequence, ReadSettings, Retarget, classify,
    draw_pose, fill_gaps, is_motion_capture, read_poses, swap_red_blue,
};
use crate::video::{DecodeSettings, FrameReader, open_frames, rational_rate};

/// What a file given as the dance is taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PoseKind {
    /// Found out from the file: pose JSON, drawn skeletons, or people.
    #[default]
    Auto,
    /// People, whose poses are estimated.
    Video,
    /// Drawn skeletons.
    Skeleton,
    /// Pictures that the ControlNet understands, used as they are.
    Control,
}

/// How a pose file is read.
#[derive(Debug, Clone, Default)]
pub struct PoseSettings {
    /// What the file is taken for.
    pub kind: PoseKind,
    /// Trimming and frame rate.
    pub decode: DecodeSettings,
    /// Which of several people dances.
    pub person: PersonChoice,
    /// The network that finds the joints of people in a video.
    pub model: PoseModel,
    /// How the dance is brought to the reference's body.
    pub retarget: Retarget,
    /// From where the dancer of a motion capture file is seen.
    pub camera: Camera,
}

impl PoseSettings {
    /// Refuses values out of their ranges.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self) -> Result<()> {
        self.decode.validate()?;
        match self.decode.frames_per_second.filter(|rate| !RATES.contains(rate)) {
            Some(rate) => {
                let (least, most) = (RATES.start(), RATES.end());
                Err(Error::setting("fps", format!("{rate}; {least} to {most} is allowed")))
            }
            None => Ok(()),
        }
    }
}

/// Frame rate of pose files that state none.
const DEFAULT_RATE: (u32, u32) = (24, 1);

/// Frame rates that a dance can have.
pub const RATES: std::ops::RangeInclusive<f64> = 0.01..=1000.0;

/// Most frames of a clip.
const MAX_FRAMES: usize = 1_000_000;

/// Frames that the kind of a video is judged by.
const SAMPLES: usize = 8;

/// A gap that is longer than so many seconds is told of.
const LONG_GAP: f64 = 1.0;

/// What opening a dance needs besides its file.
pub struct Surroundings<'a> {
    /// The reference's pose, where it is known.
    pub reference: Option<&'a Pose>,
    /// The poses in the video, where they were found before.
    pub known: Option<Extracted>,
    /// Stops the search for poses.
    pub interrupt: &'a Interrupt,
    /// Told how many frames were searched, and how many there are about.
    pub on_frame: &'a mut dyn FnMut(usize, Option<usize>),
}

/// A pose file that has been read, or a video that has been looked through.
#[derive(Debug)]
pub struct PoseSource {
    path: PathBuf,
    content: Content,
    /// Number of frames.
    pub frames: usize,
    /// Width in pixels of the source's canvas.
    pub width: u32,
    /// Height in pixels of the source's canvas.
    pub height: u32,
    /// Frames a second as numerator and denominator.
    pub frame_rate: (u32, u32),
    /// Whether there is sound to go with it.
    pub has_audio: bool,
    /// Frames that begin another scene.
    pub cuts: Vec<usize>,
    /// Repairs and other things that the user should know.
    pub notes: Vec<String>,
    /// What was found in a video of people, before it was mended.
    pub found: Option<Extracted>,
}

#[derive(Debug)]
enum Content {
    Poses {
        poses: Vec<Pose>,
        /// For each frame the place of its pose and its presentation time.
        frames: Vec<(usize, f64)>,
    },
    Pictures {
        decode: DecodeSettings,
        swapped: bool,
    },
}

impl PoseSource {
    /// Reads a pose file (JSON or a folder of JSON), or looks through a video or a folder of pictures; where it shows
    /// people, their poses are estimated.
    ///
    /// # Errors
    /// Whatever keeps the file from being read to its end; a file without frames; a video without anybody.
    pub fn open(path: &Path, settings: &PoseSettings, around: &mut Surroundings) -> Result<Self> {
        settings.decode.validate()?;
        std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
        if holds_poses(path) {
            return Self::open_poses(path, settings, around);
        }
        if settings.kind == PoseKind::Video {
            return Self::estimate(path, settings, around);
        }
        match Self::open_pictures(path, settings)? {
            Looked::Pictures(source) => Ok(*source),
            Looked::People { why } => {
                let mut source = Self::estimate(path, settings, around)?;
                source.notes.insert(0, format!("poses are estimated, as this is no skeleton video ({why})"));
                Ok(source)
            }
        }
    }

    fn open_poses(path: &Path, settings: &PoseSettings, around: &Surroundings) -> Result<Self> {
        let mut sequence = read_poses(path, &ReadSettings { canvas: None, camera: settings.camera })?;
        sequence.choose_person(settings.person)?;
        if let Some(rate) = sequence.frames_per_second.filter(|rate| !RATES.contains(rate)) {
            let (least, most) = (RATES.start(), RATES.end());
            return Err(Error::input(path, format!("fps {rate}; {least} to {most} is allowed")));
        }
        let Resampled { picked, frame_rate, seconds } = resample(&sequence, &settings.decode)?;
        if picked.is_empty() {
            let start = settings.decode.start.unwrap_or(0.0);
            let problem = format!("{start} s; {} lasts {seconds:.3} s", path.display());
            return Err(Error::setting("start", problem));
        }
        let mut notes = Vec::new();
        let sequence = completed(path, sequence, settings, around, &mut notes)?;
        let frame_seconds = 1.0 / ratio(frame_rate);
        let times = (0..picked.len()).map(|frame| frame as f64 * frame_seconds);
        Ok(Self {
            path: path.to_path_buf(),
            frames: picked.len(),
            width: sequence.width,
            height: sequence.height,
            frame_rate,
            has_audio: false,
            cuts: Vec::new(),
            notes,
            content: Content::Poses {
                frames: picked.into_iter().zip(times).collect(),
                poses: sequence.poses,
            },
            found: None,
        })
    }

    /// Finds the poses of the people in a video.
    fn estimate(path: &Path, settings: &PoseSettings, around: &mut Surroundings) -> Result<Self> {
        let extract = ExtractSettings { decode: settings.decode, model: settings.model.clone() };
        let unmended = match around.known.take() {
            Some(known) => known,
            None => extract_poses(path, &extract, around.interrupt, around.on_frame)?,
        };
        let mut found = unmended.clone();
        if found.sequence.poses.iter().all(|pose| pose.people.is_empty()) {
            let problem = format!(
                "nobody is seen in any of its {} frames; --pose-kind control uses the pictures as they are",
                found.times.len()
            );
            return Err(Error::input(path, problem));
        }
        found.sequence.choose_person(settings.person).map_err(|error| named(path, error))?;
        let mended = mend(&mut found.sequence, &found.cuts).map_err(|error| named(path, error))?;
        let mut notes = Vec::new();
        if mended != Mended::default() {
            notes.push(mended.to_string());
        }
        if !found.cuts.is_empty() {
            let seconds: Vec<String> =
                found.cuts.iter().map(|&cut| format!("{:.2} s", found.times[cut])).collect();
            notes.push(format!("another scene begins at {}", seconds.join(", ")));
        }
        let sequence = completed(path, found.sequence, settings, around, &mut notes)?;
        Ok(Self {
            path: path.to_path_buf(),
            frames: sequence.poses.len(),
            width: sequence.width,
            height: sequence.height,
            frame_rate: found.frame_rate,
            has_audio: found.has_audio,
            cuts: found.cuts,
            notes,
            content: Content::Poses {
                frames: found.times.into_iter().enumerate().collect(),
                poses: sequence.poses,
            },
            found: Some(unmended),
        })
    }

    fn open_pictures(path: &Path, settings: &PoseSettings) -> Result<Looked> {
        let reader = open_frames(path, &settings.decode)?;
        let (width, height) = (reader.width(), reader.height());
        let (frame_rate, has_audio) = (reader.frame_rate(), reader.has_audio());
        let (frames, samples) = look_through(reader)?;
        if frames == 0 {
            return Err(Error::input(path, "holds no frame in the chosen range"));
        }
        let mut notes = Vec::new();
        let swapped = match (settings.kind, classify(&samples)) {
            (PoseKind::Control, _) => false,
            (_, ControlKind::Skeleton { swapped }) => swapped,
            (PoseKind::Skeleton, ControlKind::NotSkeleton { why }) => {
                return Err(Error::input(path, format!("not a skeleton video ({why})")));
            }
            (_, ControlKind::NotSkeleton { why }) => return Ok(Looked::People { why: why.to_string() }),
        };
        if swapped {
            notes.push("red and blue were swapped in the skeletons; they were put right".into());
        }
        let content = Content::Pictures { decode: settings.decode, swapped };
        let (path, cuts, found) = (path.to_path_buf(), Vec::new(), None);
        let source = Self { path, content, frames, width, height, frame_rate, has_audio, cuts, notes, found };
        Ok(Looked::Pictures(Box::new(source)))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pose of each frame with its presentation time; `None` where the dance is pictures that are used as they are.
    pub fn poses(&self) -> Option<impl ExactSizeIterator<Item = (&Pose, f64)>> {
        match &self.content {
            Content::Poses { poses, frames } => {
                Some(frames.iter().map(move |(place, time)| (&poses[*place], *time)))
            }
            Content::Pictures { .. } => None,
        }
    }

    /// When each frame is shown, in seconds from the first.
    ///
    /// # Errors
    /// Pictures that cannot be read to their end.
    pub fn times(&self) -> Result<Vec<f64>> {
        match &self.content {
            Content::Poses { frames, .. } => Ok(frames.iter().map(|(_, time)| *time).collect()),
            Content::Pictures { decode, .. } => {
                open_frames(&self.path, decode)?.map(|frame| Ok(frame?.time)).collect()
            }
        }
    }

    /// The control images, `width` × `height` pixels each, with their presentation times.
    ///
    /// # Errors
    /// As [`open_frames`]; errors while reading come with the frames.
    pub fn images(
        &self,
        width: u32,
        height: u32,
        fit: Fit,
    ) -> Result<Box<dyn Iterator<Item = Result<Frame>> + Send + '_>> {
        match &self.content {
            Content::Poses { poses, frames } => Ok(Box::new(frames.iter().map(move |(place, time)| {
                let pose = poses[*place].fit(width, height, fit);
                let image = draw_pose(&pose, width, height, &DrawSettings::default());
                Ok(Frame { image, time: *time })
            }))),
            Content::Pictures { decode, swapped } => {
                let swapped = *swapped;
                Ok(Box::new(open_frames(&self.path, decode)?.map(move |frame| {
                    let mut frame = frame?;
                    if swapped {
                        swap_red_blue(&mut frame.image);
                    }
                    frame.image = fit_image(&frame.image, width, height, fit, Rgb([0, 0, 0]));
                    Ok(frame)
                })))
            }
        }
    }
}

/// What looking through pictures has found out.
enum Looked {
    /// Pictures to be used as they are.
    Pictures(Box<PoseSource>),
    /// People.
    People {
        /// Why they are no skeletons.
        why: String,
    },
}

/// The dance of one person, without gaps, on the reference's body.
fn completed(
    path: &Path,
    mut sequence: PoseSequence,
    settings: &PoseSettings,
    around: &Surroundings,
    notes: &mut Vec<String>,
) -> Result<PoseSequence> {
    let gaps = fill_gaps(&mut sequence).map_err(|error| named(path, error))?;
    if gaps.filled_frames > 0 {
        let (filled, frames) = (gaps.filled_frames, gaps.frames);
        let longest = gaps.longest as f64 / sequence.frames_per_second.unwrap_or(ratio(DEFAULT_RATE));
        let long =
            if longest > LONG_GAP { format!(", {longest:.1} s at the longest") } else { String::new() };
        notes.push(format!(
            "{filled} of {frames} frames had no pose{long}; it was interpolated between their neighbours"
        ));
    }
    match (settings.retarget, around.reference) {
        (retarget, Some(reference)) => Ok(retarget.apply(sequence, reference)?),
        (Retarget::None, None) => Ok(sequence),
        (_, None) => {
            notes.push("the reference's pose is not known: the dance keeps the dancer's body".into());
            Ok(sequence)
        }
    }
}

/// An error of a setting, said of the file.
fn named(path: &Path, error: impl Into<Error>) -> Error {
    match error.into() {
        Error::Setting { problem, .. } => Error::input(path, problem),
        other => other,
    }
}

/// Whether the path is a JSON file or a folder with any, or a file of motion capture.
pub fn holds_poses(path: &Path) -> bool {
    let is_json =
        |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().any(|entry| is_json(&entry.path())),
        Err(_) => is_json(path) || is_motion_capture(path),
    }
}

/// A sequence, trimmed and at the frame rate asked for.
struct Resampled {
    /// For each frame the index of its pose.
    picked: Vec<usize>,
    /// Frames a second as numerator and denominator.
    frame_rate: (u32, u32),
    /// How long the whole sequence lasts.
    seconds: f64,
}

fn resample(sequence: &PoseSequence, decode: &DecodeSettings) -> Result<Resampled> {
    let own_rate = sequence.frames_per_second.or(decode.frames_per_second);
    let own = own_rate.map_or(DEFAULT_RATE, rational_rate);
    let rate = decode.frames_per_second.map_or(own, rational_rate);
    let (own_rate, new_rate) = (ratio(own), ratio(rate));
    let start = decode.start.unwrap_or(0.0);
    let length = sequence.poses.len() as f64 / own_rate;
    let end = decode.end.map_or(length, |end| end.min(length));
    // A hair's breadth later, so that a frame is not missed by rounding.
    let source = |frame: usize| ((start + frame as f64 / new_rate) * own_rate + 1e-6) as usize;
    let count = (((end - start) * new_rate) - 1e-6).ceil().max(0.0) as usize;
    if count > MAX_FRAMES {
        let problem = format!(
            "{new_rate}; at that rate the dance has {count} frames, at most {MAX_FRAMES} are allowed"
        );
        return Err(Error::setting("fps", problem));
    }
    let picked = (0..count).map(source).take_while(|&pose| pose < sequence.poses.len()).collect();
    Ok(Resampled { picked, frame_rate: rate, seconds: length })
}

fn ratio((numerator, denominator): (u32, u32)) -> f64 {
    f64::from(numerator) / f64::from(denominator)
}

/// Counts the frames and keeps a few, evenly spaced.
fn look_through(reader: Box<dyn FrameReader + Send>) -> Result<(usize, Vec<RgbImage>)> {
    let mut samples = Vec::new();
    let mut stride = 1;
    let mut frames = 0;
    for frame in reader {
        let frame = frame?;
        if frames % stride == 0 {
            samples.push(frame.image);
            if samples.len() > SAMPLES {
                let mut keep = false;
                samples.retain(|_| {
                    keep = !keep;
                    keep
                });
                stride *= 2;
            }
        }
        frames += 1;
    }
    Ok((frames, samples))
}
