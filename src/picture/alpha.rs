//! Pictures that are transparent in places.

use image::{GrayImage, Rgb, RgbImage, Rgba, RgbaImage};

/// The picture on one colour.
pub fn on_colour(picture: &RgbaImage, background: Rgb<u8>) -> RgbImage {
    let [behind_red, behind_green, behind_blue] = background.0;
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        let (above, below) = (u32::from(alpha), 255 - u32::from(alpha));
        let over = |colour: u8, behind: u8| {
            ((u32::from(colour) * above + u32::from(behind) * below + 127) / 255) as u8
        };
        Rgb([over(red, behind_red), over(green, behind_green), over(blue, behind_blue)])
    })
}

/// A picture that lies on white, transparent as `mask` says: 0 nowhere to be seen, 255 wholly. Both have the same size.
pub fn off_white(picture: &RgbImage, mask: &GrayImage) -> RgbaImage {
    RgbaImage::from_fn(picture.width(), picture.height(), |x, y| {
        let alpha = mask.get_pixel(x, y).0[0];
        let [red, green, blue] = picture.get_pixel(x, y).0.map(|value| without_white(value, alpha));
        Rgba([red, green, blue, alpha])
    })
}

/// The colour of a half-transparent pixel that was laid on white.
fn without_white(value: u8, alpha: u8) -> u8 {
    match alpha {
        0 | 255 => value,
        alpha => {
            let (value, alpha) = (i32::from(value), i32::from(alpha));
            ((value - (255 - alpha)) * 255 / alpha).clamp(0, 255) as u8
        }
    }
}
