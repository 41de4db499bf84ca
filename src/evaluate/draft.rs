//! Drafts of the benchmark's clips: the reference itself, bent to the true poses.

use dreamtuner_warp::{Joints, Rig, Vector};
use image::{Rgb, RgbImage, RgbaImage};

use super::job::BenchmarkEvent;
use super::rows::KnownJoints;
use super::truth::Truth;
use crate::detect::{PoseModel, find_masked_person};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::pose::{Joint, Person, Pose};
use crate::puppet::Picture;

/// The frames of a clip; white where the reference's joints were not found.
///
/// # Errors
/// The network that finds joints cannot be read.
pub fn draft(
    truth: &Truth,
    known: KnownJoints,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(BenchmarkEvent),
) -> Result<Vec<RgbImage>> {
    let reference = &truth.reference;
    let rest = joints_of(&reference.pose);
    let found = match known {
        KnownJoints::True => Some(rest),
        KnownJoints::Found => found(reference)?,
    };
    let rig = found
        .map(|found| Rig::new(&cut_out(reference), &found).ok().map(|rig| (rig, found)))
        .unwrap_or_default();
    let (width, height) = reference.image.dimensions();
    let mut frames = Vec::with_capacity(truth.frames.len());
    for frame in &truth.frames {
        interrupt.check()?;
        frames.push(match &rig {
            Some((rig, found)) => {
                on_white(&rig.draw(&moved(found, &rest, &joints_of(&frame.pose)), width, height))
            }
            None => RgbImage::from_pixel(width, height, Rgb([255; 3])),
        });
        on_event(BenchmarkEvent::Frame);
    }
    Ok(frames)
}

fn joints_of(pose: &Pose) -> Joints {
    pose.people.first().map_or_else(Joints::none, Joints::of)
}

/// The reference's joints as MoveNet finds them.
fn found(reference: &Picture) -> Result<Option<Joints>> {
    let model = PoseModel::default();
    let found = find_masked_person(model.estimator()?, &reference.image, &reference.mask)?;
    Ok(found.map(|found| Joints::of(&found.person)))
}

/// Joints that were found, moved as the true ones move from `rest` to `pose`.
fn moved(found: &Joints, rest: &Joints, pose: &Joints) -> Joints {
    let mut person = Person::default();
    for joint in Joint::ALL {
        let way = rest
            .at(joint)
            .zip(pose.at(joint))
            .map(|(from, to)| Vector { x: to.x - from.x, y: to.y - from.y });
        if let Some((place, way)) = found.at(joint).zip(way) {
            person.body[joint as usize] =
                Some(crate::pose::Keypoint { x: place.x + way.x, y: place.y + way.y, confidence: 1.0 });
        }
    }
    Joints::of(&person)
}

fn cut_out(reference: &Picture) -> RgbaImage {
    RgbaImage::from_fn(reference.image.width(), reference.image.height(), |x, y| {
        let alpha = reference.mask.get_pixel(x, y).0[0];
        let [red, green, blue] =
            reference.image.get_pixel(x, y).0.map(|value| crate::picture::without_white(value, alpha));
        image::Rgba([red, green, blue, alpha])
    })
}

fn on_white(drawn: &RgbaImage) -> RgbImage {
    crate::picture::on_colour(drawn, Rgb([255; 3]))
}
