//! Differences pixel by pixel, and structural similarity.

use image::{GrayImage, RgbImage};

/// Largest value of a channel.
const RANGE: f64 = 255.0;
/// What is said of pictures without any difference, in place of infinity.
const HIGHEST_PSNR: f64 = 100.0;

/// L1: the mean absolute difference of all channels of all pixels, 0 to 255. Both pictures have the same size.
pub fn mean_absolute_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    debug_assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len().max(1) as f64
}

/// As [`mean_absolute_difference`], each pixel weighted with the mask (255 counts fully). 0 where the mask is black.
pub fn mean_absolute_difference_inside(a: &RgbImage, b: &RgbImage, mask: &GrayImage) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for ((a, b), weight) in a.pixels().zip(b.pixels()).zip(mask.as_raw()) {
        let difference: u32 = a.0.iter().zip(&b.0).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        sum += f64::from(difference) * f64::from(*weight);
        total += 3.0 * f64::from(*weight);
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

/// Peak signal-to-noise ratio in decibels over all channels; 100 for equal pictures.
pub fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    debug_assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    let mean = sum as f64 / a.as_raw().len().max(1) as f64;
    if mean == 0.0 { HIGHEST_PSNR } else { (10.0 * (RANGE * RANGE / mean).log10()).min(HIGHEST_PSNR) }
}

/// How much of the change from picture to picture is not the truth's:
/// mean |(resultₜ − resultₜ₋₁) − (truthₜ − truthₜ₋₁)| over channels, pixels and pairs of consecutive frames, 0 to 255.
/// `None` for clips of less than two frames.
pub fn flicker(result: &[RgbImage], truth: &[RgbImage]) -> Option<f64> {
    let pairs = result.windows(2).zip(truth.windows(2));
    let differences: Vec<f64> = pairs
        .filter_map(|(result, truth)| {
            let ([before, after], [truth_before, truth_after]) = (result, truth) else { return None };
            let change = |before: &u8, after: &u8| i32::from(*after) - i32::from(*before);
            let ours = before.as_raw().iter().zip(after.as_raw());
            let theirs = truth_before.as_raw().iter().zip(truth_after.as_raw());
            let sum: u64 = ours
                .zip(theirs)
                .map(|((a, b), (c, d))| u64::from((change(a, b) - change(c, d)).unsigned_abs()))
                .sum();
            Some(sum as f64 / before.as_raw().len().max(1) as f64)
        })
        .collect();
    let count = differences.len();
    (count > 0).then(|| differences.iter().sum::<f64>() / count as f64)
}

/// How much of the change from `before` to `after` a result shows: Σ (result − before)(after − before) / Σ (after − before)².
/// This is 0 for a result that equals `before` where the two differ, and 1 for one that equals `after` there.
/// `None` where they do not differ.
pub fn share_of_change(result: &RgbImage, before: &RgbImage, after: &RgbImage) -> Option<f64> {
    let (mut shown, mut all) = (0i64, 0i64);
    for ((result, before), after) in result.as_raw().iter().zip(before.as_raw()).zip(after.as_raw()) {
        let [result, before, after] = [*result, *before, *after].map(i64::from);
        shown += (result - before) * (after - before);
        all += (after - before).pow(2);
    }
    (all > 0).then(|| shown as f64 / all as f64)
}

/// Radius of the window: 11 pixels across.
const RADIUS: usize = 5;
/// σ of the Gaussian window in pixels.
const SIGMA: f64 = 1.5;

/// Mean structural similarity over the colours (Wang et al. 2004), at most 1. The window is a Gaussian of 11 pixels with σ = 1.5;
/// K₁ = 0.01, K₂ = 0.03; borders of 5 pixels are left out. The measure is scikit-image's `structural_similarity(channel_axis=2,
/// gaussian_weights=True, use_sample_covariance=False, data_range=255)`. `None` for pictures of less than 11 pixels a side.
pub fn ssim(a: &RgbImage, b: &RgbImage) -> Option<f64> {
    debug_assert_eq!(a.dimensions(), b.dimensions());
    let (width, height) = (a.width() as usize, a.height() as usize);
    if width.min(height) <= 2 * RADIUS {
        return None;
    }
    let channels = (0..3).map(|channel| {
        let plane = |image: &RgbImage| -> Vec<f64> {
            image.as_raw().iter().skip(channel).step_by(3).map(|&value| f64::from(value)).collect()
        };
        channel_ssim(&plane(a), &plane(b), width)
    });
    Some(channels.sum::<f64>() / 3.0)
}

fn channel_ssim(a: &[f64], b: &[f64], width: usize) -> f64 {
    let product = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let window = window();
    let mean = |plane: &[f64]| blur(plane, width, &window);
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mean_aa, mean_bb, mean_ab) = (mean(&product(a, a)), mean(&product(b, b)), mean(&product(a, b)));
    let (c1, c2) = ((0.01 * RANGE).powi(2), (0.03 * RANGE).powi(2));
    let count = mean_a.len();
    let sum: f64 = (0..count)
        .map(|pixel| {
            let (x, y) = (mean_a[pixel], mean_b[pixel]);
            let (variance_x, variance_y) = (mean_aa[pixel] - x * x, mean_bb[pixel] - y * y);
            let covariance = mean_ab[pixel] - x * y;
            ((2.0 * x * y + c1) * (2.0 * covariance + c2))
                / ((x * x + y * y + c1) * (variance_x + variance_y + c2))
        })
        .sum();
    sum / count.max(1) as f64
}

fn window() -> [f64; 2 * RADIUS + 1] {
    let weight = |offset: usize| (-0.5 * ((offset as f64 - RADIUS as f64) / SIGMA).powi(2)).exp();
    let weights: [f64; 2 * RADIUS + 1] = std::array::from_fn(weight);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// The plane under the window, wherever the whole window is inside.
fn blur(plane: &[f64], width: usize, window: &[f64]) -> Vec<f64> {
    let inner = width + 1 - window.len();
    let across: Vec<f64> = plane
        .chunks_exact(width)
        .flat_map(|row| {
            row.windows(window.len()).map(|part| part.iter().zip(window).map(|(a, b)| a * b).sum())
        })
        .collect();
    let rows = across.len() / inner + 1 - window.len();
    let mut down = vec![0.0; rows * inner];
    for (row, output) in down.chunks_exact_mut(inner).enumerate() {
        for (weight, input) in window.iter().zip(across.chunks_exact(inner).skip(row)) {
            output.iter_mut().zip(input).for_each(|(sum, value)| *sum += weight * value);
        }
    }
    down
}
