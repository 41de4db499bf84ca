//! Scaling a picture into a frame of another shape.

pub use dreamtuner_pose::Fit;
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, Rgb, RgbImage};

/// `image` scaled to exactly `width` × `height` pixels.
///
/// Shrinking uses a Lanczos filter, enlarging a Catmull-Rom filter (both windowed by the scale, so nothing aliases);
/// an axis that already fits is copied. `background` is seen only with [`Fit::Contain`]. A picture without pixels
/// gives a frame of background.
pub fn fit_image(image: &RgbImage, width: u32, height: u32, fit: Fit, background: Rgb<u8>) -> RgbImage {
    if image.width() == 0 || image.height() == 0 || width == 0 || height == 0 {
        return RgbImage::from_pixel(width, height, background);
    }
    match fit {
        Fit::Stretch => resize(image, width, height),
        Fit::Contain => {
            let (inner_width, inner_height) = scaled_size(image, width, height, f64::min);
            let inner = resize(image, inner_width.min(width), inner_height.min(height));
            let mut frame = RgbImage::from_pixel(width, height, background);
            let left = (width - inner.width()) / 2;
            let top = (height - inner.height()) / 2;
            imageops::replace(&mut frame, &inner, i64::from(left), i64::from(top));
            frame
        }
        Fit::Cover => {
            // Cut before scaling: the part outside the frame may be far larger than the frame itself.
            let scale = axis_scale(image, width, height, f64::max);
            let part_width = ((f64::from(width) / scale).round() as u32).clamp(1, image.width());
            let part_height = ((f64::from(height) / scale).round() as u32).clamp(1, image.height());
            let left = (image.width() - part_width) / 2;
            let top = (image.height() - part_height) / 2;
            let part = imageops::crop_imm(image, left, top, part_width, part_height).to_image();
            resize(&part, width, height)
        }
    }
}

/// [`fit_image`] of a grey picture.
pub fn fit_grey(image: &GrayImage, width: u32, height: u32, fit: Fit, background: Rgb<u8>) -> GrayImage {
    let colours = DynamicImage::ImageLuma8(image.clone()).into_rgb8();
    DynamicImage::ImageRgb8(fit_image(&colours, width, height, fit, background)).into_luma8()
}

/// `image` scaled to exactly `width` × `height`; a plain copy where it has that size.
pub(super) fn resize(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let shrinks = width < image.width() || height < image.height();
    let filter = if shrinks { FilterType::Lanczos3 } else { FilterType::CatmullRom };
    imageops::resize(image, width, height, filter)
}

fn axis_scale(image: &RgbImage, width: u32, height: u32, choose: fn(f64, f64) -> f64) -> f64 {
    choose(f64::from(width) / f64::from(image.width()), f64::from(height) / f64::from(image.height()))
}

fn scaled_size(image: &RgbImage, width: u32, height: u32, choose: fn(f64, f64) -> f64) -> (u32, u32) {
    let scale = axis_scale(image, width, height, choose);
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    (side(image.width()), side(image.height()))
}
