//! Pose files: OpenPose, ComfyUI and COCO-17 JSON.
//!
//! # What is read
//! A sequence is one file, or several whose frames follow each other ([`PoseFiles`]). A file holds one of:
//!
//! - **OpenPose**: an object with `people`, one frame. Each person has `pose_keypoints_2d` (18 points, or the 25 of
//!   BODY_25, of which mid-hip and feet are dropped). There may also be `hand_left_keypoints_2d`,
//!   `hand_right_keypoints_2d` (21 points) and `face_keypoints_2d` (68 or 70 points, the pupils are dropped). Groups
//!   are flat lists of x, y, confidence; absent ones are missing, `null` or `[]`.
//! - **ComfyUI `POSE_KEYPOINT`**: a list of such objects, one a frame, with `canvas_width` and `canvas_height`.
//!   A key `fps` in a frame, which ComfyUI ignores, states the frames per second.
//! - **COCO-17 results**: a list of objects with `image_id` and `keypoints` (17 × x, y, score). Or an object with such
//!   a list as `annotations`, and perhaps `images` with `id`, `width`, `height`. Frames are the images in their order,
//!   or without `images` the distinct `image_id`s in natural order. The neck is put between the shoulders.
//! - **COCO-17 frames**: a list with one entry a frame: `null` or `[]` for nobody, 17 triples `[x, y, score]`, the
//!   same 51 numbers flat, an object with these as `keypoints`, or a list of any of these for several people.
//!
//! An object with `frames` (any of the lists) and perhaps `fps` is read as well.
//!
//! # Coordinates
//! Their unit is recognised over the whole sequence, never for one frame alone. It is pixels where any coordinate of a
//! point seen is beyond ±2; otherwise [-1, 1] where more than a tenth of the coordinates are negative, else [0, 1].
//! Pixels beyond ±100,000 are refused.
//!
//! The canvas is the file's; else that of [`ReadSettings`]; else 512 × 512, or for pixels beyond that the next
//! multiples of 64 that hold every point.

mod coco;
mod natural;
mod openpose;
mod raw;
mod read;
mod units;
mod value;
mod write;

pub use natural::natural_order;
pub use read::{PoseFiles, ReadSettings, parse_poses};
pub use units::COORDINATE_LIMIT;
pub use value::ParseError;
pub use write::{openpose_files, pose_keypoints};
