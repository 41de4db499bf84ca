//! Whether each part of the figure has its colour.

use std::collections::BTreeMap;

use image::{GrayImage, RgbImage};
use palette::{IntoColor, Lab, Srgb};

use crate::puppet::Part;

/// ΔE at which likeness is gone: 2.3 is just noticeable, 50 lies between blue and teal.
const DIFFERENT: f64 = 50.0;
/// A part counts where it has this share of the picture's pixels.
const LEAST_SHARE: f64 = 0.001;

/// CIELAB (D65) of an sRGB colour: lightness 0 to 100, then green to red, then blue to yellow.
pub fn lab(colour: [u8; 3]) -> [f32; 3] {
    let lab: Lab = Srgb::from(colour).into_format::<f32>().into_color();
    [lab.l, lab.a, lab.b]
}

/// Colour likeness of the parts of one picture, each 0 to 1.
pub type Likeness = BTreeMap<Part, f64>;

/// For each part of the figure that covers at least 0.1 % of the truth: `max(0, 1 − ΔE/50)`, where ΔE is the distance in
/// CIELAB (CIE76) between the part's mean colour in the truth and the mean colour of the same pixels in the result. So 0.9
/// stands for ΔE = 5, a difference that is seen side by side only. `labels` has the [`Part`] of each pixel of the truth.
///
/// It asks whether a garment has its colour where it should be; patterns are for SSIM.
pub fn colour_likeness(result: &RgbImage, truth: &RgbImage, labels: &GrayImage) -> Likeness {
    let least = (labels.as_raw().len() as f64 * LEAST_SHARE).max(1.0);
    Part::ALL
        .into_iter()
        .filter_map(|part| {
            let (mut ours, mut theirs, mut count) = ([0.0; 3], [0.0; 3], 0.0);
            let pixels = result.pixels().zip(truth.pixels()).zip(labels.as_raw());
            for ((result, truth), _) in pixels.filter(|(_, label)| **label == part as u8) {
                add(&mut ours, lab(result.0));
                add(&mut theirs, lab(truth.0));
                count += 1.0;
            }
            let distance: f64 =
                ours.iter().zip(&theirs).map(|(a, b)| ((a - b) / count).powi(2)).sum::<f64>().sqrt();
            (count >= least).then(|| (part, (1.0 - distance / DIFFERENT).max(0.0)))
        })
        .collect()
}

fn add(sum: &mut [f64; 3], colour: [f32; 3]) {
    sum.iter_mut().zip(colour).for_each(|(sum, value)| *sum += f64::from(value));
}
