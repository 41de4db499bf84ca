//! Small text on contact sheets and plots.

use std::sync::LazyLock;

use ab_glyph::FontRef;
use image::{Rgb, RgbImage};
use imageproc::drawing::{draw_text_mut, text_size};

/// Height of a line in pixels.
pub const LINE_HEIGHT: u32 = 18;
/// Height of its letters, from the lowest to the highest point that any has.
const SCALE: f32 = 16.0;
const COLOUR: Rgb<u8> = Rgb([224, 224, 224]);

/// Roboto, with what Latin, Greek and Cyrillic texts need.
const FONT: &[u8] = include_bytes!("fonts/Roboto-Regular.ttf");
static LETTERS: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::try_from_slice(FONT).expect("the font beside this file"));

/// Writes text with its upper left corner at (left, top). What hangs over is left out; what the font lacks is a box.
pub fn write(image: &mut RgbImage, left: u32, top: u32, text: &str) {
    draw_text_mut(image, COLOUR, left as i32, top as i32, SCALE, &*LETTERS, text);
}

/// Width of a text in pixels.
pub fn width(text: &str) -> u32 {
    text_size(SCALE, &*LETTERS, text).0
}

/// The end of a text, as much as fits into `width` pixels.
pub fn end_of(text: &str, width: u32) -> &str {
    let starts = text.char_indices().map(|(start, _)| &text[start..]);
    starts.into_iter().find(|end| self::width(end) <= width).unwrap_or_default()
}
