//! Any two clips, frame by frame: L1, PSNR, SSIM, flicker and CLIP-I, as they are used for dance videos of people too.

use std::collections::BTreeMap;

use image::RgbImage;

use super::metrics::{flicker, mean_absolute_difference, psnr, ssim};
use super::scores::{Metric, Scores};
use crate::error::{Error, Result};
use crate::model::clip::{Clip, cosine};

/// Compares a clip with another one while both are read.
pub struct ClipComparison<'a> {
    clip: Option<&'a Clip>,
    frames: usize,
    /// For each measure its sum and how often it was taken.
    sums: BTreeMap<Metric, (f64, usize)>,
    before: Option<[RgbImage; 2]>,
}

impl<'a> ClipComparison<'a> {
    /// Without frames yet; CLIP-I is taken where there is a CLIP.
    pub fn new(clip: Option<&'a Clip>) -> Self {
        Self { clip, frames: 0, sums: BTreeMap::new(), before: None }
    }

    /// Compares the next frame of the clip with that of the other one, the truth. Pictures of less than 11 pixels a side have no
    /// SSIM, the first frame no flicker.
    ///
    /// # Errors
    /// [`Error::Setting`] for frames of two sizes; failures of CLIP.
    pub fn push(&mut self, frame: RgbImage, truth: RgbImage) -> Result<()> {
        if frame.dimensions() != truth.dimensions() {
            let ((width, height), (wide, high)) = (frame.dimensions(), truth.dimensions());
            let problem = format!("{width}×{height} and {wide}×{high} pixels cannot be compared");
            return Err(Error::setting("size", problem).at_frame(self.frames));
        }
        self.add(Metric::L1, mean_absolute_difference(&frame, &truth));
        self.add(Metric::Psnr, psnr(&frame, &truth));
        if let Some(similarity) = ssim(&frame, &truth) {
            self.add(Metric::Ssim, similarity);
        }
        if let Some(clip) = self.clip {
            self.add(Metric::ClipI, cosine(&clip.image(&frame)?, &clip.image(&truth)?));
        }
        let [frame, truth] = match self.before.take() {
            Some([frame_before, truth_before]) => {
                let (frames, truths) = ([frame_before, frame], [truth_before, truth]);
                if let Some(change) = flicker(&frames, &truths) {
                    self.add(Metric::Flicker, change);
                }
                let ([_, frame], [_, truth]) = (frames, truths);
                [frame, truth]
            }
            None => [frame, truth],
        };
        self.before = Some([frame, truth]);
        self.frames += 1;
        Ok(())
    }

    fn add(&mut self, metric: Metric, value: f64) {
        let (sum, count) = self.sums.entry(metric).or_default();
        *sum += value;
        *count += 1;
    }

    /// Number of frames so far.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The means over all frames.
    pub fn scores(&self) -> Scores {
        self.sums.iter().map(|(metric, (sum, count))| (*metric, sum / *count as f64)).collect()
    }
}
