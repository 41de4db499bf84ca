//! Throws out points that jump away for a few frames.

use super::points::{POINTS, Points, one_person, put_back};
use super::sequence::PoseSequence;
use super::smooth::body_size;
use crate::error::Result;

/// Body sizes by which a point may miss every guess.
const TOLERANCE: f64 = 0.08;
/// Pairs of frames, relative to a point's own, from which its place is guessed on a straight line: between them, or ahead
/// of and behind both.
const GUESSES: [(isize, isize); 6] = [(-1, 1), (-1, 2), (-2, 1), (-2, 2), (-2, -1), (2, 1)];
/// Frames that jump together are thrown out from the ends, one on each side in a round.
const ROUNDS: usize = 4;

/// Leaves out points that lie far from where all the frames around say they should be. Returns how many.
///
/// # Errors
/// A frame that holds several people.
pub fn reject_outliers(sequence: &mut PoseSequence, cuts: &[usize]) -> Result<usize> {
    let mut frames = one_person(sequence)?;
    let tolerance = TOLERANCE * body_size(sequence);
    let mut count = 0;
    for _ in 0..ROUNDS {
        let rejected: Vec<(usize, usize)> = (0..frames.len())
            .flat_map(|frame| (0..POINTS).map(move |point| (frame, point)))
            .filter(|&(frame, point)| miss(&frames, frame, point, cuts).is_some_and(|miss| miss > tolerance))
            .collect();
        for &(frame, point) in &rejected {
            frames[frame][point] = None;
        }
        count += rejected.len();
        if rejected.is_empty() {
            break;
        }
    }
    put_back(sequence, &frames);
    Ok(count)
}

/// Distance in pixels from the nearest guess; `None` where there is none.
fn miss(frames: &[Points], frame: usize, point: usize, cuts: &[usize]) -> Option<f64> {
    let here = frames[frame][point]?;
    let at = |offset: isize| {
        let other = frame.checked_add_signed(offset)?;
        let (first, last) = (frame.min(other), frame.max(other));
        let same_scene = !cuts.iter().any(|&cut| first < cut && cut <= last);
        frames.get(other).filter(|_| same_scene)?[point]
    };
    let misses = GUESSES.iter().filter_map(|&(first, second)| {
        let (a, b) = (at(first)?, at(second)?);
        let share = -first as f32 / (second - first) as f32;
        let (x, y) = (a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share);
        Some(f64::from((here.x - x).hypot(here.y - y)))
    });
    misses.min_by(f64::total_cmp)
}
