#![doc = include_str!("../README.md")]
//!
//! # How they go together
//!
//! 1. [`parse_poses`] reads OpenPose, ComfyUI and COCO-17 JSON into a [`PoseSequence`]; [`pose_keypoints`] and
//!    [`openpose_files`] write it. [`parse_bvh`] reads motion capture.
//! 2. [`PoseSequence::choose_person`] keeps one dancer, the same in every frame.
//! 3. [`repair_swaps`], [`reject_outliers`] and [`smooth_poses`] mend what a detector has found; [`fill_gaps`] interpolates what the detector missed.
//! 4. [`retarget`] gives the dance to a body of other proportions.
//! 5. [`Pose::fit`] moves a pose onto a canvas of another shape.
//! 6. [`draw_pose`] draws the control image that an OpenPose ControlNet expects.
//!
//! A video whose frames are such control images already is recognised by [`classify`] and used as it is.
//! This crate knows nothing of tensors, codecs and disks.

mod bvh;
mod change;
mod choose;
mod coco;
mod draw;
mod error;
mod fit;
mod gaps;
mod info;
pub mod json;
mod kalman;
mod mirror;
mod outliers;
mod points;
mod quantile;
mod retarget;
mod sequence;
mod skeleton;
mod skeleton_video;
mod smooth;
mod swaps;
mod vector;

pub use bvh::{BvhError, Camera, parse_bvh};
pub use change::{Change, change};
pub use choose::PersonChoice;
pub use coco::COCO_POINTS;
pub use draw::{DrawSettings, StickWidth, draw_pose};
pub use error::{Error, Result};
pub use fit::Fit;
pub use gaps::{GapReport, fill_gaps};
pub use info::{MissingJoint, Summary, summary};
pub use json::{
    COORDINATE_LIMIT, ParseError, PoseFiles, ReadSettings, natural_order, openpose_files, parse_poses,
    pose_keypoints,
};
pub use outliers::reject_outliers;
pub use points::{POINTS, Points};
pub use quantile::{full_length, median};
pub use retarget::{Retarget, rescale, retarget};
pub use sequence::{MAX_CANVAS, PoseSequence};
pub use skeleton::{
    BODY_COLORS, Body, BoundingBox, CONFIDENCE_THRESHOLD, Depths, FACE_POINTS, Face, HAND_EDGES, HAND_POINTS,
    Hand, Joint, Keypoint, LIMBS, Person, Pose,
};
pub use skeleton_video::{ControlKind, classify, swap_red_blue};
pub use smooth::smooth_poses;
pub use swaps::repair_swaps;
pub use vector::{Vector, vector};
