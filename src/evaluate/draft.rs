//! Drafts of the benchmark's clips: the reference itself, bent to the true poses.

use dreamtuner_warp::{Joints, Moment, Rig, moments};
use image::{GrayImage, Luma, RgbImage};

use super::rows::KnownJoints;
use super::truth::Truth;
use crate::detect::{PoseModel, Tracker, find_masked_person};
use crate::error::Result;
use crate::inputs::extract::mend;
use crate::interrupt::Interrupt;
use crate::picture::{WHITE, off_white};
use crate::pose::{PersonChoice, Pose, PoseSequence, fill_gaps};
use crate::puppet::Picture;
use crate::render::draft::DraftFrame;

/// The drafts of a clip's frames, on white; white, and not sure at all, where the joints of the reference or of the dance were not
/// found.
///
/// # Errors
/// The networks that find joints cannot be read.
pub fn drafts(
    truth: &Truth,
    frames_per_second: f32,
    known: KnownJoints,
    interrupt: &Interrupt,
) -> Result<Vec<DraftFrame>> {
    let reference = &truth.reference;
    let figure = off_white(&reference.image, &reference.mask);
    let bent = bent(truth, frames_per_second, known, interrupt)?;
    let bent = bent.and_then(|(rest, places)| Some((Rig::new(&figure, &rest).ok()?, places)));
    let (width, height) = reference.image.dimensions();
    let background = RgbImage::from_pixel(width, height, WHITE);
    let Some((rig, places)) = bent else {
        let nothing = DraftFrame { image: background, confidence: GrayImage::new(width, height) };
        return Ok(vec![nothing; truth.frames.len()]);
    };
    let times: Vec<f64> =
        (0..places.len()).map(|index| index as f64 / f64::from(frames_per_second)).collect();
    let known = GrayImage::from_pixel(width, height, Luma([255]));
    let draft = |moment: Moment| {
        interrupt.check()?;
        let confidence = rig.confidence(moment, width, height);
        Ok(DraftFrame::before(&rig.draw(moment, width, height), confidence, &background, &known))
    };
    moments(&places, &times, &[]).into_iter().map(draft).collect()
}

/// Where the joints of a reference are, and where they are in each frame, by what is `known`; `None` where they are not found.
fn bent(
    truth: &Truth,
    frames_per_second: f32,
    known: KnownJoints,
    interrupt: &Interrupt,
) -> Result<Option<(Joints, Vec<Joints>)>> {
    let rest = Joints::of_first(&truth.reference.pose);
    let places: Vec<Joints> = truth.frames.iter().map(|frame| Joints::of_first(&frame.pose)).collect();
    if known == KnownJoints::True {
        return Ok(Some((rest, places)));
    }
    let Some(found) = found(&truth.reference)? else { return Ok(None) };
    let (rest, places) = match known {
        KnownJoints::True | KnownJoints::Found => (rest, places),
        KnownJoints::Video => match followed(truth, frames_per_second, interrupt)? {
            Some(followed) => followed,
            None => return Ok(None),
        },
    };
    let places = places.iter().map(|place| moved(&found, &rest, place)).collect();
    Ok(Some((found, places)))
}

/// The reference's joints as they are found in pictures of characters.
fn found(reference: &Picture) -> Result<Option<Joints>> {
    let model = PoseModel::default();
    let found = find_masked_person(&model.voters()?, &reference.image, &reference.mask)?;
    Ok(found.map(|found| Joints::of(&found.person)))
}

/// Joints that were found, moved as the true ones move from `rest` to `pose`.
fn moved(found: &Joints, rest: &Joints, pose: &Joints) -> Joints {
    Joints::from_fn(|joint| Some(found.at(joint)? + (pose.at(joint)? - rest.at(joint)?)))
}

/// The joints as the network for drawn figures finds them in videos: those of the reference, and those of the true frames; `None` where
/// nobody is seen.
fn followed(
    truth: &Truth,
    frames_per_second: f32,
    interrupt: &Interrupt,
) -> Result<Option<(Joints, Vec<Joints>)>> {
    let model = PoseModel::default();
    let estimator = model.estimator_for_stills()?;
    let rest = Tracker::new(estimator).observe(&truth.reference.image)?;
    let mut tracker = Tracker::new(estimator);
    let observe = |frame: &Picture| {
        interrupt.check()?;
        tracker.observe(&frame.image)
    };
    let poses = truth.frames.iter().map(observe).collect::<Result<Vec<Pose>>>()?;
    if rest.people.is_empty() || poses.iter().all(|pose| pose.people.is_empty()) {
        return Ok(None);
    }
    let (width, height) = truth.reference.image.dimensions();
    let frames_per_second = Some(f64::from(frames_per_second));
    let mut dance = PoseSequence { width, height, frames_per_second, tracked: true, poses };
    dance.choose_person(PersonChoice::default())?;
    mend(&mut dance, &[])?;
    fill_gaps(&mut dance)?;
    Ok(Some((Joints::of_first(&rest), dance.poses.iter().map(Joints::of_first).collect())))
}
