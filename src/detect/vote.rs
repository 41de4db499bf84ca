//! The joints of a figure in front of white: many views of it vote on each.

use std::borrow::Cow;

use image::imageops::{FilterType, flip_horizontal, overlay, resize};
use image::{GrayImage, Rgb, RgbImage};
use rayon::prelude::*;

use super::centred::centred;
use super::estimator::{Estimator, Found};
use super::movenet::drop_legs_below;
use super::region::Region;
use super::search::LEAST_SCORE;
use crate::error::Result;
use crate::picture::WHITE;
use crate::pose::{BoundingBox, Joint, Keypoint, Person, Pose, vector};

/// Height of what is shown, in figures.
const HEIGHTS: [f32; 2] = [1.15, 1.6];
/// Its width beside that: drawn figures are often wider than people, and their heads larger.
const WIDTHS: [f32; 3] = [1.0, 1.4, 1.8];
/// So many views of each network count, those with the highest scores.
const VOTERS: usize = 8;
/// The smaller the head is to become, and the longer the legs, the larger: a height goes to this power of itself.
const SMALLER_HEAD: f32 = 1.35;
/// A network trained for drawings that sees a figure with this score needs no others: they know less of such figures.
const SURE: f32 = 0.65;
/// Places so near to each other, in figures, are the same.
const NEAR: f32 = 0.05;
/// Longest side, in pixels, at which figures are looked at.
const LONGEST: f32 = 512.0;
/// White around the figure on each side, in figures: as much as the widest view shows.
const MARGIN: f32 = 1.0;
/// Knees without ankles have to be found with this confidence.
const SURE_KNEE: f32 = 0.6;
/// Joints may lie so far outside the figure, in figures.
const OUTSIDE: f32 = 0.04;

