//! Drafts of the benchmark's clips: the reference itself, bent to the true poses.

use dreamtuner_warp::{Joints, Rig, moments};
use image::RgbImage;

use super::job::BenchmarkEvent;
use super::rows::KnownJoints;
use super::truth::Truth;
use crate::detect::{PoseModel, find_masked_person};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::picture::{WHITE, off_white, on_colour};
use crate::puppet::Picture;

/// The frames of a clip; white where the reference's joints were not found.
///
/// # Errors
/// The network that finds joints cannot be read.
pub fn draft(
    truth: &Truth,
    frames_per_second: f32,
    known: KnownJoints,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(BenchmarkEvent),
) -> Result<Vec<RgbImage>> {
    let reference = &truth.reference;
    let rest = Joints::of_first(&reference.pose);
    let found = match known {
        KnownJoints::True => Some(rest),
        KnownJoints::Found => found(reference)?,
    };
    let figure = off_white(&reference.image, &reference.mask);
    let rig = found.as_ref().and_then(|found| Rig::new(&figure, found).ok());
    let (width, height) = reference.image.dimensions();
    let poses: Vec<Joints> = truth.frames.iter().map(|frame| Joints::of_first(&frame.pose)).collect();
    let poses: Vec<Joints> = match &found {
        Some(found) => poses.iter().map(|pose| moved(found, &rest, pose)).collect(),
        None => poses,
    };
    let times: Vec<f64> = (0..poses.len()).map(|index| index as f64 / f64::from(frames_per_second)).collect();
    let mut frames = Vec::with_capacity(poses.len());
    for moment in moments(&poses, &times, &[]) {
        interrupt.check()?;
        frames.push(match &rig {
            Some(rig) => on_colour(&rig.draw(moment, width, height), WHITE),
            None => RgbImage::from_pixel(width, height, WHITE),
        });
        on_event(BenchmarkEvent::Frame);
    }
    Ok(frames)
}

/// The reference's joints as MoveNet finds them.
fn found(reference: &Picture) -> Result<Option<Joints>> {
    let model = PoseModel::default();
    let found = find_masked_person(&model.voters()?, &reference.image, &reference.mask)?;
    Ok(found.map(|found| Joints::of(&found.person)))
}

/// Joints that were found, moved as the true ones move from `rest` to `pose`.
fn moved(found: &Joints, rest: &Joints, pose: &Joints) -> Joints {
    Joints::from_fn(|joint| Some(found.at(joint)? + (pose.at(joint)? - rest.at(joint)?)))
}
