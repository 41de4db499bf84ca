//! The joints of a figure in front of white: many views of it vote on each.

use image::imageops::{FilterType, flip_horizontal, overlay, resize};
use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use super::estimator::{Estimator, Found};
use super::movenet::drop_legs_below;
use super::region::Region;
use super::search::LEAST_SCORE;
use crate::error::Result;
use crate::picture::WHITE;
use crate::pose::{BoundingBox, Joint, Keypoint, Person, Pose, vector};

/// Height of what is shown, in figures.
const HEIGHTS: [f32; 4] = [1.0, 1.15, 1.3, 1.6];
/// Its width beside that: drawn figures are often wider than people, and their heads larger.
const WIDTHS: [f32; 4] = [0.8, 1.0, 1.4, 1.8];
/// So many views count, those with the highest scores.
const VOTERS: usize = 8;
/// Places so near to each other, in figures, are the same.
const NEAR: f32 = 0.05;
/// Longest side, in pixels, at which figures are looked at.
const LONGEST: f32 = 512.0;
/// White around the figure on each side, in figures: as much as the widest view shows.
const MARGIN: f32 = 1.0;
/// Knees without ankles have to be found with this confidence.
const SURE_KNEE: f32 = 0.5;
/// Joints may lie so far outside the figure, in figures.
const OUTSIDE: f32 = 0.04;

/// The person whom the `mask` shows, 255 inside; `None` where it shows nothing, or where nobody is believed to be seen. The views show the figure larger and smaller, narrower and wider, and in a mirror. Each joint lies where most of the
/// best views see it, and its confidence is their mean.
///
/// # Errors
/// Those of [`Estimator::find`].
pub fn find_masked_person(
    estimator: &dyn Estimator,
    picture: &RgbImage,
    mask: &GrayImage,
) -> Result<Option<Found>> {
    let Some(stage) = Stage::new(picture, mask) else { return Ok(None) };
    let mut found = stage.look(estimator)?;
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    found.truncate(VOTERS);
    let score = found.first().map_or(0.0, |best| best.score);
    if score < LEAST_SCORE {
        return Ok(None);
    }
    let people: Vec<&Person> = found.iter().map(|found| &found.person).collect();
    let mut person = people[0].clone();
    for joint in Joint::ALL {
        person.body[joint as usize] = vote(&people, joint, NEAR * stage.figure);
    }
    let shoulders = person.joint(Joint::RightShoulder).zip(person.joint(Joint::LeftShoulder));
    person.body[Joint::Neck as usize] = shoulders.map(|(right, left)| right.towards(left, 0.5));
    Ok(Some(Found { person: stage.taken_back(person), score }))
}

/// Of a leg that the picture cuts off, or a long dress hides, networks guess the knee.
fn drop_doubtful_knees(person: &mut Person) {
    for [knee, ankle] in [[Joint::RightKnee, Joint::RightAnkle], [Joint::LeftKnee, Joint::LeftAnkle]] {
        if person.joint(ankle).is_none() && person.joint(knee).is_some_and(|knee| knee.confidence < SURE_KNEE)
        {
            person.body[knee as usize] = None;
        }
    }
}

/// Where the votes for a joint are densest.
fn vote(people: &[&Person], joint: Joint, near: f32) -> Option<Keypoint> {
    let votes: Vec<Keypoint> = people.iter().filter_map(|person| person.joint(joint)).collect();
    let share = |one: &Keypoint, other: &Keypoint| {
        let far = (one.x - other.x).hypot(one.y - other.y) / near;
        (-far * far).exp()
    };
    let density = |place: &Keypoint| {
        votes.iter().map(|vote| share(place, vote) * vote.confidence * vote.confidence).sum::<f32>()
    };
    let densest = votes.iter().max_by(|one, other| density(one).total_cmp(&density(other)))?;
    let (mut x, mut y, mut whole, mut confidence) = (0.0, 0.0, 0.0, 0.0);
    for vote in &votes {
        let weight = share(densest, vote) * vote.confidence * vote.confidence;
        (x, y, whole) = (x + weight * vote.x, y + weight * vote.y, whole + weight);
        confidence += share(densest, vote) * vote.confidence;
    }
    if whole > 0.0 { Keypoint::seen(x / whole, y / whole, confidence / people.len() as f32) } else { None }
}

