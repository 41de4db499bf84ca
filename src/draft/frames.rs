//! Drafts of the frames of a render, which diffusion repairs.

use std::path::Path;

use dreamtuner_warp::{Joints, Rig, without_figure};
use image::{GrayImage, Luma, RgbImage};

use super::layout::scale_between;
use crate::error::{Error, Result};
use crate::picture::{Fit, WHITE, fit_image, over_picture};
use crate::pose::Pose;
use crate::render::draft::DraftFrame;
use crate::rig::Figure;

/// The drafts of a clip's frames: the figure in each pose, before the reference's own background.
#[derive(Debug)]
pub struct FrameDrafts {
    rig: Rig,
    poses: Vec<Joints>,
    background: RgbImage,
    /// Where the background is known, 255, or filled in, 0.
    known: GrayImage,
}

/// Colours of a background differ by no more than so much (standard deviation, of 255) where it is plain: then what is behind the
/// figure is known, too.
const PLAIN: f64 = 6.0;

impl FrameDrafts {
    /// Prepares drafts of `poses`, whose canvases are the frames. The reference's background is laid into them as the dance is, by `fit`.
    ///
    /// # Errors
    /// A figure without shoulders; poses without anybody.
    pub fn new(figure: &Figure, dance: &Path, poses: &[Pose], fit: Fit) -> Result<Self> {
        let joints: Vec<Joints> = poses.iter().map(Joints::of_first).collect();
        let scale = scale_between(&Joints::of(figure.person()), &joints)
            .ok_or_else(|| Error::input(dance, "shows too little of a body for drafts"))?;
        let (width, height) = poses.first().map_or((1, 1), |pose| (pose.width, pose.height));
        let (picture, known) = background(figure);
        let background = fit_image(&picture, width, height, fit, WHITE);
        let known = fit_image(&known, width, height, fit, WHITE);
        let known = GrayImage::from_fn(width, height, |x, y| Luma([known.get_pixel(x, y).0[0]]));
        Ok(Self { rig: figure.rig(scale)?, poses: joints, background, known })
    }

    /// The draft of a frame, by its number.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn frame(&self, index: usize) -> Result<DraftFrame> {
        let pose = self.poses.get(index).ok_or_else(|| Error::setting("draft", "the frame has no pose"))?;
        let (width, height) = self.background.dimensions();
        let drawn = self.rig.draw(pose, width, height);
        let mut confidence = self.rig.confidence(pose, width, height);
        let behind = confidence.pixels_mut().zip(drawn.pixels()).zip(self.known.pixels());
        for ((sure, figure), known) in behind {
            let (alpha, known) = (u32::from(figure.0[3]), u32::from(known.0[0]));
            sure.0[0] = (u32::from(sure.0[0]) * (alpha * 255 + (255 - alpha) * known) / (255 * 255)) as u8;
        }
        Ok(DraftFrame { image: over_picture(&drawn, &self.background), confidence })
    }
}

/// The reference without its figure, and where that is known: white, or black where the figure stood before more than one colour.
fn background(figure: &Figure) -> (RgbImage, RgbImage) {
    let (picture, cut_out) = (figure.picture(), figure.cut_out());
    let mask =
        GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([cut_out.get_pixel(x, y).0[3]]));
    let behind = without_figure(picture, &mask);
    let hidden = if is_plain(picture, &mask) { 255 } else { 0 };
    let known = RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let known = 255 - (255 - hidden) * u32::from(mask.get_pixel(x, y).0[0]) / 255;
        image::Rgb([known as u8; 3])
    });
    (behind, known)
}

/// Whether the background has one colour.
fn is_plain(picture: &RgbImage, mask: &GrayImage) -> bool {
    let seen =
        || picture.pixels().zip(mask.pixels()).filter(|(_, mask)| mask.0[0] == 0).map(|(pixel, _)| pixel);
    let count = seen().count().max(1) as f64;
    (0..3).all(|channel| {
        let mean = seen().map(|pixel| f64::from(pixel.0[channel])).sum::<f64>() / count;
        let squares = seen().map(|pixel| (f64::from(pixel.0[channel]) - mean).powi(2)).sum::<f64>();
        (squares / count).sqrt() < PLAIN
    })
}
