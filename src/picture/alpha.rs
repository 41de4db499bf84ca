//! Pictures that are transparent in places.

use image::{Rgb, RgbImage, RgbaImage};

/// The picture on one colour.
pub fn on_colour(picture: &RgbaImage, background: Rgb<u8>) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        let (above, below) = (u32::from(alpha), 255 - u32::from(alpha));
        let over = |colour: u8, behind: u8| {
            ((u32::from(colour) * above + u32::from(behind) * below + 127) / 255) as u8
        };
        let [behind_red, behind_green, behind_blue] = background.0;
        Rgb([over(red, behind_red), over(green, behind_green), over(blue, behind_blue)])
    })
}

/// The colour of a half-transparent pixel that was laid on white.
pub fn without_white(value: u8, alpha: u8) -> u8 {
    match alpha {
        0 | 255 => value,
        alpha => {
            let (value, alpha) = (i32::from(value), i32::from(alpha));
            ((value - (255 - alpha)) * 255 / alpha).clamp(0, 255) as u8
        }
    }
}
