//! What is behind the figure.

use std::path::{Path, PathBuf};

use dreamtuner_warp::without_figure;
use image::{GrayImage, Rgb, RgbImage};

use crate::picture::opacity;
use crate::rig::Figure;

/// What is behind the figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Background {
    /// One colour.
    Colour(Rgb<u8>),
    /// Nothing: the clip is transparent there.
    Transparent,
    /// The reference's own background, with the colours around the figure where it stood.
    Reference,
    /// The dance's own footage, with the figure in the dancer's place.
    Dance,
    /// A picture, which fills the frames.
    Picture(PathBuf),
}

impl Background {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Picture(path) => Some(path),
            Self::Colour(_) | Self::Transparent | Self::Reference | Self::Dance => None,
        }
    }
}

/// Colours of a background differ by no more than so much (standard deviation, of 255) where it is plain: then what is behind the
/// figure is known, too.
const PLAIN: f64 = 6.0;

/// The reference without its figure, and where that is known: 255, or less where the figure stood before more than one colour.
pub(super) fn of_reference(figure: &Figure) -> (RgbImage, GrayImage) {
    let (picture, cut_out) = (figure.picture(), figure.cut_out());
    let mask = opacity(cut_out);
    let mut known = mask.clone();
    let plain = is_plain(picture, &mask);
    known.pixels_mut().for_each(|pixel| pixel.0[0] = if plain { 255 } else { 255 - pixel.0[0] });
    (without_figure(picture, &mask), known)
}

/// Whether the background has one colour.
fn is_plain(picture: &RgbImage, mask: &GrayImage) -> bool {
    let seen =
        || picture.pixels().zip(mask.pixels()).filter(|(_, mask)| mask.0[0] == 0).map(|(pixel, _)| pixel);
    let count = seen().count().max(1) as f64;
    (0..3).all(|channel| {
        let mean = seen().map(|pixel| f64::from(pixel.0[channel])).sum::<f64>() / count;
        let squares = seen().map(|pixel| (f64::from(pixel.0[channel]) - mean).powi(2)).sum::<f64>();
        (squares / count).sqrt() < PLAIN
    })
}
