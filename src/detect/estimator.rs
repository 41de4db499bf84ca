//! What every pose network of this module can do, and the choice of one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use image::RgbImage;

use super::movenet::{MoveNet, Variant};
use super::region::Region;
use super::whole_body::WholeBody;
use crate::error::Result;
use crate::pose::Person;

/// A person in a picture, and what the network said of the joints.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The joints that count as seen, in pixels of the picture.
    pub person: Person,
    /// Mean score of COCO's 17 joints, 0 to 1.
    pub score: f32,
}

/// Finds people and their joints in pictures. All fail where memory is short, or where a network from a file does not
/// work.
pub trait Estimator: Send + Sync {
    /// The joints of the person in a region.
    fn find(&self, picture: &RgbImage, region: Region) -> Result<Found>;

    /// Everyone in a frame of a video, at most one finding for each.
    fn find_people(&self, picture: &RgbImage) -> Result<Vec<Found>>;

    /// The one person in a still, drawn or photographed, looked for thoroughly; `None` where there is nobody.
    fn find_person(&self, picture: &RgbImage) -> Result<Option<Found>>;

    /// Where to look in a picture of `width` × `height` pixels for somebody who is expected there; `None` where too
    /// little is known of them.
    fn region_for(&self, person: &Person, width: u32, height: u32) -> Option<Region>;
}

/// Which network finds the joints. It is read when it is first used; clones share it.
#[derive(Clone)]
pub struct PoseModel {
    choice: PoseModelChoice,
    loaded: Arc<OnceLock<Box<dyn Estimator>>>,
}

impl PartialEq for PoseModel {
    fn eq(&self, other: &Self) -> bool {
        self.choice == other.choice
    }
}

/// A network by name or by file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoseModelChoice {
    /// One of those inside the program.
    MoveNet(Variant),
    /// An ONNX file of the user's, or a folder of them, as [`WholeBody::open`] takes it.
    File(PathBuf),
}

impl PoseModelChoice {
    /// The file or folder that it is read from.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::MoveNet(_) => None,
            Self::File(path) => Some(path),
        }
    }
}

impl PoseModel {
    /// A model that has not been read yet.
    pub fn new(choice: PoseModelChoice) -> Self {
        Self { choice, loaded: Arc::default() }
    }

    /// Which one it is.
    pub fn choice(&self) -> &PoseModelChoice {
        &self.choice
    }

    /// The files it is read from.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        match &self.choice {
            PoseModelChoice::MoveNet(_) => Ok(Vec::new()),
            PoseModelChoice::File(path) => WholeBody::files(path),
        }
    }

    /// The network.
    ///
    /// # Errors
    /// As [`WholeBody::open`].
    pub fn estimator(&self) -> Result<&dyn Estimator> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded.as_ref());
        }
        let read: Box<dyn Estimator> = match &self.choice {
            PoseModelChoice::MoveNet(variant) => Box::new(MoveNet::new(*variant)?),
            PoseModelChoice::File(path) => Box::new(WholeBody::open(path)?),
        };
        Ok(self.loaded.get_or_init(|| read).as_ref())
    }
}

impl Default for PoseModel {
    fn default() -> Self {
        Self::new(PoseModelChoice::MoveNet(Variant::default()))
    }
}

impl fmt::Debug for PoseModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.choice.fmt(formatter)
    }
}

impl fmt::Display for PoseModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.choice {
            PoseModelChoice::MoveNet(Variant::Thunder) => formatter.write_str("thunder"),
            PoseModelChoice::MoveNet(Variant::Lightning) => formatter.write_str("lightning"),
            PoseModelChoice::File(path) => path.display().fmt(formatter),
        }
    }
}

impl FromStr for PoseModel {
    type Err = String;

    /// `thunder`, `lightning`, or a path: a folder, or a file with an extension.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let path = Path::new(text);
        Ok(Self::new(match text {
            "thunder" => PoseModelChoice::MoveNet(Variant::Thunder),
            "lightning" => PoseModelChoice::MoveNet(Variant::Lightning),
            _ if path.extension().is_none() && !path.exists() => {
                return Err(format!("{text:?} is none of: thunder, lightning, or the path of ONNX files"));
            }
            _ => PoseModelChoice::File(path.into()),
        }))
    }
}