/// The person whom the `mask` shows, 255 inside; `None` where it shows nothing, or where nobody is believed to be seen. The views show
/// the figure larger and smaller, wider, and in a mirror. Where the first network is not sure of it, it also sees it with a smaller head,
/// and the others look as well. Each joint lies where most of the best views of all networks see it, those of
/// arms and legs in the middle of their limb.
///
/// # Errors
/// Those of [`Estimator::find`].
pub fn find_masked_person(
    estimators: &[&dyn Estimator],
    picture: &RgbImage,
    mask: &GrayImage,
) -> Result<Option<Found>> {
    let Some(stage) = Stage::new(picture, mask) else { return Ok(None) };
    let plain = stage.scene(1.0);
    let mut voters = Vec::new();
    for (index, estimator) in estimators.iter().enumerate() {
        let mut found = stage.look(*estimator, &plain)?;
        let is_sure = index == 0 && found.iter().any(|found| found.score >= SURE);
        if index == 0 && !is_sure {
            found.extend(stage.look(*estimator, &stage.scene(SMALLER_HEAD))?);
        }
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        found.truncate(VOTERS);
        voters.push(found);
        if is_sure {
            break;
        }
    }
    let best = voters.iter().flatten().max_by(|one, other| one.score.total_cmp(&other.score));
    let Some(best) = best.filter(|best| best.score >= LEAST_SCORE) else { return Ok(None) };
    let (mut person, score) = (best.person.clone(), best.score);
    for joint in Joint::ALL {
        person.body[joint as usize] = vote(&voters, joint, NEAR * stage.figure);
    }
    let shoulders = person.joint(Joint::RightShoulder).zip(person.joint(Joint::LeftShoulder));
    person.body[Joint::Neck as usize] = shoulders.map(|(right, left)| right.towards(left, 0.5));
    Ok(Some(Found { person: centred(&stage.taken_back(person), mask), score }))
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

/// Where the votes for a joint are densest. Its confidence is that of the network which is surest of the place: the root of the mean
/// square over its views.
fn vote(voters: &[Vec<Found>], joint: Joint, near: f32) -> Option<Keypoint> {
    let votes_of = |found: &Vec<Found>| -> Vec<Keypoint> {
        found.iter().filter_map(|found| found.person.joint(joint)).collect()
    };
    let votes: Vec<Keypoint> = voters.iter().flat_map(votes_of).collect();
    let weight = |one: &Keypoint, vote: &Keypoint| {
        let far = (one.x - vote.x).hypot(one.y - vote.y) / near;
        (-far * far).exp() * vote.confidence * vote.confidence
    };
    let density = |place: &Keypoint| votes.iter().map(|vote| weight(place, vote)).sum::<f32>();
    let densest = votes.iter().max_by(|one, other| density(one).total_cmp(&density(other)))?;
    let whole = density(densest);
    let mean = |of: fn(&Keypoint) -> f32| {
        votes.iter().map(|vote| weight(densest, vote) * of(vote)).sum::<f32>() / whole
    };
    let confidences = voters.iter().map(|found| {
        let sum: f32 = votes_of(found).iter().map(|vote| weight(densest, vote)).sum();
        (sum / found.len().max(1) as f32).sqrt()
    });
    let place = (whole > 0.0).then(|| (mean(|vote| vote.x), mean(|vote| vote.y)));
    place.and_then(|(x, y)| Keypoint::seen(x, y, confidences.fold(0.0, f32::max)))
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

/// The canvas, upright and in a mirror, with heights of the figure changed.
struct Scene<'a> {
    upright: Cow<'a, RgbImage>,
    mirrored: RgbImage,
    /// Heights went to this power of themselves.
    power: f32,
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

    /// The canvas as it is looked at, where heights of the figure go to a `power` of themselves.
    fn scene(&self, power: f32) -> Scene<'_> {
        let upright = if power == 1.0 { Cow::Borrowed(&self.canvas) } else { Cow::Owned(self.bent(power)) };
        Scene { mirrored: flip_horizontal(upright.as_ref()), upright, power }
    }

    /// What all views of a scene show, in the canvas's pixels.
    fn look(&self, estimator: &dyn Estimator, scene: &Scene) -> Result<Vec<Found>> {
        let side = self.canvas.width();
        let middle = (side as f32 / 2.0, side as f32 / 2.0);
        let views: Vec<(f32, f32, bool)> = HEIGHTS
            .into_iter()
            .flat_map(|height| WIDTHS.map(|width| (height, width)))
            .flat_map(|(height, width)| [false, true].map(|mirror| (height, width, mirror)))
            .collect();
        let look = |&(height, width, mirror): &(f32, f32, bool)| {
            let region = Region::square(middle, self.figure).scaled(height * width, height);
            let canvas = if mirror { &scene.mirrored } else { scene.upright.as_ref() };
            let mut found = estimator.find(canvas, region)?;
            if mirror {
                let pose = Pose { width: side, height: side, people: vec![found.person] };
                found.person = pose.mirrored().people.pop().unwrap_or_default();
            }
            for point in found.person.keypoints_mut() {
                point.y = self.height_to(point.y, 1.0 / scene.power);
            }
            Ok(found)
        };
        views.par_iter().map(look).collect()
    }

    /// The canvas, where heights of the figure go to a power of themselves.
    fn bent(&self, power: f32) -> RgbImage {
        let last = self.canvas.height() - 1;
        RgbImage::from_fn(self.canvas.width(), self.canvas.height(), |x, y| {
            let from = (self.height_to(y as f32 + 0.5, 1.0 / power) - 0.5).max(0.0);
            let (above, share) = (from as u32, from.fract());
            let [one, other] = [above, above + 1].map(|row| self.canvas.get_pixel(x, row.min(last)).0);
            Rgb(std::array::from_fn(|channel| {
                (f32::from(one[channel]) * (1.0 - share) + f32::from(other[channel]) * share).round() as u8
            }))
        })
    }

    /// Where a row of the canvas comes to when heights of the figure, 0 at its top and 1 at its bottom, go to a power of themselves.
    fn height_to(&self, y: f32, power: f32) -> f32 {
        let tall = (self.bounds.height() * self.scale).max(1.0);
        let top = (self.canvas.height() as f32 - tall) / 2.0;
        let height = (y - top) / tall;
        if (0.0..=1.0).contains(&height) { top + tall * height.powf(power) } else { y }
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
