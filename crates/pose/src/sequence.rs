//! Poses over time.

use super::skeleton::Pose;
use crate::fit::Fit;

/// The longest side of a canvas, in pixels, that is accepted.
pub const MAX_CANVAS: u32 = 16_384;

/// One pose for each frame, all on a canvas of the same size.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PoseSequence {
    /// Width of the canvas in pixels.
    pub width: u32,
    /// Height of the canvas in pixels.
    pub height: u32,
    /// Frames in a second, where the source says so.
    pub frames_per_second: Option<f64>,
    /// Whether the n-th person of every frame is the same one (and empty where not seen), as a tracker says. Otherwise
    /// people are told apart by where they are.
    pub tracked: bool,
    /// The frames, each with `width` and `height` of the sequence.
    pub poses: Vec<Pose>,
}

impl PoseSequence {
    /// The sequence on a canvas of `width` × `height` pixels.
    pub fn fit(&self, width: u32, height: u32, fit: Fit) -> Self {
        let poses = self.poses.iter().map(|pose| pose.fit(width, height, fit)).collect();
        Self { width, height, poses, ..*self }
    }
}