/// The figure on a white canvas with room around it.
struct Stage {
    canvas: RgbImage,
    /// The figure's longer side on the canvas.
    figure: f32,
    /// Where it is in the picture.
    bounds: BoundingBox,
    scale: f32,
}

impl Stage {
    fn new(picture: &RgbImage, mask: &GrayImage) -> Option<Self> {
        let seen = mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] >= 128);
        let bounds = BoundingBox::of(seen.map(|(x, y, _)| vector(x as f32, y as f32)))?;
        let (left, top) = (bounds.left as u32, bounds.top as u32);
        let (width, height) = (bounds.width() as u32 + 1, bounds.height() as u32 + 1);
        let figure = RgbImage::from_fn(width, height, |x, y| match mask.get_pixel(left + x, top + y).0[0] {
            128.. => *picture.get_pixel(left + x, top + y),
            _ => WHITE,
        });
        let scale = (LONGEST / width.max(height) as f32).min(1.0);
        let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
        let figure = match scale < 1.0 {
            true => resize(&figure, side(width), side(height), FilterType::Triangle),
            false => figure,
        };
        let longest = figure.width().max(figure.height());
        let margin = (MARGIN * longest as f32) as u32;
        let side = longest + 2 * margin;
        let mut canvas = RgbImage::from_pixel(side, side, WHITE);
        let corner = |length: u32| i64::from((side - length) / 2);
        overlay(&mut canvas, &figure, corner(figure.width()), corner(figure.height()));
        Some(Self { canvas, figure: longest as f32, bounds, scale })
    }

    /// What all views show, in the canvas's pixels.
    fn look(&self, estimator: &dyn Estimator) -> Result<Vec<Found>> {
        let side = self.canvas.width();
        let middle = (side as f32 / 2.0, side as f32 / 2.0);
        let mirrored = flip_horizontal(&self.canvas);
        let views: Vec<(f32, f32, bool)> = HEIGHTS
            .into_iter()
            .flat_map(|height| WIDTHS.map(|width| (height, width)))
            .flat_map(|(height, width)| [false, true].map(|mirror| (height, width, mirror)))
            .collect();
        let look = |&(height, width, mirror): &(f32, f32, bool)| {
            let region = Region::square(middle, self.figure).scaled(height * width, height);
            let canvas = if mirror { &mirrored } else { &self.canvas };
            let mut found = estimator.find(canvas, region)?;
            if mirror {
                let pose = Pose { width: side, height: side, people: vec![found.person] };
                found.person = pose.mirrored().people.pop().unwrap_or_default();
            }
            Ok(found)
        };
        views.par_iter().map(look).collect()
    }

    /// From the canvas to the picture, without what lies outside the figure.
    fn taken_back(&self, person: Person) -> Person {
        let middle = self.canvas.width() as f32 / 2.0;
        let (x, y) = self.bounds.center();
        let back = 1.0 / self.scale;
        let mut person = person.transformed((back, back), (x - middle * back, y - middle * back));
        let most = OUTSIDE * self.figure * back;
        let Self { bounds, .. } = self;
        for point in &mut person.body {
            let is_inside = |point: Keypoint| {
                (bounds.left - most..=bounds.right + most).contains(&point.x)
                    && (bounds.top - most..=bounds.bottom + most).contains(&point.y)
            };
            *point = point.filter(|point| is_inside(*point));
        }
        drop_legs_below(&mut person, bounds.bottom);
        drop_doubtful_knees(&mut person);
        person
    }
}
