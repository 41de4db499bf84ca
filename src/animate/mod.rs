//! The whole way from files to files: reference picture and pose file in, clip out, with the journal between.
//!
//! 1. [`pose_source`] counts the frames of the pose file and gives their control images; `kept_poses` are those that were
//!    found in a video, for when the render goes on.
//! 2. [`reference_input`] reads the reference picture with its mask and pose, at the size of the frames.
//! 3. [`sizes`] says how large frames are.
//! 4. [`job`] puts them together: checks, plan, journal, rendering; `stage` holds what frames are made from.
//! 5. [`outputs`] encodes the frames, the comparison and the contact sheet.
//! 6. [`watched`] renders a clip only to see where its frames look.

pub(crate) mod checks;
pub mod job;
pub mod kept_poses;
pub mod outputs;
mod plan;
pub mod pose_source;
pub mod reference_input;
pub mod sizes;
mod stage;
pub mod watched;

pub use job::{Event, Job, run};
pub use outputs::OutputFiles;
pub(crate) use plan::content_hash;
