//! Where the dance lies on the frames, and how large.

use dreamtuner_warp::Joints;

use crate::error::{Error, Result};
use crate::pose::{BoundingBox, Person, Pose, Vector, vector};

/// Sides that frames may have.
const SIDES: std::ops::RangeInclusive<u32> = 16..=crate::frame::MAX_SIDE;
/// Longest side of frames whose size is not asked for.
const USUAL_SIDE: f32 = 2048.0;

/// Refuses frames of a size that none may have.
///
/// # Errors
/// A side out of range.
pub fn check_size(size: Option<(u32, u32)>) -> Result<()> {
    match size {
        Some((width, height)) if !(SIDES.contains(&width) && SIDES.contains(&height)) => {
            let problem = format!("{width}×{height}; {} to {} a side is allowed", SIDES.start(), SIDES.end());
            Err(Error::setting("size", problem))
        }
        _ => Ok(()),
    }
}

/// How the picture's pixels come to the frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    /// Width of the frames.
    pub width: u32,
    /// Height of the frames.
    pub height: u32,
    /// Pixels of a frame for each of the picture.
    pub scale: f32,
    /// Where the corner of the dance's canvas comes to.
    pub offset: Vector,
}

impl Layout {
    /// Puts the whole dance, whose joints are in the picture's pixels, into frames of `size`; or into such as it needs, where no size is
    /// given. `figure` is where the figure is in the picture, and `rest` the joints of what moves of it.
    pub fn new(dance: &[Joints], figure: BoundingBox, rest: &Joints, size: Option<(u32, u32)>) -> Self {
        let margin = overhang(figure, rest);
        let extent = bounds(dance.iter().flat_map(Joints::seen));
        let (wide, high) = (extent.width() + 2.0 * margin, extent.height() + 2.0 * margin);
        let scale = match size {
            Some((width, height)) => (width as f32 / wide).min(height as f32 / high),
            None => (USUAL_SIDE / wide.max(high)).min(1.0),
        };
        // Encoders want even sides.
        let side = |length: f32| ((length * scale / 2.0).ceil() as u32 * 2).max(*SIDES.start());
        let (width, height) = size.unwrap_or_else(|| (side(wide), side(high)));
        let (x, y) = extent.center();
        let offset = vector(width as f32 / 2.0, height as f32 / 2.0) - vector(x, y) * scale;
        Self { width, height, scale, offset }
    }
}

/// How far the figure reaches beyond its joints (hair, hands, feet, clothes), and a little more, as heads and hands turn.
fn overhang(figure: BoundingBox, rest: &Joints) -> f32 {
    let joints = bounds(rest.seen());
    let sides = [
        joints.left - figure.left,
        joints.top - figure.top,
        figure.right - joints.right,
        figure.bottom - joints.bottom,
    ];
    let reach = sides.into_iter().fold(0.0, f32::max);
    (reach + figure.height() * 0.04).min(figure.height() * 0.5)
}

/// The box around some places; at the corner where there are none.
fn bounds(places: impl IntoIterator<Item = Vector>) -> BoundingBox {
    BoundingBox::of(places).unwrap_or(BoundingBox { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 })
}

/// The reference's pose on a canvas so large that no dance is made smaller to fit into it.
pub fn with_room(pose: &Pose) -> Pose {
    let side = pose.width.max(pose.height);
    let moved = |person: &Person| {
        let (x, y) = ((ROOM * side) as f32, (ROOM * side) as f32);
        person.transformed((1.0, 1.0), (x, y))
    };
    let size = (2 * ROOM + 1) * side;
    Pose { width: size, height: size, people: pose.people.iter().map(moved).collect() }
}

/// Canvases of room on each side.
const ROOM: u32 = 3;
