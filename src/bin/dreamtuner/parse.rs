//! Options that say several things at once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dreamtuner::draft::Background;
use dreamtuner::frame::MAX_SIDE;
use dreamtuner::inputs::reference::FileChoice;
use dreamtuner::render::networks::ControlSource;
use dreamtuner::render::weights::ControlNetFile;
use image::Rgb;
use serde::{Serialize, Serializer};

/// `WIDTHxHEIGHT` in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text
            .split_once(['x', '×'])
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        sides
            .map(|(width, height)| Self { width, height })
            .ok_or_else(|| format!("{text}: not of the form 512x768"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}x{}", self.width, self.height)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number of things, of which nobody has more than four billion.
pub fn count(text: &str) -> Result<usize, String> {
    let number: Result<u32, _> = text.parse();
    number
        .map(|number| number as usize)
        .map_err(|_| format!("{text}; a whole number up to {} is allowed", u32::MAX))
}

/// A number of pixels that no picture exceeds by much.
pub fn pixels(text: &str) -> Result<usize, String> {
    let allowed = 0..=4 * MAX_SIDE as usize;
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| format!("{text}; 0 to {} is allowed", allowed.end()))
}

/// A colour, a picture's file, or a word.
pub fn background(text: &str) -> Result<Background, String> {
    match text {
        "transparent" => Ok(Background::Transparent),
        "reference" => Ok(Background::Reference),
        "dance" => Ok(Background::Dance),
        file if file.contains(['.', '/', '\\']) => Ok(Background::Picture(file.into())),
        other => colour(other).map(Background::Colour),
    }
}

/// `#rrggbb`, or a colour's name.
fn colour(text: &str) -> Result<Rgb<u8>, String> {
    let hexadecimal = match text {
        "white" => "#ffffff",
        "black" => "#000000",
        "green" => "#00ff00",
        other => other,
    };
    let digits = hexadecimal.strip_prefix('#').filter(|digits| digits.len() == 6);
    let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let [_, red, green, blue] = value
        .ok_or_else(|| {
            format!(
                "{text}: #rrggbb, white, black, green, transparent, reference, dance or a picture is allowed"
            )
        })?
        .to_be_bytes();
    Ok(Rgb([red, green, blue]))
}

/// `X,Y` in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub x: u32,
    pub y: u32,
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(',').and_then(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)));
        parts.map(|(x, y)| Self { x, y }).ok_or_else(|| format!("{text}: not of the form 120,64"))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{},{}", self.x, self.y)
    }
}

/// A file that is written beside `output`: where it is asked for without a name, it has the output's, with another ending.
pub fn beside(output: &Path, choice: Option<&str>, extension: &str) -> Option<PathBuf> {
    match choice {
        Some("") => Some(output.with_extension(extension)),
        path => path.map(PathBuf::from),
    }
}

/// A clip of the same kind that is written beside `output`: where it is asked for without a name, the output's `name` before its ending.
pub fn named_beside(output: &Path, choice: Option<&str>, name: &str) -> Option<PathBuf> {
    let extension = output.extension().map_or("mp4".into(), |extension| extension.to_string_lossy());
    beside(output, choice, &format!("{name}.{extension}"))
}

/// `PATH` or `PATH:WEIGHT`.
#[derive(Debug, Clone)]
pub struct LoraOption {
    text: String,
    pub path: PathBuf,
    pub weight: f64,
}

impl FromStr for LoraOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A path may hold colons; only a number after the last one is a weight.
        let weighted = text.rsplit_once(':').and_then(|(path, weight)| Some((path, weight.parse().ok()?)));
        let (path, weight) = weighted.unwrap_or((text, 1.0));
        Ok(Self { text: text.into(), path: path.into(), weight })
    }
}

impl Serialize for LoraOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

fn source(value: &str) -> Result<ControlSource, String> {
    match value {
        "dance" => Ok(ControlSource::Dance),
        "draft" => Ok(ControlSource::Draft),
        "draft-inpaint" => Ok(ControlSource::DraftInpaint),
        other => Err(format!("source={other}: dance, draft and draft-inpaint are known")),
    }
}

/// `PATH|model[,strength=…][,start=…][,end=…][,video=FILE][,reference=FILE][,source=…]`.
#[derive(Debug, Clone)]
pub struct ControlNetOption {
    text: String,
    pub file: ControlNetFile,
    pub video: Option<PathBuf>,
    pub reference: Option<PathBuf>,
}

impl ControlNetOption {
    /// Whether this is the model's own ControlNet, without settings.
    pub fn is_models_own(&self) -> bool {
        self.text == "model"
    }

    /// Whether it is shown the frame's draft.
    pub fn is_shown_draft(&self) -> bool {
        self.file.source.is_draft()
    }

    /// The reference's control image, where its `pose` is one: a ControlNet with a video of its own knows nothing of that pose, and one
    /// that is shown drafts is shown the reference itself.
    pub fn reference_control(&self, pose: &str) -> FileChoice {
        match &self.reference {
            Some(path) => FileChoice::File(path.clone()),
            None if self.is_shown_draft() => FileChoice::Itself,
            None if self.video.is_some() => FileChoice::None,
            None => pose.into(),
        }
    }
}

impl FromStr for ControlNetOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let path = parts.next().unwrap_or_default();
        let path = (path != "model").then(|| path.into());
        let file = ControlNetFile { path, ..ControlNetFile::own() };
        let mut option = Self { text: text.into(), file, video: None, reference: None };
        for part in parts {
            let (name, value) =
                part.split_once('=').ok_or_else(|| format!("{part}: not of the form name=value"))?;
            let number = || value.parse::<f64>().map_err(|_| format!("{part}: {value} is no number"));
            match name {
                "strength" => option.file.strength = number()?,
                "start" => option.file.start = number()?,
                "end" => option.file.end = number()?,
                "video" => option.video = Some(value.into()),
                "reference" => option.reference = Some(value.into()),
                "source" => option.file.source = source(value)?,
                other => {
                    return Err(format!(
                        "{other}: strength, start, end, video, reference and source are known"
                    ));
                }
            }
        }
        if option.video.is_some() && option.is_shown_draft() {
            return Err("it is shown either a video or the draft".into());
        }
        Ok(option)
    }
}

impl Serialize for ControlNetOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
