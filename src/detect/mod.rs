//! Finds people, their poses and foregrounds in pictures.
//!
//! 1. [`MoveNet`] finds the joints of one person in a [`Region`] of a picture.
//! 2. [`find_person`] looks for the one person in a still, drawn or photographed.
//! 3. [`find_foreground`] cuts a figure out of its background.
//! 4. [`Tracker`] follows everyone through a video; [`CutDetector`] tells it where another scene begins.

mod colours;
mod cuts;
mod foreground;
mod movenet;
mod onnx;
mod region;
mod search;
mod tracker;

pub use cuts::CutDetector;
pub use foreground::find_foreground;
pub use movenet::{Detection, Found, MoveNet, Variant};
pub use region::Region;
pub use search::find_person;
pub use tracker::Tracker;
