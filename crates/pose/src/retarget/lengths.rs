//! How long the bones of the dancer and of the reference are.

use super::skeleton::{BONES, bones, length, mirrored};
use crate::{Joint, Person, PoseSequence, full_length, median};

/// Lengths of [`BONES`] in pixels.
pub(super) type Lengths = [f32; Joint::COUNT];

/// A bone across the body is at least this share of what is usual, even where it is never seen from the front.
const LEAST_SHARE: f32 = 0.5;

/// The full length of each bone over a clip; `None` where a bone is never seen, nor the one of the other side.
pub(super) fn of_dancer(sequence: &PoseSequence) -> [Option<f32>; Joint::COUNT] {
    let people = || sequence.poses.iter().filter_map(|pose| pose.people.first());
    let seen: [Option<f32>; Joint::COUNT] = std::array::from_fn(|bone| {
        full_length(people().filter_map(|person| bones(person)[bone].map(length)))
    });
    let torso = seen[0];
    std::array::from_fn(|bone| {
        let both = seen[bone].into_iter().chain(seen[mirrored(bone)]).reduce(f32::max)?;
        let least = torso.filter(|_| BONES[bone].turns).map_or(0.0, |torso| torso * BONES[bone].usual);
        Some(both.max(LEAST_SHARE * least).max(f32::MIN_POSITIVE))
    })
}

/// The length of each bone of the reference. One that is not seen takes the other side's; where that is not seen either,
/// as in a picture that ends at the hips, it keeps the dancer's proportions.
pub(super) fn of_reference(person: &Person, dancer: &[Option<f32>; Joint::COUNT]) -> Option<Lengths> {
    let own = bones(person);
    let seen: [Option<f32>; Joint::COUNT] =
        std::array::from_fn(|bone| own[bone].or(own[mirrored(bone)]).map(length));
    let ratios = seen.iter().zip(dancer).filter_map(|(own, dancer)| Some((*own)? / (*dancer)?));
    let ratio = median(ratios)?;
    let torso = dancer[0].or(seen[0].map(|length| length / ratio));
    let guessed = |bone: usize| Some(ratio * dancer[bone].or(Some(torso? * BONES[bone].usual))?);
    let mut lengths = [0.0; Joint::COUNT];
    for (bone, length) in lengths.iter_mut().enumerate() {
        *length = seen[bone].or_else(|| guessed(bone)).unwrap_or_default();
    }
    Some(lengths)
}
