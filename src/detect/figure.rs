//! The one figure in a still: its pose and its foreground, each found with the help of the other.

use image::{GrayImage, Rgb, RgbImage};

use super::estimator::{Estimator, Found};
use super::foreground::Scenery;
use super::head::look_at_smaller_heads;
use crate::error::Result;

/// What was found of a figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// The joints; `None` where nobody was found.
    pub person: Option<Found>,
    /// 255 inside, 0 outside; `None` where nothing stands out.
    pub foreground: Option<GrayImage>,
}

/// Looks for the one person in a picture, then by that pose for the foreground, and, where the background is busy, for
/// the person again in front of white. The look with the higher score counts. Mostly both find the same, but scenery
/// hides some drawn figures from the first one. Of 32 standing puppets 87 % of the joints are found without the second,
/// 93 % with it; of every fourth of them alone nothing changes.
///
/// Last it looks for the face, which networks place wrongly on large heads. On 40 standing puppets its joints lie 0.38
/// lengths from nose to neck off without that look and 0.28 with it. On the nine largest heads of them these are 0.63
/// and 0.27. Where the face was placed wrongly, the foreground reaches further up, and is looked for again.
///
/// # Errors
/// Those of [`Estimator::find_person`] and [`find_foreground`](super::find_foreground).
pub fn find_figure(estimator: &dyn Estimator, picture: &RgbImage) -> Result<Figure> {
    let first = estimator.find_person(picture)?;
    let scenery = Scenery::new(picture);
    let mut foreground = scenery.find_foreground(first.as_ref().map(|found| &found.person))?;
    let white = foreground.as_ref().map(|mask| on_white(picture, mask));
    let again = match &white {
        Some(white) if scenery.is_busy() => estimator.find_person(white)?,
        _ => None,
    };
    let score = |found: &Option<Found>| found.as_ref().map_or(0.0, |found| found.score);
    let mut person = if score(&again) > score(&first) { again } else { first };
    if let (Some(found), Some(white)) = (&mut person, &white)
        && look_at_smaller_heads(estimator, white, &mut found.person)?
        && scenery.is_busy()
    {
        foreground = scenery.find_foreground(Some(&found.person))?;
    }
    Ok(Figure { person, foreground })
}

/// As [`find_figure`], where the foreground is known.
///
/// # Errors
/// Those of [`Estimator::find_person`].
pub fn find_masked_person(
    estimator: &dyn Estimator,
    picture: &RgbImage,
    mask: &GrayImage,
) -> Result<Option<Found>> {
    let mut found = estimator.find_person(picture)?;
    if let Some(found) = &mut found {
        look_at_smaller_heads(estimator, &on_white(picture, mask), &mut found.person)?;
    }
    Ok(found)
}

fn on_white(picture: &RgbImage, mask: &GrayImage) -> RgbImage {
    let inside = |x, y| mask.get_pixel(x, y)[0] >= 128;
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| match inside(x, y) {
        true => *picture.get_pixel(x, y),
        false => Rgb([255; 3]),
    })
}
