//! The one figure in a still: its pose and its foreground, each found with the help of the other.

use image::{GrayImage, RgbImage};

use super::estimator::{Estimator, Found};
use super::foreground::Scenery;
use super::vote::find_masked_person;
use crate::error::Result;

/// What was found of a figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// The joints; `None` where nobody was found.
    pub person: Option<Found>,
    /// 255 inside, 0 outside; `None` where nothing stands out.
    pub foreground: Option<GrayImage>,
}

/// Looks for the one person in a picture, then by that pose for the foreground, and last for the person again in front of white:
/// scenery hides some drawn figures from the first look, and many views of the figure alone vote on each joint. The first network
/// looks first; all of them vote.
///
/// # Errors
/// Those of [`Estimator::find_person`] and [`find_foreground`](super::find_foreground).
pub fn find_figure(estimators: &[&dyn Estimator], picture: &RgbImage) -> Result<Figure> {
    let look = |estimator: &&dyn Estimator| estimator.find_person(picture);
    let first = estimators.first().map(look).transpose()?.flatten();
    let scenery = Scenery::new(picture);
    let foreground = scenery.find_foreground(first.as_ref().map(|found| &found.person))?;
    let again = match &foreground {
        Some(mask) => find_masked_person(estimators, picture, mask)?,
        None => None,
    };
    let seen = again.filter(|again| first.as_ref().is_none_or(|first| again.score > first.score));
    // A better pose finds a better foreground, where that is not plain to see.
    let foreground = match &seen {
        Some(found) if scenery.is_busy() => scenery.find_foreground(Some(&found.person))?,
        _ => foreground,
    };
    Ok(Figure { person: seen.or(first), foreground })
}
