//! Stills: single pictures of a subject by text.
//!
//! 1. [`Still`] is all that one picture is made from.
//! 2. [`Stills`] makes pictures one after the other, and keeps model and reference while they are the same.
//! 3. [`parameters`] writes settings as other programs read them in PNG files.
//! 4. [`labelled_grid`] lays pictures out that differ in one or two settings.
//! 5. [`panel`] shows where attention looks, [`Shares`] how much of it goes where.

mod grid;
mod heat;
pub mod parameters;
mod picture;
mod shares;

pub use grid::{Labels, labelled_grid};
pub use heat::{Panel, panel};
pub use picture::{Init, Made, Still, StillEvent, Stills};
pub use shares::Shares;
