//! Small text on contact sheets.

use font8x8::{BASIC_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};

/// Height of a line in pixels.
pub const LINE_HEIGHT: u32 = 12;
/// Width of a letter in pixels.
pub const LETTER_WIDTH: u32 = 8;
const COLOUR: Rgb<u8> = Rgb([224, 224, 224]);

/// Writes ASCII text with its upper left corner at (left, top); other characters and what hangs over are left out.
pub fn write(image: &mut RgbImage, left: u32, top: u32, text: &str) {
    for (place, character) in text.chars().enumerate() {
        let Some(rows) = BASIC_FONTS.get(character) else { continue };
        for (y, row) in rows.into_iter().enumerate() {
            for x in (0..LETTER_WIDTH).filter(|x| row >> x & 1 == 1) {
                let (x, y) = (left + place as u32 * LETTER_WIDTH + x, top + y as u32);
                if x < image.width() && y < image.height() {
                    image.put_pixel(x, y, COLOUR);
                }
            }
        }
    }
}
