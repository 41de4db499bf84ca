//! Where control images come from: pose files, skeleton videos, or any control video as it is.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::picture::{Fit, fit_image};
use crate::pose::{
    ControlKind, DrawSettings, PersonChoice, PoseSequence, ReadSettings, classify, draw_pose, fill_gaps,
    read_poses, swap_red_blue,
};
use crate::video::{DecodeSettings, FrameReader, open_frames, rational_rate};

/// What a file given as the dance is taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PoseKind {
    /// Found out from the file: pose JSON, or drawn skeletons; anything else is refused.
    #[default]
    Auto,
    /// Pictures that the ControlNet understands, used as they are.
    Control,
}

/// How a pose file is read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoseSettings {
    /// What the file is taken for.
    pub kind: PoseKind,
    /// Trimming and frame rate.
    pub decode: DecodeSettings,
    /// Which of several people dances, in pose files.
    pub person: PersonChoice,
}

/// Frame rate of pose files that state none.
const DEFAULT_RATE: (u32, u32) = (24, 1);

/// Frame rates that a dance can have.
pub const RATES: std::ops::RangeInclusive<f64> = 0.01..=1000.0;

/// Frames that the kind of a video is judged by.
const SAMPLES: usize = 8;

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
    /// Repairs and other things that the user should know.
    pub notes: Vec<String>,
}

#[derive(Debug)]
enum Content {
    /// The poses of the file, and for each frame the index of its pose.
    Poses {
        sequence: PoseSequence,
        picked: Vec<usize>,
    },
    Pictures {
        decode: DecodeSettings,
        swapped: bool,
    },
}

impl PoseSource {
    /// Reads a pose file (JSON or a folder of JSON), or looks through a video or a folder of pictures once.
    ///
    /// # Errors
    /// Whatever keeps the file from being read to its end; a plain video; a file without frames.
    pub fn open(path: &Path, settings: &PoseSettings) -> Result<Self> {
        settings.decode.validate()?;
        std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
        if holds_json(path) { Self::open_poses(path, settings) } else { Self::open_pictures(path, settings) }
    }

    fn open_poses(path: &Path, settings: &PoseSettings) -> Result<Self> {
        let mut sequence = read_poses(path, &ReadSettings::default())?;
        sequence.choose_person(settings.person)?;
        let in_file = |error| match error {
            Error::Setting { problem, .. } => Error::input(path, problem),
            other => other,
        };
        let gaps = fill_gaps(&mut sequence).map_err(in_file)?;
        let mut notes = Vec::new();
        if gaps.filled_frames > 0 {
            let (filled, frames) = (gaps.filled_frames, gaps.frames);
            notes.push(format!(
                "{filled} of {frames} frames had no pose; it was interpolated between their neighbours"
            ));
        }
        if let Some(rate) = sequence.frames_per_second.filter(|rate| !RATES.contains(rate)) {
            let (least, most) = (RATES.start(), RATES.end());
            return Err(Error::input(path, format!("fps {rate}; {least} to {most} is allowed")));
        }
        let Resampled { picked, frame_rate, seconds } = resample(&sequence, &settings.decode);
        if picked.is_empty() {
            let start = settings.decode.start.unwrap_or(0.0);
            let problem = format!("{start} s; {} lasts {seconds:.3} s", path.display());
            return Err(Error::setting("start", problem));
        }
        Ok(Self {
            path: path.to_path_buf(),
            frames: picked.len(),
            width: sequence.width,
            height: sequence.height,
            frame_rate,
            has_audio: false,
            notes,
            content: Content::Poses { sequence, picked },
        })
    }

    fn open_pictures(path: &Path, settings: &PoseSettings) -> Result<Self> {
        let reader = open_frames(path, &settings.decode)?;
        let (width, height) = (reader.width(), reader.height());
        let (frame_rate, has_audio) = (reader.frame_rate(), reader.has_audio());
        let (frames, samples) = look_through(reader)?;
        if frames == 0 {
            return Err(Error::input(path, "holds no frame in the chosen range"));
        }
        let mut notes = Vec::new();
        let swapped = match settings.kind {
            PoseKind::Control => false,
            PoseKind::Auto => match classify(&samples) {
                ControlKind::Skeleton { swapped } => swapped,
                ControlKind::NotSkeleton { why } => {
                    let problem = format!(
                        "not a skeleton video ({why}); poses are not estimated from plain videos yet: give a skeleton \
                         video or pose JSON, or --pose-kind control to use the pictures as they are"
                    );
                    return Err(Error::input(path, problem));
                }
            },
        };
        if swapped {
            notes.push("red and blue were swapped in the skeletons; they were put right".into());
        }
        let content = Content::Pictures { decode: settings.decode, swapped };
        Ok(Self { path: path.to_path_buf(), content, frames, width, height, frame_rate, has_audio, notes })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
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
            Content::Poses { sequence, picked } => {
                let seconds = 1.0 / ratio(self.frame_rate);
                let poses = picked.iter().filter_map(|&pose| sequence.poses.get(pose));
                Ok(Box::new(poses.enumerate().map(move |(index, pose)| {
                    let pose = pose.fit(width, height, fit);
                    let image = draw_pose(&pose, width, height, &DrawSettings::default());
                    Ok(Frame { image, time: index as f64 * seconds })
                })))
            }
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

/// Whether the path is a JSON file or a folder with any.
pub fn holds_json(path: &Path) -> bool {
    let is_json =
        |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().any(|entry| is_json(&entry.path())),
        Err(_) => is_json(path),
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

fn resample(sequence: &PoseSequence, decode: &DecodeSettings) -> Resampled {
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
    let picked = (0..count).map(source).take_while(|&pose| pose < sequence.poses.len()).collect();
    Resampled { picked, frame_rate: rate, seconds: length }
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
