//! Whether joints are where they should be: PCK, the share of correct keypoints (Andriluka et al. 2014).

use image::RgbImage;

use super::colour::lab;
use crate::pose::{Joint, Pose};

/// A joint is found within this share of the torso's length (PCK@0.1).
const NEAR: f32 = 0.1;
/// Half the side of the patch around a joint, in lengths of the torso.
const PATCH: f32 = 0.2;
/// How far a joint is looked for, across and down, in lengths of the torso.
const SEARCH: f32 = 0.4;
/// Places whose correlation is this close to the best are as good as it, and the nearest one counts.
const AS_GOOD: f32 = 0.01;
/// A patch with less contrast than this (standard deviation in CIELAB) looks the same everywhere.
const LEAST_CONTRAST: f32 = 4.0;

/// How many joints were looked for, and how many found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JointCount {
    /// Joints with a patch that can be looked for.
    pub sought: usize,
    /// Of these, those found where they should be.
    pub found: usize,
}

impl JointCount {
    /// Both counts together.
    pub fn plus(self, other: Self) -> Self {
        Self { sought: self.sought + other.sought, found: self.found + other.found }
    }

    /// PCK, 0 to 1; `None` where nothing could be looked for.
    pub fn share(self) -> Option<f64> {
        (self.sought > 0).then(|| self.found as f64 / self.sought as f64)
    }
}

/// Looks in `result` for every joint that `truth` shows. `pose` is the truth's, in its pixels.
///
/// For each joint the truth's patch around it, 0.4 torsos wide, is moved over the result, up to 0.4 torsos either way. Neck to
/// hip centre is one torso. The two are compared by normalised cross-correlation in CIELAB. The joint is found if the best
/// place (of several as good, the nearest) is within 0.1 torsos. Joints whose patch leaves the picture or shows one plain
/// colour are not looked for. So the drawing itself is its own detector: it says little where the result looks
/// nothing like the truth.
pub fn joints_found(result: &RgbImage, truth: &RgbImage, pose: &Pose) -> JointCount {
    let Some(torso) = torso_length(pose) else { return JointCount::default() };
    let (result, truth) = (Plane::new(result), Plane::new(truth));
    let radius = ((PATCH * torso).round() as i64).max(2);
    let reach = ((SEARCH * torso).round() as i64).max(2);
    let joints = pose.people.iter().flat_map(|person| person.body.iter().flatten());
    let mut count = JointCount::default();
    for joint in joints {
        let (x, y) = (joint.x.floor() as i64, joint.y.floor() as i64);
        let Some(patch) = truth.patch(x, y, radius) else { continue };
        let contrast = patch.iter().map(|value| value * value).sum::<f32>() / patch.len() as f32;
        if contrast.sqrt() < LEAST_CONTRAST {
            continue;
        }
        count.sought += 1;
        let distance = nearest_match(&result, &patch, (x, y), radius, reach);
        count.found += usize::from(distance.is_some_and(|distance| distance <= NEAR * torso));
    }
    count
}

/// How far from `centre` the patch is found in `result`, in pixels.
fn nearest_match(result: &Plane, patch: &[f32], centre: (i64, i64), radius: i64, reach: i64) -> Option<f32> {
    let offsets = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (x, y)));
    let scores: Vec<(f32, f32)> = offsets
        .filter_map(|(x, y)| {
            let candidate = result.patch(centre.0 + x, centre.1 + y, radius)?;
            Some((correlation(patch, &candidate), ((x * x + y * y) as f32).sqrt()))
        })
        .collect();
    let best = scores.iter().map(|(score, _)| *score).fold(f32::NEG_INFINITY, f32::max);
    let as_good = scores.iter().filter(|(score, _)| *score > 0.0 && *score >= best - AS_GOOD);
    as_good.map(|(_, distance)| *distance).reduce(f32::min)
}

/// The cosine between two patches without their means; 0 where one is plain (what is left of it is rounding).
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    const PLAIN: f32 = 1e-3;
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (energy_a, energy_b) = (dot(a, a), dot(b, b));
    let least = PLAIN * a.len() as f32;
    if energy_a > least && energy_b > least { dot(a, b) / (energy_a * energy_b).sqrt() } else { 0.0 }
}

/// Distance from the neck to the middle of the hips, in pixels.
fn torso_length(pose: &Pose) -> Option<f32> {
    let body = &pose.people.first()?.body;
    let joint = |joint: Joint| body[joint as usize];
    let (neck, right, left) = (joint(Joint::Neck)?, joint(Joint::RightHip)?, joint(Joint::LeftHip)?);
    let length = (neck.x - (right.x + left.x) / 2.0).hypot(neck.y - (right.y + left.y) / 2.0);
    (length > 1.0).then_some(length)
}

/// A picture in CIELAB.
struct Plane {
    width: i64,
    height: i64,
    pixels: Vec<[f32; 3]>,
}

impl Plane {
    fn new(image: &RgbImage) -> Self {
        let pixels = image.pixels().map(|pixel| lab(pixel.0)).collect();
        Self { width: i64::from(image.width()), height: i64::from(image.height()), pixels }
    }

    /// The square around (x, y), each colour less its mean; `None` where it leaves the picture.
    fn patch(&self, x: i64, y: i64, radius: i64) -> Option<Vec<f32>> {
        if x < radius || y < radius || x + radius >= self.width || y + radius >= self.height {
            return None;
        }
        let rows = (y - radius..=y + radius).flat_map(|row| {
            let start = (row * self.width + x - radius) as usize;
            &self.pixels[start..=start + 2 * radius as usize]
        });
        let mut patch: Vec<f32> = rows.flatten().copied().collect();
        let count = (patch.len() / 3) as f32;
        let mut means = [0.0f32; 3];
        patch.iter().enumerate().for_each(|(index, value)| means[index % 3] += value / count);
        patch.iter_mut().enumerate().for_each(|(index, value)| *value -= means[index % 3]);
        Some(patch)
    }
}
