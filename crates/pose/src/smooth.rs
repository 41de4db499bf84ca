//! Takes the tremble out of detected poses without lagging behind.

use super::kalman::{Measurement, smooth};
use super::points::{POINTS, Points, one_person, put_back};
use super::sequence::PoseSequence;
use crate::error::Result;

/// Rounds in which the local acceleration is learnt from the smoothed motion.
const ROUNDS: usize = 2;
/// Acceleration that the first round expects, and the least that later ones do, in body sizes a frame².
const FIRST_ACCELERATION: f64 = 0.01;
const LEAST_ACCELERATION: f64 = 0.001;
/// Frames before and after over which acceleration is averaged.
const REACH: usize = 2;
/// The detector's error, in body sizes, lies between these.
const ERROR_RANGE: (f64, f64) = (0.0005, 0.02);
/// A point that is not seen for more frames than this begins again.
const LONGEST_BRIDGE: usize = 12;
/// Third differences of white noise have a variance 1 + 9 + 9 + 1 times as large.
const THIRD_DIFFERENCE: f64 = 20.0;
/// From the median of |x| to the standard deviation of a normal distribution.
const MEDIAN_TO_DEVIATION: f64 = 1.4826;

/// Smooths each point over the whole clip, by a Rauch-Tung-Striebel smoother with constant velocity. Its acceleration
/// follows what the motion does around each frame. Its trust in the detector follows the detector's confidence and the
/// tremble that the clip shows. `cuts` are the frames that begin another scene; nothing is smoothed across them. Frames
/// and points that are missing stay so.
///
/// Chosen by measurement (`benches/smoothing.py`). A tremble of 0.3% of the body was added to the dances of `poses/`.
/// The error falls to 0.56 and the jitter to 0.22 of what they were, without lag. A One-Euro filter (Casiez et
/// al. 2012) as calm is a frame late and three times as far off as the tremble itself. A smoother of one fixed
/// acceleration errs more, either by trembling or by flattening quick moves.
///
/// # Errors
/// A frame that holds several people.
pub fn smooth_poses(sequence: &mut PoseSequence, cuts: &[usize]) -> Result<()> {
    let mut frames = one_person(sequence)?;
    let size = body_size(sequence);
    let error = tremble(&frames, size).clamp(size * ERROR_RANGE.0, size * ERROR_RANGE.1);
    for point in 0..POINTS {
        for stretch in stretches(&frames, point, cuts) {
            smooth_stretch(&mut frames[stretch], point, size, error);
        }
    }
    put_back(sequence, &frames);
    Ok(())
}

/// Median diagonal of the bounding boxes, in pixels; 1 where there are none.
pub(super) fn body_size(sequence: &PoseSequence) -> f64 {
    let boxes = sequence.poses.iter().filter_map(|pose| pose.people.first()?.bounding_box());
    let mut sizes: Vec<f64> = boxes.map(|bounds| f64::from(bounds.width().hypot(bounds.height()))).collect();
    median(&mut sizes).max(1.0)
}

/// The middle value; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f64::total_cmp).1 }
}

/// Standard deviation of the detector's error in pixels, from how third differences scatter: motion has hardly any.
fn tremble(frames: &[Points], size: f64) -> f64 {
    let mut differences = Vec::new();
    for point in 0..POINTS {
        for window in frames.windows(4) {
            let seen = [&window[0], &window[1], &window[2], &window[3]].map(|points| points[point]);
            let [Some(a), Some(b), Some(c), Some(d)] = seen else { continue };
            for [a, b, c, d] in [[a.x, b.x, c.x, d.x], [a.y, b.y, c.y, d.y]] {
                differences.push(f64::from(d - 3.0 * c + 3.0 * b - a).abs());
            }
        }
    }
    if differences.is_empty() {
        return size * ERROR_RANGE.0;
    }
    MEDIAN_TO_DEVIATION * median(&mut differences) / THIRD_DIFFERENCE.sqrt()
}

/// The ranges of frames in which a point is seen, without a cut and without a long gap.
fn stretches(frames: &[Points], point: usize, cuts: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for frame in (0..frames.len()).filter(|&frame| frames[frame][point].is_some()) {
        let goes_on = |stretch: &std::ops::Range<usize>| {
            frame - stretch.end < LONGEST_BRIDGE
                && !cuts.iter().any(|&cut| stretch.end <= cut && cut <= frame)
        };
        match found.last_mut() {
            Some(stretch) if goes_on(stretch) => stretch.end = frame + 1,
            _ => found.push(frame..frame + 1),
        }
    }
    found
}

fn smooth_stretch(frames: &mut [Points], point: usize, size: f64, error: f64) {
    if frames.len() < 3 {
        return;
    }
    let axis = |value: fn(&super::Keypoint) -> f32| {
        let measured = frames.iter().map(|points| points[point].as_ref()).map(|seen| {
            let seen = seen?;
            let deviation = error / f64::from(seen.confidence).max(0.1);
            Some(Measurement { value: f64::from(value(seen)), variance: deviation * deviation })
        });
        measured.collect::<Vec<_>>()
    };
    let axes = [axis(|point| point.x), axis(|point| point.y)];
    let mut accelerations = vec![(size * FIRST_ACCELERATION).powi(2); frames.len()];
    for _ in 0..ROUNDS {
        let motions = axes.each_ref().map(|axis| smooth(axis, &accelerations));
        accelerations = local_accelerations(&motions, (size * LEAST_ACCELERATION).powi(2));
    }
    let [across, down] = axes.each_ref().map(|axis| smooth(axis, &accelerations));
    for (frame, points) in frames.iter_mut().enumerate() {
        if let Some(seen) = &mut points[point] {
            (seen.x, seen.y) = (across[frame][0] as f32, down[frame][0] as f32);
        }
    }
}

/// Mean square of the acceleration around each frame, of both axes.
fn local_accelerations(motions: &[Vec<[f64; 2]>; 2], least: f64) -> Vec<f64> {
    let frames = motions[0].len();
    let squares: Vec<f64> = (0..frames)
        .map(|frame| {
            let (before, after) = (frame.saturating_sub(1), (frame + 1).min(frames - 1));
            let change =
                |motion: &Vec<[f64; 2]>| (motion[after][1] - motion[before][1]) / (after - before) as f64;
            motions.iter().map(|motion| change(motion).powi(2)).sum::<f64>() / 2.0
        })
        .collect();
    let around = |frame: usize| &squares[frame.saturating_sub(REACH)..(frame + REACH + 1).min(frames)];
    (0..frames)
        .map(|frame| (around(frame).iter().sum::<f64>() / around(frame).len() as f64).max(least))
        .collect()
}
