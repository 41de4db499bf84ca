//! Scaling pictures as the image processors of transformers do, which use Pillow.

use image::RgbImage;
use image::imageops::{self, FilterType};

/// The picture with `width` × `height` pixels, like Pillow's `Image.resize`: scaled from left to right and rounded to bytes, then from
/// top to bottom.
pub fn scaled(picture: &RgbImage, width: u32, height: u32, filter: FilterType) -> RgbImage {
    let mut scaled = picture.clone();
    if picture.width() != width {
        scaled = imageops::resize(&scaled, width, picture.height(), filter);
    }
    if picture.height() != height {
        scaled = imageops::resize(&scaled, width, height, filter);
    }
    scaled
}
