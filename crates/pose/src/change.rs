//! What mending has done to a sequence.

use std::fmt;

use serde::Serialize;

use super::info::{largest, summary};
use super::sequence::PoseSequence;
use super::skeleton::{Joint, Keypoint};
use crate::error::{Error, Result};

/// Shifts that are tried, in tenths of a frame to either side.
const TENTHS: i32 = 50;

/// A sequence beside the one that it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// By how many times the mean acceleration is smaller.
    pub calmer: f64,
    /// Frames by which it is behind, to a tenth.
    pub lag: f64,
    /// Mean distance of the joints, as a share of the canvas's longer side.
    pub distance: f64,
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "calmer        {:.2} times (mean acceleration)", self.calmer)?;
        writeln!(out, "lag           {:.1} frames", self.lag)?;
        write!(out, "moved         {:.4} of the canvas on average", self.distance)
    }
}

/// What has changed from `before` to `after`, the largest or only person in each frame.
///
/// # Errors
/// Sequences of different lengths or canvases, or without a joint that both have.
pub fn change(before: &PoseSequence, after: &PoseSequence) -> Result<Change> {
    let shape = |sequence: &PoseSequence| (sequence.poses.len(), sequence.width, sequence.height);
    if shape(before) != shape(after) {
        let say = |(frames, width, height)| format!("{frames} frames of {width}×{height}");
        let problem = format!("{}, the other file {}", say(shape(before)), say(shape(after)));
        return Err(Error::setting("against", problem));
    }
    let nothing = || Error::setting("against", "no joint is seen in both files");
    let distance = distance(before, after, 0).ok_or_else(nothing)?;
    let shifts =
        (-TENTHS..=TENTHS).filter_map(|tenths| Some((tenths, self::distance(before, after, tenths)?)));
    let best = shifts.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(tenths, _)| tenths);
    let acceleration = |sequence: &PoseSequence| summary(sequence).mean_acceleration;
    Ok(Change {
        calmer: acceleration(before) / acceleration(after).max(f64::MIN_POSITIVE),
        lag: f64::from(best) / 10.0,
        distance: distance / f64::from(before.width.max(before.height).max(1)),
    })
}

/// Mean distance in pixels of the joints that both have, `after` being so many tenths of a frame late.
fn distance(before: &PoseSequence, after: &PoseSequence, tenths: i32) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for frame in 0..after.poses.len() {
        let time = frame as i64 * 10 - i64::from(tenths);
        let Ok(first) = usize::try_from(time.div_euclid(10)) else { continue };
        let share = time.rem_euclid(10) as f32 / 10.0;
        for joint in Joint::ALL {
            let Some(now) = point(after, frame, joint) else { continue };
            let Some(from) = point(before, first, joint) else { continue };
            let there = match point(before, first + 1, joint) {
                Some(to) => from.towards(to, share),
                None if share == 0.0 => from,
                None => continue,
            };
            sum += f64::from((now.x - there.x).hypot(now.y - there.y));
            count += 1.0;
        }
    }
    (count > 0.0).then(|| sum / count)
}

fn point(sequence: &PoseSequence, frame: usize, joint: Joint) -> Option<Keypoint> {
    largest(sequence.poses.get(frame)?)?.joint(joint)
}
