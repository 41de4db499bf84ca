//! From a sequence to files.

use std::path::Path;

use dreamtuner_pose::{PoseSequence, openpose_files, pose_keypoints};

use crate::error::Result;
use crate::outputs::{PartFile, Reservation};

/// Writes the sequence as [`pose_keypoints`].
///
/// # Errors
/// A full disk, or a name that something else has by now.
pub fn write_pose_keypoints(sequence: &PoseSequence, file: PartFile) -> Result<()> {
    file.write_bytes(&pose_keypoints(sequence))
}

/// Writes the sequence as a folder of [`openpose_files`]. The folder, which is `reserved` as a new one, is complete or absent.
///
/// # Errors
/// `folder` exists and is not an empty folder, its parent is missing or cannot be written to, or the disk is full.
pub fn write_openpose_folder(
    sequence: &PoseSequence,
    folder: &Path,
    reserved: &mut Reservation,
) -> Result<()> {
    reserved.write_folder(folder, openpose_files(sequence).map(Ok))
}
