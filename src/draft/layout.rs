//! Where the dance lies on the frames, and how large.

use dreamtuner_warp::{Joints, Vector};
use image::RgbaImage;

use crate::error::{Error, Result};
use crate::pose::{Joint, Person, Pose};

/// Sides that frames may have.
const SIDES: std::ops::RangeInclusive<u32> = 16..=crate::frame::MAX_SIDE;
/// Longest side of frames whose size is not asked for.
const USUAL_SIDE: f32 = 2048.0;

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
    /// given. `figure` is the picture, whose transparency is the figure's, and `rest` its joints.
    ///
    /// # Errors
    /// A size out of range.
    pub fn new(
        dance: &[Joints],
        figure: &RgbaImage,
        rest: &Joints,
        size: Option<(u32, u32)>,
    ) -> Result<Self> {
        if let Some((width, height)) = size
            && !(SIDES.contains(&width) && SIDES.contains(&height))
        {
            let problem = format!("{width}×{height}; {} to {} a side is allowed", SIDES.start(), SIDES.end());
            return Err(Error::setting("size", problem));
        }
        let margin = overhang(figure, rest);
        let extent = dance.iter().filter_map(extent).reduce(Extent::and).unwrap_or_default();
        let (wide, high) = (extent.width() + 2.0 * margin, extent.height() + 2.0 * margin);
        let scale = match size {
            Some((width, height)) => (width as f32 / wide).min(height as f32 / high),
            None => (USUAL_SIDE / wide.max(high)).min(1.0),
        };
        // Encoders want even sides.
        let side = |length: f32| ((length * scale / 2.0).ceil() as u32 * 2).max(*SIDES.start());
        let (width, height) = size.unwrap_or_else(|| (side(wide), side(high)));
        let middle = (extent.low + extent.high) * (0.5 * scale);
        let offset = Vector { x: width as f32 / 2.0, y: height as f32 / 2.0 } - middle;
        Ok(Self { width, height, scale, offset })
    }
}

/// A box around points.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    low: Vector,
    high: Vector,
}

impl Extent {
    fn and(self, other: Self) -> Self {
        let least = |a: Vector, b: Vector| Vector { x: a.x.min(b.x), y: a.y.min(b.y) };
        let most = |a: Vector, b: Vector| Vector { x: a.x.max(b.x), y: a.y.max(b.y) };
        Self { low: least(self.low, other.low), high: most(self.high, other.high) }
    }

    fn width(&self) -> f32 {
        self.high.x - self.low.x
    }

    fn height(&self) -> f32 {
        self.high.y - self.low.y
    }
}

fn extent(joints: &Joints) -> Option<Extent> {
    let points = Joint::ALL.into_iter().filter_map(|joint| joints.at(joint));
    points.map(|point| Extent { low: point, high: point }).reduce(Extent::and)
}

/// How far the figure reaches beyond its joints: hair, hands, feet, clothes.
fn overhang(figure: &RgbaImage, rest: &Joints) -> f32 {
    let seen = figure.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] > 127);
    let points = seen.map(|(x, y, _)| Vector { x: x as f32, y: y as f32 });
    let figure =
        points.map(|point| Extent { low: point, high: point }).reduce(Extent::and).unwrap_or_default();
    let joints = extent(rest).unwrap_or_default();
    let sides = [
        joints.low.x - figure.low.x,
        joints.low.y - figure.low.y,
        figure.high.x - joints.high.x,
        figure.high.y - joints.high.y,
    ];
    sides.into_iter().fold(figure.height() * 0.04, f32::max).min(figure.height() * 0.5)
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
