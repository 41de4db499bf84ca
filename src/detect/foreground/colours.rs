//! The colours of figure and background.

use image::{Rgb, RgbImage};

/// Bins of each channel.
const BINS: usize = 32;
/// Weights of a bin and of each of its two neighbours where histograms are smoothed, one channel after another.
const MIDDLE: f32 = 0.58;
const BESIDE: f32 = 0.21;
/// Added to each share, so that colours that were never seen say little.
const FLOOR: f32 = 1e-5;

/// How much more often each colour is found in the figure than in the background.
pub struct Colours {
    /// Logarithm of the ratio, for each bin.
    ratios: Vec<f32>,
}

impl Colours {
    /// Counts the colours of a picture, whose pixels belong to the figure with `likelihood` 0 to 1; the surer that is, the
    /// more a pixel counts.
    pub fn count(picture: &RgbImage, likelihood: &[f32]) -> Self {
        let (mut figure, mut background) = (vec![0.0_f32; BINS.pow(3)], vec![0.0_f32; BINS.pow(3)]);
        for (pixel, &likelihood) in picture.pixels().zip(likelihood) {
            let surer = 2.0 * likelihood - 1.0;
            figure[bin(pixel)] += surer.max(0.0);
            background[bin(pixel)] += (-surer).max(0.0);
        }
        let (figure, background) = (shares(figure), shares(background));
        let ratios = figure.iter().zip(&background).map(|(figure, background)| (figure / background).ln());
        Self { ratios: ratios.collect() }
    }

    /// The natural logarithm of the ratio for one pixel's colour.
    pub fn ratio(&self, pixel: &Rgb<u8>) -> f32 {
        self.ratios[bin(pixel)]
    }
}

fn bin(Rgb([red, green, blue]): &Rgb<u8>) -> usize {
    let index = |value: u8| usize::from(value) * BINS / 256;
    (index(*red) * BINS + index(*green)) * BINS + index(*blue)
}

/// A smoothed histogram, as shares of its sum, none of them zero.
fn shares(mut counts: Vec<f32>) -> Vec<f32> {
    for step in [1, BINS, BINS * BINS] {
        let place = |index: usize| index / step % BINS;
        counts = (0..counts.len())
            .map(|index| {
                let before = if place(index) > 0 { counts[index - step] } else { counts[index] };
                let after = if place(index) + 1 < BINS { counts[index + step] } else { counts[index] };
                MIDDLE * counts[index] + BESIDE * (before + after)
            })
            .collect();
    }
    let sum: f32 = counts.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    counts.iter().map(|count| count / sum + FLOOR).collect()
}
