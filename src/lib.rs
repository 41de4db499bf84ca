//! dreamtuner

#[cfg(feature = "video")]
pub mod animate;
pub mod diffusion;
pub mod error;
pub mod files;
pub mod frame;
pub mod model;
pub mod picture;
pub mod pose;
pub mod render;
#[cfg(feature = "video")]
pub mod video;

pub use error::{Error, Result};
