//! Faces on large heads, as drawn characters have them: networks that learned from people take the face to be where
//! people have it, too low and too narrow.

use image::{Rgb, RgbImage};

use super::estimator::{Estimator, Found};
use super::region::Region;
use super::search::look;
use crate::error::Result;
use crate::pose::{Joint, Keypoint, Person};

/// Sizes to which the head is made.
const SIZES: [f32; 3] = [0.7, 0.55, 0.45];
/// What is looked at, around the person: factors of the height, and of the width beside it.
const VIEWS: [(f32, f32); 5] = [(1.25, 1.0), (1.2, 1.4), (1.5, 1.4), (1.3, 1.8), (1.6, 1.8)];
/// How much surer the network has to be: on heads of usual size it finds the face well at once.
const MARGIN: f32 = 0.08;
const FACE: [Joint; 5] = [Joint::Nose, Joint::RightEye, Joint::LeftEye, Joint::RightEar, Joint::LeftEar];

/// Looks for the face of a `person` before white again, in pictures in which the head is smaller. Moves it there if the
/// network is surer of it, and returns whether it did.
///
/// # Errors
/// Those of [`Estimator::find`].
pub fn look_at_smaller_heads(
    estimator: &dyn Estimator,
    figure: &RgbImage,
    person: &mut Person,
) -> Result<bool> {
    let (Some(neck), Some(bounds)) = (person.joint(Joint::Neck), Region::of(person)) else {
        return Ok(false);
    };
    let mut surest: Option<Person> = None;
    let mut least = sureness(person) + MARGIN;
    for size in SIZES {
        let figure = with_head_of(size, figure, neck);
        for Found { person, .. } in look(estimator, &figure, bounds.shaped(1.0), &VIEWS)? {
            if sureness(&person) > least {
                least = sureness(&person);
                let back = |place: f32| place - place / size;
                surest = Some(person.transformed((1.0 / size, 1.0 / size), (back(neck.x), back(neck.y))));
            }
        }
    }
    let Some(surest) = surest else { return Ok(false) };
    for joint in FACE {
        person.body[joint as usize] = surest.joint(joint);
    }
    person.face = surest.face;
    Ok(true)
}

/// The mean confidence of the joints of the face.
fn sureness(person: &Person) -> f32 {
    let confidence = |&joint: &Joint| person.joint(joint).map_or(0.0, |point| point.confidence);
    FACE.iter().map(confidence).sum::<f32>() / FACE.len() as f32
}

/// The figure before white, with everything above the neck made `size` times as large.
fn with_head_of(size: f32, figure: &RgbImage, neck: Keypoint) -> RgbImage {
    let (width, height) = figure.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        let scale = if y < neck.y { 1.0 / size } else { 1.0 };
        let (x, y) = (neck.x + (x - neck.x) * scale, neck.y + (y - neck.y) * scale);
        let inside = x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32;
        if inside { *figure.get_pixel(x as u32, y as u32) } else { Rgb([255; 3]) }
    })
}
