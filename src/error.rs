//! One error type, grouped by who has to act.

use std::path::{Path, PathBuf};

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and in which file, setting or frame.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An input file (picture, video, pose file, noise file) cannot be used: the user has to mend or replace it.
    #[error("{}: {problem}", path.display())]
    Input {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it, with the value found and the allowed range.
        problem: String,
    },
    /// A setting is out of its range or contradicts another: the user has to change it.
    #[error("{name}: {problem}")]
    Setting {
        /// The setting's name, as the user writes it.
        name: String,
        /// The value found and the allowed range.
        problem: String,
    },
    /// A weights file is missing parts, malformed or of an unsupported kind.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The weights file or model folder at fault.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system refused to read or write.
    #[error("{}: {}", path.display(), reason(source))]
    Io {
        /// The file that was being read or written.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An output could not be encoded or written.
    #[error("{}: {problem}", path.display())]
    Output {
        /// The file that was being written.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// Another process writes it: to be tried again later.
    #[error("{}: another run of this program is writing it", path.display())]
    Busy {
        /// The output.
        path: PathBuf,
    },
    /// The journal beside the output belongs to a render with other settings or inputs.
    #[error("{}: holds frames of a render with other settings; give those settings, another output, or delete the folder. Differences: {}", path.display(), differences.join("; "))]
    Plan {
        /// The journal folder.
        path: PathBuf,
        /// One entry for each field that differs, `name: then → now`.
        differences: Vec<String>,
    },
    /// An error while one frame was being made.
    #[error("frame {frame}: {source}")]
    Frame {
        /// Index of the frame, from 0.
        frame: usize,
        /// The error itself.
        source: Box<Error>,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A tensor operation failed (shape, memory, device).
    #[error("computation failed: {0}")]
    Compute(#[from] candle_core::Error),
}

/// The system's reason without its number; where nothing is there, that is said of folders too.
fn reason(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::NotFound {
        return "No such file or folder".into();
    }
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

impl Error {
    /// The file at fault, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Input { path, .. }
            | Self::Weights { path, .. }
            | Self::Io { path, .. }
            | Self::Output { path, .. }
            | Self::Busy { path }
            | Self::Plan { path, .. } => Some(path),
            Self::Frame { source, .. } => source.path(),
            Self::Setting { .. } | Self::Interrupted | Self::Compute(_) => None,
        }
    }

    /// An [`Error::Input`] for `path`.
    pub fn input(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Input { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// An [`Error::Setting`] for the setting called `name`.
    pub fn setting(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting { name: name.into(), problem: problem.into() }
    }

    /// An [`Error::Weights`] for `path`.
    pub fn weights(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Weights { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::Output`] for `path`.
    pub fn output(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Output { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// The same error, if it is one of an input, said of a weights file.
    pub(crate) fn of_weights(self) -> Self {
        match self {
            Self::Input { path, problem } => Self::Weights { path, problem },
            other => other,
        }
    }

    /// The same error, said to have happened at `frame`.
    pub fn at_frame(self, frame: usize) -> Self {
        match self {
            Self::Interrupted | Self::Frame { .. } => self,
            other => Self::Frame { frame, source: Box::new(other) },
        }
    }
}

impl From<dreamtuner_pose::Error> for Error {
    fn from(error: dreamtuner_pose::Error) -> Self {
        Self::Setting { name: error.name, problem: error.problem }
    }
}

/// Lets networks, whose operations fail with candle's error, refuse a configuration.
impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Compute(error) => error,
            other => Self::wrap(other),
        }
    }
}
