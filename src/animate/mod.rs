//! The whole way from files to files: reference picture and dance in, clip out, with the journal between.
//!
//! 1. [`job`] is what a render is told. `run` puts everything together: checks, plan, journal, rendering; `stage` holds what frames
//!    are made from.
//! 2. [`outputs`] encodes the frames, the comparison and the contact sheet.
//! 3. [`mod@split`] divides a clip into shots, [`shot`] renders one of them, and [`mod@merge`] encodes them all.
//!    [`batch`] are many such clips.
//! 4. [`watched`] renders a clip only to see where its frames look.

pub mod batch;
mod checks;
pub mod job;
pub mod merge;
pub mod outputs;
mod plan;
mod run;
pub mod shot;
pub mod split;
mod stage;
pub mod status;
pub mod watched;

pub use batch::Batch;
pub use job::{ClipEvent, Job};
pub use merge::merge;
pub use outputs::OutputFiles;
pub use run::run;
pub use shot::render_shot;
pub use split::{Division, split};
