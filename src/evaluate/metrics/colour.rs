//! Whether each part of the figure has its colour.

use std::collections::BTreeMap;

use image::{GrayImage, RgbImage};

use crate::puppet::Part;

/// ΔE at which likeness is gone: 2.3 is just noticeable, 50 lies between blue and teal.
const DIFFERENT: f64 = 50.0;
/// A part counts where it has this share of the picture's pixels.
const LEAST_SHARE: f64 = 0.001;

/// What of sRGB's red, green and blue is in CIE's X, Y and Z, each as a share of that of white (D65): IEC 61966-2-1.
const XYZ: [[f64; 3]; 3] = [
    [0.412_456_4 / 0.950_47, 0.357_576_1 / 0.950_47, 0.180_437_5 / 0.950_47],
    [0.212_672_9, 0.715_152_2, 0.072_175],
    [0.019_333_9 / 1.088_83, 0.119_192 / 1.088_83, 0.950_304_1 / 1.088_83],
];

/// CIELAB (CIE 15, D65) of an sRGB colour: lightness 0 to 100, then green to red, then blue to yellow.
pub fn lab(colour: [u8; 3]) -> [f32; 3] {
    let linear = colour.map(|value| match f64::from(value) / 255.0 {
        value if value <= 0.040_45 => value / 12.92,
        value => ((value + 0.055) / 1.055).powf(2.4),
    });
    let [x, y, z] = XYZ.map(|row| {
        let share: f64 = row.iter().zip(linear).map(|(share, value)| share * value).sum();
        // A cube root, and close to black, where it would be too steep, a line.
        if share > (6.0_f64 / 29.0).powi(3) {
            share.cbrt()
        } else {
            share * (29.0_f64 / 6.0).powi(2) / 3.0 + 4.0 / 29.0
        }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)].map(|value| value as f32)
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
