//! The subject of a picture, without what is around it.

use image::{Rgb, RgbImage, imageops};

use crate::error::{Error, Result};
use crate::mask::Mask;

/// Pixels that are subject by less than this do not decide where it ends.
const SURE: f32 = 0.5;
/// White around the subject, as a share of its longer side.
const MARGIN: f64 = 0.05;

/// The picture with a white background.
///
/// # Errors
/// A mask of another size.
pub fn on_white(image: &RgbImage, mask: &Mask) -> Result<RgbImage> {
    let (height, width) = mask.size();
    if (image.width() as usize, image.height() as usize) != (width, height) {
        let problem = format!("is {width}×{height}, the picture {}×{}", image.width(), image.height());
        return Err(Error::setting("mask", problem));
    }
    Ok(RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let share = mask.at(x as usize, y as usize);
        Rgb(image
            .get_pixel(x, y)
            .0
            .map(|value| (f32::from(value) * share + 255.0 * (1.0 - share)).round() as u8))
    }))
}

/// The subject alone, in the middle of a white square that it nearly fills.
///
/// # Errors
/// A mask of another size, or without a subject.
pub fn cut_out(image: &RgbImage, mask: &Mask) -> Result<RgbImage> {
    let white = on_white(image, mask)?;
    let (height, width) = mask.size();
    let subject = |x: usize, y: usize| mask.at(x, y) >= SURE;
    let columns: Vec<usize> = (0..width).filter(|&x| (0..height).any(|y| subject(x, y))).collect();
    let rows: Vec<usize> = (0..height).filter(|&y| (0..width).any(|x| subject(x, y))).collect();
    let (Some(&left), Some(&right), Some(&top), Some(&bottom)) =
        (columns.first(), columns.last(), rows.first(), rows.last())
    else {
        return Err(Error::setting("mask", "shows no foreground: nothing is left of the reference"));
    };
    let (wide, high) = (right + 1 - left, bottom + 1 - top);
    let side = (wide.max(high) as f64 * (1.0 + 2.0 * MARGIN)).ceil() as i64;
    let mut square = RgbImage::from_pixel(side as u32, side as u32, Rgb([255; 3]));
    let place = |start: usize, length: usize| (side - length as i64) / 2 - start as i64;
    imageops::replace(&mut square, &white, place(left, wide), place(top, high));
    Ok(square)
}
