//! What cannot be done with poses.

/// The result of what needs poses to be there.
pub type Result<T> = std::result::Result<T, Error>;

/// A setting that is out of its range, or asks for what the poses do not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct Error {
    /// The setting's name.
    pub name: String,
    /// The value found and the allowed range.
    pub problem: String,
}

impl Error {
    pub(crate) fn setting(name: &str, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }
}
