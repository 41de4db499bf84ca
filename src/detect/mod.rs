//! Finds people, their poses and foregrounds in pictures.
//!
//! 1. [`MoveNet`] finds the joints of one person in a [`Region`] of a picture; [`WholeBody`] also hands and face, by
//!    networks from files. A [`PoseModel`] is the choice of one.
//! 2. As [`Estimator`]s both find everyone in a frame, and the one person in a still, drawn or photographed.
//! 3. [`find_foreground`] cuts a figure out of its background, where [`U2Net`] says what stands out; [`find_figure`] finds its
//!    pose too.
//! 4. [`Tracker`] follows everyone through a video; [`CutDetector`] tells it where another scene begins.

mod centred;
mod colours;
mod cuts;
mod estimator;
mod figure;
mod foreground;
mod movenet;
mod normalized;
#[cfg_attr(not(feature = "onnx"), path = "onnx/absent.rs")]
mod onnx;
mod pose_model;
mod region;
mod search;
mod tracker;
mod vote;
mod whole_body;

pub use cuts::CutDetector;
pub use estimator::{Estimator, Found};
pub use figure::{Figure, find_figure};
pub use foreground::{U2Net, find_foreground};
pub use movenet::{Detection, MoveNet, Variant};
pub use pose_model::{PoseModel, PoseModelChoice};
pub use region::Region;
pub use tracker::Tracker;
pub use vote::find_masked_person;
pub use whole_body::WholeBody;
