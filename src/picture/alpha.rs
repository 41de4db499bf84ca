//! Pictures that are transparent in places.

use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

/// The picture on one colour.
pub fn on_colour(picture: &RgbaImage, background: Rgb<u8>) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| over(*picture.get_pixel(x, y), background))
}

/// A picture before another one of the same size.
pub fn over_picture(picture: &RgbaImage, background: &RgbImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        over(*picture.get_pixel(x, y), *background.get_pixel(x, y))
    })
}

/// Pixels beyond a figure's edge that take its colours.
const BEYOND: u32 = 2;

/// A picture whose colours go on a little where it is transparent, so that nothing dark shines through where an encoder or a player
/// mixes neighbours.
pub fn with_colours_beyond(picture: &RgbaImage) -> RgbaImage {
    RgbaImage::from_fn(picture.width(), picture.height(), |x, y| {
        let pixel = *picture.get_pixel(x, y);
        if pixel.0[3] > 0 {
            return pixel;
        }
        let (mut sum, mut whole) = ([0; 3], 0);
        for row in y.saturating_sub(BEYOND)..(y + BEYOND + 1).min(picture.height()) {
            for column in x.saturating_sub(BEYOND)..(x + BEYOND + 1).min(picture.width()) {
                let Rgba([red, green, blue, alpha]) = *picture.get_pixel(column, row);
                let alpha = u32::from(alpha);
                for (sum, value) in sum.iter_mut().zip([red, green, blue]) {
                    *sum += alpha * u32::from(value);
                }
                whole += alpha;
            }
        }
        let [red, green, blue] = sum.map(|sum| (sum / whole.max(1)) as u8);
        Rgba([red, green, blue, 0])
    })
}

fn over(Rgba([red, green, blue, alpha]): Rgba<u8>, behind: Rgb<u8>) -> Rgb<u8> {
    let (above, below) = (u32::from(alpha), 255 - u32::from(alpha));
    let mixed =
        |colour: u8, behind: u8| ((u32::from(colour) * above + u32::from(behind) * below + 127) / 255) as u8;
    Rgb([mixed(red, behind.0[0]), mixed(green, behind.0[1]), mixed(blue, behind.0[2])])
}

/// How opaque each pixel is.
pub fn opacity(picture: &RgbaImage) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([picture.get_pixel(x, y).0[3]]))
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
