//! Drafts of the benchmark's clips: the reference itself, bent to the true poses.

use dreamtuner_warp::{Joints, Moment, Rig, moments};
use image::{GrayImage, Luma, RgbImage};

use super::rows::KnownJoints;
use super::truth::Truth;
use crate::detect::{PoseModel, find_masked_person};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::picture::{WHITE, off_white};
use crate::puppet::Picture;
use crate::render::draft::DraftFrame;

/// The drafts of a clip's frames, on white; white, and not sure at all, where the reference's joints were not found.
///
/// # Errors
/// The network that finds joints cannot be read.
pub fn drafts(
    truth: &Truth,
    frames_per_second: f32,
    known: KnownJoints,
    interrupt: &Interrupt,
) -> Result<Vec<DraftFrame>> {
    let reference = &truth.reference;
    let rest = Joints::of_first(&reference.pose);
    let found = match known {
        KnownJoints::True => Some(rest),
        KnownJoints::Found => found(reference)?,
    };
    let figure = off_white(&reference.image, &reference.mask);
    let rig = found.as_ref().and_then(|found| Rig::new(&figure, found).ok());
    let poses = truth.frames.iter().map(|frame| Joints::of_first(&frame.pose));
    let poses: Vec<Joints> = match &found {
        Some(found) => poses.map(|pose| moved(found, &rest, &pose)).collect(),
        None => poses.collect(),
    };
    let times: Vec<f64> = (0..poses.len()).map(|index| index as f64 / f64::from(frames_per_second)).collect();
    let (width, height) = reference.image.dimensions();
    let background = RgbImage::from_pixel(width, height, WHITE);
    let known = GrayImage::from_pixel(width, height, Luma([255]));
    let draft = |moment: Moment| {
        interrupt.check()?;
        Ok(match &rig {
            Some(rig) => {
                let confidence = rig.confidence(moment, width, height);
                DraftFrame::before(&rig.draw(moment, width, height), confidence, &background, &known)
            }
            None => DraftFrame { image: background.clone(), confidence: GrayImage::new(width, height) },
        })
    };
    moments(&poses, &times, &[]).into_iter().map(draft).collect()
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
