//! Which foot stands, and where the hips go so that it does not slide.

use super::skeleton::{Vector, length, place};
use crate::{Joint, PoseSequence};

/// The feet: right, left.
pub(super) const FEET: [Joint; 2] = [Joint::RightAnkle, Joint::LeftAnkle];
/// A foot stands while it moves slower than so many body heights a second,
const SLOWEST_STEP: f32 = 0.12;
/// and is no more than so many body heights above the other one.
const HIGHEST_STAND: f32 = 0.06;
/// A shorter stand is a turning point of a foot in the air.
const SHORTEST_STAND: usize = 3;
/// Share of [`SLOWEST_STEP`] below which a foot does not stand more firmly still.
const STILL: f32 = 0.05;
/// Share of the way back to the dancer's own path that the hips take in each frame in the air.
const RETURN: f32 = 0.15;

/// For each frame how firmly each of [`FEET`] stands, 0 (in the air, or stepping) to 1.
pub(super) fn standing(sequence: &PoseSequence, height: f32, frame_rate: f32) -> Vec<[f32; 2]> {
    let ankle =
        |frame: usize, foot: usize| place(&sequence.poses.get(frame)?.people.first()?.body, FEET[foot]);
    let frames = sequence.poses.len();
    let slowest = SLOWEST_STEP * height / frame_rate;
    let firmness = |frame: usize, foot: usize| {
        let Some(here) = ankle(frame, foot) else { return 0.0 };
        let way = |other: Option<Vector>| {
            other.map_or(0.0, |other| length([other[0] - here[0], other[1] - here[1]]))
        };
        let before = frame.checked_sub(1).and_then(|before| ankle(before, foot));
        let speed = way(before).max(way(ankle(frame + 1, foot))) / slowest;
        let low = ankle(frame, 1 - foot).is_none_or(|other| here[1] > other[1] - HIGHEST_STAND * height);
        if low && speed < 1.0 { STILL * STILL / (STILL * STILL + speed * speed) } else { 0.0 }
    };
    let mut result: Vec<[f32; 2]> =
        (0..frames).map(|frame| [0, 1].map(|foot| firmness(frame, foot))).collect();
    for foot in 0..2 {
        drop_short_stands(&mut result, foot);
    }
    result
}

fn drop_short_stands(standing: &mut [[f32; 2]], foot: usize) {
    let mut start = 0;
    while start < standing.len() {
        let stands = |&frame: &usize| standing[frame][foot] > 0.0;
        let end = (start..standing.len()).find(|frame| !stands(frame)).unwrap_or(standing.len());
        if end - start < SHORTEST_STAND {
            standing[start..end].iter_mut().for_each(|feet| feet[foot] = 0.0);
        }
        start = end + 1;
    }
}

/// What the hips of one frame have to go by.
pub(super) struct Moment {
    /// From the hips to each of [`FEET`], with the new lengths.
    pub(super) feet: [Option<Vector>; 2],
    /// How firmly each of them stands.
    pub(super) standing: [f32; 2],
    /// Where the hips would be on the dancer's own path, scaled.
    pub(super) path: Vector,
}

/// Where the hips are in each frame: feet that stand hold them, the firmer the more; in the air they follow the path.
pub(super) fn hips(moments: &[Moment]) -> Vec<Vector> {
    let Some(first) = moments.first() else { return Vec::new() };
    let mut hips = vec![first.path];
    for pair in moments.windows(2) {
        let (before, now) = (&pair[0], &pair[1]);
        let last = hips[hips.len() - 1];
        let step = held_step(before, now).unwrap_or_else(|| {
            [0, 1].map(|axis| now.path[axis] - before.path[axis] + RETURN * (before.path[axis] - last[axis]))
        });
        hips.push([last[0] + step[0], last[1] + step[1]]);
    }
    hips
}

/// How the hips move so that the feet that stand in both moments stay; `None` where none does.
fn held_step(before: &Moment, now: &Moment) -> Option<Vector> {
    let (mut sum, mut total) = ([0.0; 2], 0.0);
    for foot in 0..2 {
        let firmness = before.standing[foot].min(now.standing[foot]);
        if let (true, Some(from), Some(to)) = (firmness > 0.0, before.feet[foot], now.feet[foot]) {
            sum = [sum[0] + firmness * (from[0] - to[0]), sum[1] + firmness * (from[1] - to[1])];
            total += firmness;
        }
    }
    (total > 0.0).then(|| sum.map(|value| value / total))
}
