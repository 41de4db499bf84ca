//! Poses: the named joints of a figure, pictures of them, and the files they come in.
//!
//! 1. [`read_poses`] reads OpenPose, ComfyUI and COCO-17 JSON into a [`PoseSequence`].
//! 2. [`PoseSequence::choose_person`] keeps one dancer, the same in every frame.
//! 3. [`fill_gaps`] interpolates what the detector missed.
//! 4. [`Pose::fit`] moves a pose onto a canvas of another shape.
//! 5. [`draw_pose`] draws the control image that an OpenPose ControlNet expects.
//!
//! A video whose frames are such control images already is recognised by [`classify`] and used as it is.
//! This module knows nothing of tensors and codecs.

mod choose;
mod draw;
mod gaps;
mod info;
pub mod json;
mod sequence;
mod skeleton;
mod skeleton_video;

pub use choose::PersonChoice;
pub use draw::{DrawSettings, StickWidth, draw_pose};
pub use gaps::{GapReport, fill_gaps};
pub use info::{MissingJoint, Summary, summary};
pub use json::{COORDINATE_LIMIT, ReadSettings, read_poses, write_openpose_folder, write_pose_keypoints};
pub use sequence::{MAX_CANVAS, PoseSequence};
pub use skeleton::{
    BODY_COLORS, Body, BoundingBox, CONFIDENCE_THRESHOLD, FACE_POINTS, Face, HAND_EDGES, HAND_POINTS, Hand,
    Joint, Keypoint, LIMBS, Person, Pose,
};
pub use skeleton_video::{ControlKind, classify, swap_red_blue};
