//! Finds the cuts of a video.

use image::RgbImage;

use super::colours::Colours;
use super::region::Region;

/// Pictures are compared at this size.
const SIDE: u32 = 24;
/// A cut changes the picture by at least this much on average, of 255.
const LEAST_CHANGE: f32 = 18.0;
/// And by so many times what the frames before it did.
const LEAST_RATIO: f32 = 4.0;
/// And shows other colours: somebody who moves a lot takes theirs along.
const LEAST_COLOURS: f32 = 0.3;
/// Share of the usual change that stays when a frame is seen.
const MEMORY: f32 = 0.8;

/// Looks at the frames of a video one after another.
#[derive(Debug, Default)]
pub struct CutDetector {
    last: Option<RgbImage>,
    /// What frames have changed lately.
    usual: f32,
}

impl CutDetector {
    /// Whether the next frame begins something else than the frame before it showed. The first frame does not.
    pub fn observe(&mut self, picture: &RgbImage) -> bool {
        let small = Region::whole(picture.width(), picture.height()).cut(picture, SIDE, SIDE);
        let Some(last) = self.last.replace(small.clone()) else { return false };
        let change = mean_change(&last, &small);
        let colours = Colours::of(last.pixels()).zip(Colours::of(small.pixels()));
        let other_colours = colours.is_some_and(|(last, now)| last.distance(&now) > LEAST_COLOURS);
        let cut = change > LEAST_CHANGE && change > LEAST_RATIO * self.usual && other_colours;
        if !cut {
            self.usual = MEMORY * self.usual + (1.0 - MEMORY) * change;
        }
        cut
    }
}

fn mean_change(a: &RgbImage, b: &RgbImage) -> f32 {
    let sum: u32 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    sum as f32 / a.as_raw().len() as f32
}
