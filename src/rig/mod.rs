//! The figure in a reference, as drafts bend it: its joints, its parts and their order, found in the picture, and edited by hand.
//!
//! [`run`] writes what is found as a small JSON file, with a picture of the parts beside it, and a sheet to look at. A draft takes
//! that file in place of looking for itself.

mod doubts;
mod figure;
mod file;
mod job;
mod names;
mod scale;
mod sheet;

pub use doubts::{Doubts, Posture};
pub use figure::{Figure, RigFiles};
pub use file::parts_beside;
pub use job::{RigEvent, RigJob, run};
pub use names::{JointEdit, joint_name};
pub(crate) use scale::scale_between;
