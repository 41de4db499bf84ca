//! Colours, to tell people apart who have crossed, and scenes.

use image::{Rgb, RgbImage};

use crate::pose::{BoundingBox, Joint, Keypoint, Person};

/// Steps of each colour.
const STEPS: usize = 4;
/// Share of the old colours that stays when new ones are seen.
const MEMORY: f32 = 0.9;
/// The corners of the torso.
const TORSO: [Joint; 4] = [Joint::LeftShoulder, Joint::RightShoulder, Joint::LeftHip, Joint::RightHip];

/// How often each colour occurs, as shares of the pixels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Colours([f32; STEPS * STEPS * STEPS]);

impl Colours {
    /// Of some pixels; `None` where there are none.
    pub(super) fn of<'a>(pixels: impl Iterator<Item = &'a Rgb<u8>>) -> Option<Self> {
        let mut counts = [0.0; STEPS * STEPS * STEPS];
        let mut all = 0.0;
        for pixel in pixels {
            let bin = pixel.0.map(|value| usize::from(value) * STEPS / 256);
            counts[(bin[0] * STEPS + bin[1]) * STEPS + bin[2]] += 1.0;
            all += 1.0;
        }
        (all > 0.0).then(|| Self(counts.map(|count| count / all)))
    }

    /// What a person wears: the colours between shoulders and hips; `None` where the torso is not seen.
    pub(super) fn worn_by(person: &Person, picture: &RgbImage) -> Option<Self> {
        let corners: Vec<Keypoint> = TORSO.iter().filter_map(|&joint| person.joint(joint)).collect();
        let bounds = BoundingBox::around(&corners).filter(|_| corners.len() >= 3)?;
        let (width, height) = picture.dimensions();
        let across = bounds.left.max(0.0) as u32..(bounds.right.max(0.0) as u32 + 1).min(width);
        let down = bounds.top.max(0.0) as u32..(bounds.bottom.max(0.0) as u32 + 1).min(height);
        Self::of(down.flat_map(|y| across.clone().map(move |x| picture.get_pixel(x, y))))
    }

    /// 0 for the same colours, 1 for colours of which none is shared (Hellinger distance).
    pub(super) fn distance(&self, other: &Self) -> f32 {
        let shared: f32 = self.0.iter().zip(&other.0).map(|(a, b)| (a * b).sqrt()).sum();
        (1.0 - shared).max(0.0).sqrt()
    }

    /// Takes in what was seen now.
    pub(super) fn learn(&mut self, seen: &Self) {
        for (old, new) in self.0.iter_mut().zip(&seen.0) {
            *old = MEMORY * *old + (1.0 - MEMORY) * new;
        }
    }
}
