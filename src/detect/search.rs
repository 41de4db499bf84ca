//! Where in a picture people are, by MoveNet: it is shown many parts of it.

use image::RgbImage;
use rayon::prelude::*;

use super::estimator::{Estimator, Found};
use super::movenet::MoveNet;
use super::region::Region;
use crate::error::Result;
use crate::pose::Person;

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

impl Estimator for MoveNet {
    fn find(&self, picture: &RgbImage, region: Region) -> Result<Found> {
        self.find(picture, region)
    }

    fn find_people(&self, picture: &RgbImage) -> Result<Vec<Found>> {
        let (width, height) = picture.dimensions();
        let look = |window: &Region| {
            let first = self.find(picture, *window)?;
            let region = Region::around(&first.person, width, height);
            region.map(|region| self.find(picture, region)).transpose()
        };
        let found: Vec<Option<Found>> = windows(width, height).par_iter().map(look).collect::<Result<_>>()?;
        let mut people = Vec::new();
        found.into_iter().flatten().for_each(|found| add(&mut people, found));
        Ok(people)
    }

    /// About 30 passes.
    fn find_person(&self, picture: &RgbImage) -> Result<Option<Found>> {
        let whole = Region::whole(picture.width(), picture.height());
        let Some(mut best) = best_of(self, picture, whole, &VIEWS)? else { return Ok(None) };
        for _ in 0..2 {
            let Some(region) = closer(&best) else { break };
            match best_of(self, picture, region, &CLOSER_VIEWS)? {
                Some(found) if found.score > best.score => best = found,
                _ => break,
            }
        }
        Ok((best.score >= LEAST_SCORE).then_some(best))
    }

    fn region_for(&self, person: &Person, width: u32, height: u32) -> Option<Region> {
        Region::around(person, width, height)
    }
}

/// Adds a finding to those of the same picture if it is believed, and keeps the better one of two of the same person.
pub(super) fn add(people: &mut Vec<Found>, found: Found) {
    match people.iter_mut().find(|other| other.person.distance(&found.person) < SAME_PERSON) {
        Some(other) if other.score < found.score => *other = found,
        Some(_) => {}
        None if found.score >= LEAST_SCORE => people.push(found),
        None => {}
    }
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
    let found = look(movenet, picture, region, views)?;
    Ok(found.into_iter().reduce(|best, found| if found.score > best.score { found } else { best }))
}

/// What is found in each view of a region: factors of its height, and of the width beside it.
fn look(
    estimator: &dyn Estimator,
    picture: &RgbImage,
    region: Region,
    views: &[(f32, f32)],
) -> Result<Vec<Found>> {
    let look =
        |&(size, narrowing): &(f32, f32)| estimator.find(picture, region.scaled(size * narrowing, size));
    views.par_iter().map(look).collect()
}

/// The square around all joints.
fn closer(found: &Found) -> Option<Region> {
    Region::of(&found.person).map(|bounds| bounds.shaped(1.0))
}
