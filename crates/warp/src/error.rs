//! Why a picture cannot be rigged.

/// The result of rigging.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a picture cannot be rigged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Everything is transparent.
    #[error("shows nothing: everything is transparent")]
    NoFigure,
    /// A figure is cut around its shoulders.
    #[error("both shoulders have to be known")]
    NoShoulders,
}
