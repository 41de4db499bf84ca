//! From the file's unit to pixels of a canvas.

use super::openpose::RawFrame;
use super::value::{Parsed, Problem};
use crate::{Joint, Keypoint, MAX_CANVAS};

/// Pixels farther than this from the canvas's corner are refused.
pub const COORDINATE_LIMIT: f32 = 100_000.0;

/// Coordinates up to here may be fractions of the canvas: a joint may lie outside of it.
const LARGEST_FRACTION: f32 = 2.0;
/// With more negative coordinates than this share the origin is the canvas's middle.
const NEGATIVE_SHARE: f64 = 0.1;
/// Canvas where nothing states one.
const DEFAULT_CANVAS: u32 = 512;
const CANVAS_STEP: f32 = 64.0;

/// What the numbers of a sequence mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Units {
    Pixels,
    /// [0, 1] across the canvas.
    Unit,
    /// [-1, 1] across the canvas.
    Signed,
}

fn points(frames: &[RawFrame]) -> impl Iterator<Item = &Keypoint> {
    frames.iter().flat_map(|frame| &frame.people).flat_map(|person| person.keypoints())
}

/// Recognises the unit over all points seen in the whole sequence.
pub(super) fn recognise(frames: &[RawFrame]) -> Units {
    let (mut count, mut negative, mut largest) = (0_u64, 0_u64, 0_f32);
    for coordinate in points(frames).flat_map(|point| [point.x, point.y]) {
        count += 1;
        negative += u64::from(coordinate < 0.0);
        largest = largest.max(coordinate.abs());
    }
    if largest > LARGEST_FRACTION {
        Units::Pixels
    } else if negative as f64 > count as f64 * NEGATIVE_SHARE {
        Units::Signed
    } else {
        Units::Unit
    }
}

/// Refuses coordinates beyond [`COORDINATE_LIMIT`].
pub(super) fn check_range(frames: &[RawFrame]) -> Parsed<()> {
    for (frame, raw) in frames.iter().enumerate() {
        for person in &raw.people {
            let beyond = |point: &Keypoint| point.x.abs().max(point.y.abs()) > COORDINATE_LIMIT;
            let Some(point) = person.keypoints().find(|point| beyond(point)) else { continue };
            let joint = Joint::ALL.into_iter().find(|&joint| person.joint(joint).as_ref() == Some(point));
            let name = joint.map_or("a hand or face point", Joint::name);
            return Err(Problem::new(format!(
                "frame {frame}: {name} at ({}, {}) is not within ±{COORDINATE_LIMIT} pixels",
                point.x, point.y
            )));
        }
    }
    Ok(())
}

/// The one canvas of all frames: as stated, or as in the module's documentation.
pub(super) fn resolve_canvas(
    frames: &[RawFrame],
    units: Units,
    fallback: Option<(u32, u32)>,
) -> Parsed<(u32, u32)> {
    let mut stated = frames.iter().enumerate().filter_map(|(index, frame)| Some((index, frame.canvas?)));
    let Some((_, canvas)) = stated.next() else {
        return fallback.map_or_else(|| Ok(enclosing_canvas(frames, units)), Ok);
    };
    match stated.find(|(_, other)| *other != canvas) {
        None => Ok(canvas),
        Some((index, other)) => Err(Problem::new(format!(
            "frame {index} has a canvas of {}×{}, those before {}×{}; all have to be equal",
            other.0, other.1, canvas.0, canvas.1
        ))),
    }
}

fn enclosing_canvas(frames: &[RawFrame], units: Units) -> (u32, u32) {
    if units != Units::Pixels {
        return (DEFAULT_CANVAS, DEFAULT_CANVAS);
    }
    let (right, bottom) = points(frames)
        .fold((0_f32, 0_f32), |(right, bottom), point| (right.max(point.x), bottom.max(point.y)));
    let side = |extent: f32| ((extent / CANVAS_STEP).ceil() * CANVAS_STEP).min(MAX_CANVAS as f32) as u32;
    (side(right).max(DEFAULT_CANVAS), side(bottom).max(DEFAULT_CANVAS))
}

/// Scale and offset that take the unit to pixels of the canvas.
pub(super) fn to_pixels(units: Units, canvas: (u32, u32)) -> ((f32, f32), (f32, f32)) {
    let (width, height) = (canvas.0 as f32, canvas.1 as f32);
    match units {
        Units::Pixels => ((1.0, 1.0), (0.0, 0.0)),
        Units::Unit => ((width, height), (0.0, 0.0)),
        Units::Signed => ((width / 2.0, height / 2.0), (width / 2.0, height / 2.0)),
    }
}
