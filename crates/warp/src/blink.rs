//! When the dancer blinks, where a dance knows it.

use dreamtuner_pose::{Face, Keypoint, Person, median};

/// Eyes as they are in the picture.
pub(crate) const OPEN: [f32; 2] = [1.0; 2];

/// An eye that is open by this share of how far it usually is, is closed.
const CLOSED: f32 = 0.4;
/// It is as open as usual from this share on: points of faces tremble.
const AS_USUAL: f32 = 0.8;

/// Corners, upper and lower lids of the right and of the left eye (iBUG 68).
const EYES: [[usize; 6]; 2] = [[36, 37, 38, 39, 40, 41], [45, 44, 43, 42, 47, 46]];

/// How far the right and the left eye are open in each frame of a dance, 0 to 1, of how far they usually are; 1 where the 68 points of
/// the face are not known.
pub fn open_eyes<'a>(people: impl Iterator<Item = Option<&'a Person>>) -> Vec<[f32; 2]> {
    let faces: Vec<Option<&Face>> = people.map(|person| person?.face.as_deref()).collect();
    let usual = EYES.map(|eye| median(faces.iter().flatten().filter_map(|face| openness(face, eye))));
    let open = |face: &Face, side: usize| {
        let share = openness(face, EYES[side])? / usual[side].filter(|usual| *usual > 0.0)?;
        Some(((share - CLOSED) / (AS_USUAL - CLOSED)).clamp(0.0, 1.0))
    };
    let both = |face: &Face| [0, 1].map(|side| open(face, side).unwrap_or(1.0));
    faces.into_iter().map(|face| face.map_or(OPEN, both)).collect()
}

/// How far an eye is open, in its widths (Soukupová and Čech, Real-Time Eye Blink Detection using Facial Landmarks, equation 1).
fn openness(
    face: &Face,
    [outer, outer_upper, inner_upper, inner, inner_lower, outer_lower]: [usize; 6],
) -> Option<f32> {
    let lids = apart(face, outer_upper, outer_lower)? + apart(face, inner_upper, inner_lower)?;
    let width = apart(face, outer, inner)?;
    (width > 0.0).then(|| lids / (2.0 * width))
}

fn apart(face: &Face, one: usize, other: usize) -> Option<f32> {
    let place = |point: Option<Keypoint>| point.map(|point| (point.x, point.y));
    let ((x, y), (to_x, to_y)) = place(face[one]).zip(place(face[other]))?;
    Some(libm::hypotf(to_x - x, to_y - y))
}
