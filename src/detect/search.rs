//! Where in a picture people are: MoveNet is shown many parts of it.

use image::RgbImage;

use super::movenet::{Found, MoveNet};
use super::region::Region;
use crate::error::Result;

/// People are believed from this mean score of their joints on.
pub(super) const LEAST_SCORE: f32 = 0.25;
/// The whole picture is shown with margins, and narrowed: large heads, as drawn characters have them, then come nearer to
/// people's; and widened. Factors of the height, and of the width beside it.
const VIEWS: [(f32, f32); 13] = [
    (1.0, 1.0),
    (1.25, 1.0),
    (1.5, 1.0),
    (2.0, 1.0),
    (1.1, 1.2),
    (1.4, 1.2),
    (1.0, 1.4),
    (1.25, 1.4),
    (1.5, 1.4),
    (1.0, 1.8),
    (1.25, 1.8),
    (1.0, 0.8),
    (1.3, 0.8),
];
/// The same, around a person who was found.
const CLOSER_VIEWS: [(f32, f32); 9] = [
    (1.2, 1.0),
    (1.4, 1.0),
    (1.7, 1.0),
    (1.3, 1.2),
    (1.2, 1.4),
    (1.4, 1.4),
    (1.7, 1.4),
    (1.3, 1.8),
    (1.6, 1.8),
];
/// Joint-wise distance in body sizes up to which two findings are the same person.
pub(super) const SAME_PERSON: f32 = 0.15;

/// The one person in a picture, drawn or photographed, looked for thoroughly (about 30 passes); `None` where there is
/// nobody.
///
/// # Errors
/// Failures of memory.
pub fn find_person(movenet: &MoveNet, picture: &RgbImage) -> Result<Option<Found>> {
    let whole = Region::whole(picture.width(), picture.height());
    let Some(mut best) = best_of(movenet, picture, whole, &VIEWS)? else { return Ok(None) };
    for _ in 0..2 {
        let Some(region) = closer(&best) else { break };
        match best_of(movenet, picture, region, &CLOSER_VIEWS)? {
            Some(found) if found.score > best.score => best = found,
            _ => break,
        }
    }
    Ok((best.score >= LEAST_SCORE).then_some(best))
}

/// Everyone in a frame of a video, at most one finding for each.
pub(super) fn find_people(movenet: &MoveNet, picture: &RgbImage) -> Result<Vec<Found>> {
    let (width, height) = picture.dimensions();
    let mut people: Vec<Found> = Vec::new();
    for window in windows(width, height) {
        let first = movenet.find(picture, window)?;
        let Some(region) = Region::around(&first.person, width, height) else { continue };
        let found = movenet.find(picture, region)?;
        let same = |other: &Found| other.person.distance(&found.person) < SAME_PERSON;
        match people.iter_mut().find(|other| same(other)) {
            Some(other) if other.score < found.score => *other = found,
            Some(_) => {}
            None if found.score >= LEAST_SCORE => people.push(found),
            None => {}
        }
    }
    Ok(people)
}

/// The whole picture, and squares of its shorter side, half a side apart along the longer one.
fn windows(width: u32, height: u32) -> Vec<Region> {
    let (short, long) = (width.min(height) as f32, width.max(height) as f32);
    let steps = (2.0 * (long - short) / short).ceil() as usize;
    let place = |step: usize| short / 2.0 + (long - short) * step as f32 / steps.max(1) as f32;
    let square = |step: usize| {
        let middle = if width > height { (place(step), short / 2.0) } else { (short / 2.0, place(step)) };
        Region::square(middle, short)
    };
    let squares = (0..=steps).filter(|_| steps > 0).map(square);
    std::iter::once(Region::whole(width, height)).chain(squares).collect()
}

/// The finding with the highest score.
fn best_of(
    movenet: &MoveNet,
    picture: &RgbImage,
    region: Region,
    views: &[(f32, f32)],
) -> Result<Option<Found>> {
    let mut best: Option<Found> = None;
    for &(size, narrowing) in views {
        let found = movenet.find(picture, region.scaled(size * narrowing, size))?;
        if best.as_ref().is_none_or(|best| found.score > best.score) {
            best = Some(found);
        }
    }
    Ok(best)
}

/// The square around all joints.
fn closer(found: &Found) -> Option<Region> {
    let bounds = found.person.bounding_box()?;
    Some(Region::square(bounds.center(), bounds.width().max(bounds.height()).max(1.0)))
}
