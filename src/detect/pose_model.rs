//! The choice of a pose network.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use super::estimator::Estimator;
use super::movenet::{MoveNet, Variant};
use super::whole_body::WholeBody;
use crate::error::Result;

/// Which network finds the joints. It is read when it is first used; clones share it.
#[derive(Clone)]
pub struct PoseModel {
    choice: PoseModelChoice,
    loaded: Loaded,
    loaded_for_stills: Loaded,
}

type Loaded = Arc<OnceLock<Box<dyn Estimator>>>;

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
        Self { choice, loaded: Loaded::default(), loaded_for_stills: Loaded::default() }
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

    /// The network that looks at videos.
    ///
    /// # Errors
    /// As [`WholeBody::open`].
    pub fn estimator(&self) -> Result<&dyn Estimator> {
        read_once(&self.loaded, &self.choice)
    }

    /// The network that looks at pictures of characters: in place of MoveNet as it was published, the one that knows drawn figures.
    ///
    /// # Errors
    /// As [`WholeBody::open`].
    pub fn estimator_for_stills(&self) -> Result<&dyn Estimator> {
        match self.choice {
            PoseModelChoice::MoveNet(_) => {
                read_once(&self.loaded_for_stills, &PoseModelChoice::MoveNet(Variant::Drawn))
            }
            PoseModelChoice::File(_) => self.estimator(),
        }
    }

    /// The networks that vote on the joints of a character: the one for stills, and MoveNet as it was published, which knows more poses.
    ///
    /// # Errors
    /// As [`WholeBody::open`].
    pub fn voters(&self) -> Result<Vec<&dyn Estimator>> {
        let mut voters = vec![self.estimator_for_stills()?];
        if let PoseModelChoice::MoveNet(variant) = self.choice
            && variant != Variant::Drawn
        {
            voters.push(self.estimator()?);
        }
        Ok(voters)
    }
}

fn read_once<'a>(loaded: &'a Loaded, choice: &PoseModelChoice) -> Result<&'a dyn Estimator> {
    if let Some(loaded) = loaded.get() {
        return Ok(loaded.as_ref());
    }
    let read: Box<dyn Estimator> = match choice {
        PoseModelChoice::MoveNet(variant) => Box::new(MoveNet::new(*variant)?),
        PoseModelChoice::File(path) => Box::new(WholeBody::open(path)?),
    };
    Ok(loaded.get_or_init(|| read).as_ref())
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
            PoseModelChoice::MoveNet(Variant::Drawn) => formatter.write_str("drawn"),
            PoseModelChoice::File(path) => path.display().fmt(formatter),
        }
    }
}

impl FromStr for PoseModel {
    type Err = String;

    /// `thunder`, `lightning`, `drawn`, or a path: a folder, or a file with an extension.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let path = Path::new(text);
        Ok(Self::new(match text {
            "thunder" => PoseModelChoice::MoveNet(Variant::Thunder),
            "lightning" => PoseModelChoice::MoveNet(Variant::Lightning),
            "drawn" => PoseModelChoice::MoveNet(Variant::Drawn),
            _ if path.extension().is_none() && !path.exists() => {
                return Err(format!(
                    "{text:?} is none of: thunder, lightning, drawn, or the path of ONNX files"
                ));
            }
            _ => PoseModelChoice::File(path.into()),
        }))
    }
}
