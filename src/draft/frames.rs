//! The frames of a draft.

use std::path::Path;

use dreamtuner_warp::{Joints, Rig};
use image::{DynamicImage, GrayImage, Luma, RgbImage, RgbaImage};

use super::background::of_reference;
use super::layout::scale_between;
use crate::error::{Error, Result};
use crate::picture::{Fit, WHITE, fit_image, over_picture};
use crate::pose::Pose;
use crate::render::draft::DraftFrame;
use crate::rig::Figure;

/// The drafts of a clip's frames: the figure in each pose, before a background.
#[derive(Debug)]
pub struct FrameDrafts {
    rig: Rig,
    poses: Vec<Joints>,
    background: RgbImage,
    /// Where the background is known, 255, or filled in, 0.
    known: GrayImage,
}

impl FrameDrafts {
    /// Drafts of a figure in `poses`, which are places on the `background`, as large as the rig.
    pub(super) fn before(rig: Rig, poses: Vec<Joints>, background: RgbImage) -> Self {
        let known = GrayImage::from_pixel(background.width(), background.height(), Luma([255]));
        Self { rig, poses, background, known }
    }

    /// Drafts of `poses`, whose canvases are the frames, before the reference's own background. That is laid into them as the dance is,
    /// by `fit`.
    ///
    /// # Errors
    /// A figure without shoulders; poses that show too little of a body.
    pub fn new(figure: &Figure, dance: &Path, poses: &[Pose], fit: Fit) -> Result<Self> {
        let joints: Vec<Joints> = poses.iter().map(Joints::of_first).collect();
        let scale = scale_between(&Joints::of(figure.person()), &joints)
            .ok_or_else(|| Error::input(dance, "shows too little of a body for drafts"))?;
        let (width, height) = poses.first().map_or((1, 1), |pose| (pose.width, pose.height));
        let (background, known) = of_reference(figure);
        let background = fit_image(&background, width, height, fit, WHITE);
        let known = DynamicImage::ImageLuma8(known).into_rgb8();
        let known = DynamicImage::ImageRgb8(fit_image(&known, width, height, fit, WHITE)).into_luma8();
        Ok(Self { rig: figure.rig(scale)?, poses: joints, background, known })
    }

    /// Width and height of the frames.
    pub(super) fn size(&self) -> (u32, u32) {
        self.background.dimensions()
    }

    /// How much of the picture does not hang together with the figure, 0 to 1.
    pub(super) fn apart(&self) -> f32 {
        self.rig.apart()
    }

    /// The figure alone, by the frame's number.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn figure(&self, index: usize) -> Result<RgbaImage> {
        let (width, height) = self.size();
        Ok(self.rig.draw(self.pose(index)?, width, height))
    }

    /// The figure before its background.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn picture(&self, index: usize) -> Result<RgbImage> {
        Ok(over_picture(&self.figure(index)?, &self.background))
    }

    /// How sure each pixel of the figure is, 0 to 255; what is beside it is sure.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn confidence(&self, index: usize) -> Result<GrayImage> {
        let (width, height) = self.size();
        Ok(self.rig.confidence(self.pose(index)?, width, height))
    }

    /// The draft of a frame: what was behind the figure in the reference is not sure, unless the background has one colour.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn frame(&self, index: usize) -> Result<DraftFrame> {
        let (figure, mut confidence) = (self.figure(index)?, self.confidence(index)?);
        for ((sure, figure), known) in confidence.pixels_mut().zip(figure.pixels()).zip(self.known.pixels()) {
            let (alpha, known) = (u32::from(figure.0[3]), u32::from(known.0[0]));
            sure.0[0] = (u32::from(sure.0[0]) * (alpha * 255 + (255 - alpha) * known) / (255 * 255)) as u8;
        }
        Ok(DraftFrame { image: over_picture(&figure, &self.background), confidence })
    }

    fn pose(&self, index: usize) -> Result<&Joints> {
        self.poses.get(index).ok_or_else(|| Error::setting("draft", "the frame has no pose"))
    }
}
