//! dreamtuner

pub mod diffusion;
pub mod error;
pub mod frame;

pub mod model;
pub mod pose;
#[cfg(feature = "video")]
pub mod video;
pub use error::{Error, Result};
