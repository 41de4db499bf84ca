//! The whole way from files to files: reference picture and dance in, clip out, with the journal between.
//!
//! 1. [`job`] is what a render is told. `run` puts everything together: checks, plan, journal, rendering; `stage` holds what frames
//!    are made from.
//! 2. [`outputs`] encodes the frames, the comparison and the contact sheet.
//! 3. [`watched`] renders a clip only to see where its frames look.

mod checks;
pub mod job;
pub mod outputs;
mod plan;
mod run;
mod stage;
pub mod watched;

pub use job::{ClipEvent, Job};
pub use outputs::OutputFiles;
pub use run::run;
