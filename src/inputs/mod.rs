//! What pictures and clips are made from: the reference, the dance, the sizes of frames.
//!
//! 1. [`mod@reference`] reads the reference picture with its mask and pose, at the size of the frames.
//! 2. [`dance`] counts the frames of a pose file or a video and gives their control images; [`extract`] finds the poses in an
//!    ordinary video, and [`kept_poses`] are those, for when the render goes on.
//! 3. [`sizes`] says how large frames are.

mod checks;
pub mod dance;
pub mod extract;
mod hash;
pub mod kept_poses;
pub mod reference;
pub mod sizes;

pub(crate) use checks::check_picture;
pub(crate) use hash::content_hash;
