//! Where colours change.

use image::{GrayImage, Luma, RgbImage, RgbaImage};
use imageproc::morphology::{Mask, grayscale_close};

use crate::field::Field;

/// Where colours change, and where lines are drawn.
#[derive(Debug, Clone)]
pub(crate) struct Edges {
    /// How much the colour changes at each pixel, in CIELAB and hundreds: outlines are about 0.5 to 1.
    pub change: Field<f32>,
    /// Dark pixels between brighter ones.
    pub lines: Field<bool>,
    /// The colours, in CIELAB.
    pub colours: Field<[f32; 3]>,
}

/// How much lighter what is beside a line is at least, of 255.
const CONTRAST: u8 = 56;
/// Lines are at most twice as wide and a pixel.
const HALF_LINE: u8 = 2;

impl Edges {
    pub fn new(picture: &RgbaImage) -> Self {
        let on_white = on_white(picture);
        let blurred = imageproc::filter::gaussian_blur_f32(&on_white, 0.7);
        Self { change: change(&blurred), lines: lines(&on_white), colours: colours(&on_white) }
    }
}

fn colours(picture: &RgbImage) -> Field<[f32; 3]> {
    let values = picture.pixels().map(|pixel| lab(pixel.0)).collect();
    Field { width: picture.width() as usize, height: picture.height() as usize, values }
}

fn change(picture: &RgbImage) -> Field<f32> {
    let Field { width, height, values: colours } = colours(picture);
    let mut change = Field::filled(width, height, 0.0);
    for y in 0..height {
        for x in 0..width {
            let here = colours[y * width + x];
            let beside = colours[y * width + (x + 1).min(width - 1)];
            let below = colours[(y + 1).min(height - 1) * width + x];
            change.values[y * width + x] = distance(here, beside).max(distance(here, below)) / 100.0;
        }
    }
    change
}

/// What closing makes much lighter: dark areas stay, dark lines vanish.
fn lines(picture: &RgbImage) -> Field<bool> {
    let lightness = GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        Luma([(lab(picture.get_pixel(x, y).0)[0] * 2.55).round().clamp(0.0, 255.0) as u8])
    });
    let closed = grayscale_close(&lightness, &Mask::square(HALF_LINE));
    let pairs = lightness.as_raw().iter().zip(closed.as_raw());
    Field {
        width: picture.width() as usize,
        height: picture.height() as usize,
        values: pairs.map(|(line, around)| around.saturating_sub(*line) > CONTRAST).collect(),
    }
}

fn on_white(picture: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        let over =
            |value: u8| ((u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255) as u8;
        image::Rgb([over(red), over(green), over(blue)])
    })
}

/// How different two colours are.
pub(crate) fn distance(one: [f32; 3], other: [f32; 3]) -> f32 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}

/// CIELAB under D65 of a colour in sRGB.
fn lab(colour: [u8; 3]) -> [f32; 3] {
    let [red, green, blue] = colour.map(|value| {
        let value = f32::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { libm::powf((value + 0.055) / 1.055, 2.4) }
    });
    let tone = |value: f32| {
        if value > 0.008_856 { libm::cbrtf(value) } else { 7.787 * value + 16.0 / 116.0 }
    };
    let x = tone((0.412_453 * red + 0.357_580 * green + 0.180_423 * blue) / 0.950_456);
    let y = tone(0.212_671 * red + 0.715_160 * green + 0.072_169 * blue);
    let z = tone((0.019_334 * red + 0.119_193 * green + 0.950_227 * blue) / 1.088_754);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}
