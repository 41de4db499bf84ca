//! Poses: those of `dreamtuner_pose`, and the files they are in.

mod read;
mod write;

pub use dreamtuner_pose::*;
#[cfg(feature = "video")]
pub(crate) use read::is_motion_capture;
pub use read::read_poses;
pub use write::{write_openpose_folder, write_pose_keypoints};
