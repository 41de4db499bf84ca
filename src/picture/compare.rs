//! Pictures beside each other, to compare them.

use image::{Rgb, RgbImage, imageops};

use super::fit::resize;

const GAP: u32 = 4;
const GAP_COLOUR: Rgb<u8> = Rgb([32, 32, 32]);

/// `pictures` from left to right (reference, pose, result), each scaled to `height` pixels with its own aspect ratio
/// kept, four dark pixels between them. The width depends on their sizes only, so it is constant over a clip.
/// Pictures without pixels are left out.
pub fn side_by_side(pictures: &[&RgbImage], height: u32) -> RgbImage {
    let height = height.max(1);
    let scaled: Vec<RgbImage> = pictures
        .iter()
        .filter(|picture| picture.width() > 0 && picture.height() > 0)
        .map(|picture| {
            let width = f64::from(picture.width()) * f64::from(height) / f64::from(picture.height());
            resize(picture, (width.round() as u32).max(1), height)
        })
        .collect();
    let gaps = GAP * scaled.len().saturating_sub(1) as u32;
    let width = scaled.iter().map(RgbImage::width).sum::<u32>() + gaps;
    let mut row = RgbImage::from_pixel(width.max(1), height, GAP_COLOUR);
    let mut left = 0;
    for picture in &scaled {
        imageops::replace(&mut row, picture, i64::from(left), 0);
        left += picture.width() + GAP;
    }
    row
}
