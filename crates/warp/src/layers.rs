//! What of the picture each layer shows, hidden parts completed.

use dreamtuner_pose::Joint;
use image::{ImageBuffer, Luma, Rgba, RgbaImage};
use imageproc::filter::gaussian_blur_f32;
use imageproc::geometry::convex_hull;
use imageproc::point::Point;

use crate::bones::LIMBS;
use crate::field::{Field, spread};
use crate::fill::continued;
use crate::geometry::{Vector, vector};
use crate::joints::{Joints, Torso};
use crate::outline::{is_inside, outline, solid_ends};
use crate::parts::Part;
use crate::segment::Segmentation;

/// A layer: a part with its own texture.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub part: Part,
    /// Premultiplied, of the whole picture's size.
    pub texture: RgbaImage,
    /// Where it hangs on the trunk, if it hangs in one place.
    pub hinge: Option<Hinge>,
}

/// Where two layers are one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hinge {
    pub middle: Vector,
    pub radius: f32,
}

impl Hinge {
    pub fn holds(&self, point: Vector) -> bool {
        (point - self.middle).length() < self.radius
    }
}

/// A figure, cut, in pixels of the full picture.
pub(crate) struct Cut<'a> {
    /// Premultiplied.
    pub picture: &'a RgbaImage,
    pub joints: &'a Joints,
    pub torso: &'a Torso,
    pub segmentation: &'a Segmentation,
    /// What its boundaries are smoothed by.
    pub shares: &'a Shares,
    /// Pixels of the segmentation for each of the picture.
    pub scale: f32,
    /// The row below which legs are two things; `None` where they are one with the trunk, as in a skirt.
    pub split: Option<f32>,
}

impl Cut<'_> {
    /// The layers, from back to front; those that `order` leaves out lie behind.
    pub fn layers(&self, order: &[Part]) -> Vec<Layer> {
        let mut parts = Part::ALL;
        parts.sort_by_key(|part| order.iter().position(|of| of == part));
        let parts = parts.into_iter().filter(|part| !part.is_leg() || self.split.is_some());
        let layers = parts.map(|part| {
            let hinge = self.hinge(part);
            let texture = match part {
                Part::Body => self.trunk(),
                Part::Loose => self.behind(),
                part => self.limb(part, hinge),
            };
            Layer { part, texture, hinge }
        });
        layers.filter(|layer| layer.texture.pixels().any(|pixel| pixel.0[3] > 127)).collect()
    }

    /// Pixels from a shoulder to the other.
    pub fn unit(&self) -> f32 {
        self.segmentation.unit / self.scale
    }

    fn hinge(&self, part: Part) -> Option<Hinge> {
        if part == Part::Head {
            let (nose, neck) = self.joints.pair(Joint::Nose, Joint::Neck)?;
            let radius = (self.unit() * 0.33).max((nose - neck).length() * 0.3);
            return Some(Hinge { middle: neck.toward(nose, 0.25), radius });
        }
        let place = LIMBS.iter().position(|(limb, _)| *limb == part && part.is_arm())?;
        let middle = self.joints.at(LIMBS[place].1[0])?;
        Some(Hinge { middle, radius: self.segmentation.half_widths[place]? / self.scale * 1.25 })
    }

    /// How much of a pixel is the part's, 0 to 1; between only on its boundary. Neighbours overlap by a pixel or two, so that nothing
    /// shines through between them, and both keep the outline that parts them.
    fn share(&self, part: Part, point: Vector) -> f32 {
        let share = self.shares.at(part, point * self.scale);
        ((share - LEAST) / (WHOLE - LEAST)).clamp(0.0, 1.0)
    }

    fn shown(&self, share: impl Fn(Vector) -> f32) -> RgbaImage {
        RgbaImage::from_fn(self.picture.width(), self.picture.height(), |x, y| {
            let pixel = self.picture.get_pixel(x, y);
            if pixel.0[3] == 0 {
                return Rgba([0; 4]);
            }
            let share = share(vector(x as f32 + 0.5, y as f32 + 0.5));
            Rgba(pixel.0.map(|value| (f32::from(value) * share).round() as u8))
        })
    }

    /// An arm, a leg or the head, with what is around its hinge, so that no gap opens there.
    fn limb(&self, part: Part, hinge: Option<Hinge>) -> RgbaImage {
        /// Rows of a leg above the split.
        const ABOVE: f32 = 3.0;
        self.shown(|point| {
            if part.is_leg() && self.split.is_some_and(|row| point.y < row - ABOVE) {
                return 0.0;
            }
            let beside = hinge.map_or(0.0, |hinge| {
                let inside = 1.0 - (point - hinge.middle).length() / hinge.radius;
                (inside * 4.0).clamp(0.0, 1.0)
            });
            self.share(part, point).max(beside)
        })
    }

    /// The trunk, with the upper part of legs, and with its colours continued where arms and hair lie over it.
    fn trunk(&self) -> RgbaImage {
        // What is around the arms' hinges is shown by the arms, which lie in front.
        let neck = self.hinge(Part::Head);
        let seen = self.shown(|point| {
            if neck.is_some_and(|neck| neck.holds(point)) {
                return 1.0;
            }
            let legs = [Part::RightLeg, Part::LeftLeg].map(|part| self.share(part, point));
            let above = self.split.is_none_or(|row| point.y < row);
            let legs = if above { legs[0] + legs[1] } else { 0.0 };
            (self.share(Part::Body, point) + legs).min(1.0)
        });
        let outline = outline(&seen, self.torso, 0.35 * self.unit(), |x, y| self.is_arm(x, y));
        self.completed(seen, |x, y| outline.at(x, y))
    }

    /// Loose things, continued behind the figure. What lies on both sides of it, as a cape does, hangs from the shoulders.
    fn behind(&self) -> RgbaImage {
        let mut seen = self.shown(|point| self.share(Part::Loose, point));
        let outlines = outlines_of_others(self.segmentation, Part::Loose);
        for (x, y, pixel) in seen.enumerate_pixels_mut() {
            if self.of_picture(&outlines, x as usize, y as usize) {
                *pixel = Rgba([0; 4]);
            }
        }
        match self.cape(&seen) {
            Some(outline) => {
                self.completed(seen, |x, y| is_inside(&outline, vector(x as f32 + 0.5, y as f32 + 0.5)))
            }
            None => {
                let ends: Vec<_> = (0..seen.height() as usize).map(|row| solid_ends(&seen, row)).collect();
                let is_between =
                    |x: usize, y: usize| ends[y].is_some_and(|(first, last)| (first..=last).contains(&x));
                self.completed(seen, |x, y| is_between(x, y) && self.is_arm(x, y))
            }
        }
    }

    /// The outline of a cape: what is seen on both sides of the thighs in the same colour, and the shoulders.
    fn cape(&self, seen: &RgbaImage) -> Option<Vec<Vector>> {
        let hips = self.torso.hips();
        let reach = 0.4 * self.unit();
        let mut sides = [Side::default(), Side::default()];
        for (x, y, pixel) in seen.enumerate_pixels() {
            let aside = x as f32 - hips.x;
            let below = y as f32 - hips.y;
            if pixel.0[3] > 200 && (0.0..self.unit()).contains(&below) && aside.abs() > reach {
                sides[usize::from(aside > 0.0)].add(pixel.0);
            }
        }
        let least = 0.04 * self.unit() * self.unit();
        if sides.iter().any(|side| (side.size as f32) < least) || !sides[0].is_like(&sides[1]) {
            return None;
        }
        let ends = (0..seen.height()).filter_map(|row| {
            let (first, last) = solid_ends(seen, row as usize)?;
            Some([Point::new(first as i32, row as i32), Point::new(last as i32 + 1, row as i32)])
        });
        let shoulders = [self.torso.right, self.torso.left];
        let points = shoulders.map(|place| Point::new(place.x as i32, place.y as i32));
        let hull = convex_hull(ends.flatten().chain(points).collect::<Vec<_>>());
        Some(hull.into_iter().map(|point| vector(point.x as f32, point.y as f32)).collect())
    }

    /// What is seen of a layer, with its colours continued where it is hidden by other parts of the figure.
    fn completed(&self, mut seen: RgbaImage, is_there: impl Fn(usize, usize) -> bool) -> RgbaImage {
        let full = continued(&solid(&seen));
        for (x, y, pixel) in seen.enumerate_pixels_mut() {
            if is_there(x as usize, y as usize) && self.is_figure(x as usize, y as usize) {
                *pixel = over(*pixel, *full.get_pixel(x, y));
            }
        }
        seen
    }

    fn is_arm(&self, x: usize, y: usize) -> bool {
        self.is_figure(x, y) && self.of_picture(&self.segmentation.parts, x, y).is_arm()
    }

    /// What the segmentation says of a pixel of the picture.
    fn of_picture<T: Copy>(&self, field: &Field<T>, x: usize, y: usize) -> T {
        let place = |pixel: usize, size: usize| ((pixel as f32 * self.scale) as usize).min(size - 1);
        field.at(place(x, field.width), place(y, field.height))
    }

    fn is_figure(&self, x: usize, y: usize) -> bool {
        self.picture.get_pixel(x as u32, y as u32).0[3] > 127
    }
}

/// Pieces of the same thing differ by less, as the sum over red, green and blue of 255 each.
const SAME_COLOUR: f32 = 60.0;

/// What is seen on a side of the figure.
#[derive(Debug, Clone, Default)]
struct Side {
    size: usize,
    sum: [f32; 3],
}

impl Side {
    fn add(&mut self, colour: [u8; 4]) {
        self.size += 1;
        self.sum.iter_mut().zip(colour).for_each(|(sum, value)| *sum += f32::from(value));
    }

    /// Whether both have about the same colour.
    fn is_like(&self, other: &Self) -> bool {
        let mean = |side: &Self| side.sum.map(|sum| sum / side.size.max(1) as f32);
        mean(self).iter().zip(mean(other)).map(|(a, b)| (a - b).abs()).sum::<f32>() < SAME_COLOUR
    }
}

/// Only what is opaque: half-transparent edges have the colours of what is beside them.
fn solid(picture: &RgbaImage) -> RgbaImage {
    let mut solid = picture.clone();
    solid.pixels_mut().filter(|pixel| pixel.0[3] < 250).for_each(|pixel| *pixel = Rgba([0; 4]));
    solid
}

/// One premultiplied pixel over another.
fn over(above: Rgba<u8>, below: Rgba<u8>) -> Rgba<u8> {
    let through = 255 - u32::from(above.0[3]);
    let mut mixed = above;
    for (above, below) in mixed.0.iter_mut().zip(below.0) {
        *above = (u32::from(*above) + (u32::from(below) * through + 127) / 255).min(255) as u8;
    }
    mixed
}

/// Widest line, in pixels of the segmentation.
const LINE: f32 = 3.0;

/// Where a part is, with the lines around it: an outline between two parts is both's.
fn with_lines(segmentation: &Segmentation, part: Part) -> Field<bool> {
    along_lines(segmentation, segmentation.parts.map(|of| (of == part).then_some(())))
}

/// Where a part is crossed by the outlines of what lies over it: lines that are near to other parts, and not to the background.
fn outlines_of_others(segmentation: &Segmentation, part: Part) -> Field<bool> {
    let Segmentation { parts, figure, .. } = segmentation;
    let mut others = parts.map(|of| (of != part).then_some(()));
    others.values.iter_mut().zip(&figure.values).filter(|(_, seen)| !**seen).for_each(|(of, _)| *of = None);
    along_lines(segmentation, others)
}

/// What is reached from some pixels along the lines that touch them.
fn along_lines(segmentation: &Segmentation, mut from: Field<Option<()>>) -> Field<bool> {
    let lines = &segmentation.edges.lines;
    let far = spread(&mut from, |_, to, distance| lines.values[to].then_some(distance));
    far.map(|far| far <= LINE)
}

/// A pixel of whose surroundings less than this share is a part's is not shown with it, ...
const LEAST: f32 = 0.15;
/// ... and one with more than this is wholly. Half is the boundary.
const WHOLE: f32 = 0.35;

/// How much of each pixel's surroundings is a part's, 0 to 1: half on its boundary, which is smooth thereby.
pub(crate) struct Shares(Vec<(Part, Smoothed)>);

type Smoothed = ImageBuffer<Luma<f32>, Vec<f32>>;

impl Shares {
    /// `scale` is how many pixels of the segmentation there are for each of the picture.
    pub fn new(segmentation: &Segmentation, scale: f32) -> Self {
        // Steps of a coarse segmentation are smoothed; a fine one has none, and may have parts of few pixels.
        let deviation = if scale < 0.8 { 1.2 } else { 0.5 };
        let of_part = |part: Part| {
            let with_lines = with_lines(segmentation, part);
            let is_part = ImageBuffer::from_fn(with_lines.width as u32, with_lines.height as u32, |x, y| {
                Luma([f32::from(with_lines.at(x as usize, y as usize))])
            });
            (part, gaussian_blur_f32(&is_part, deviation))
        };
        let parts = &segmentation.parts.values;
        Self(Part::ALL.into_iter().filter(|part| parts.contains(part)).map(of_part).collect())
    }

    /// Between the pixels.
    fn at(&self, part: Part, place: Vector) -> f32 {
        let Some((_, shares)) = self.0.iter().find(|(of, _)| *of == part) else { return 0.0 };
        let (x, y) = (place.x - 0.5, place.y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (x - left, y - top);
        let near = |value: f32, size: u32| (value.max(0.0) as u32).min(size - 1);
        let at = |x: f32, y: f32| shares.get_pixel(near(x, shares.width()), near(y, shares.height())).0[0];
        (1.0 - down) * ((1.0 - across) * at(left, top) + across * at(left + 1.0, top))
            + down * ((1.0 - across) * at(left, top + 1.0) + across * at(left + 1.0, top + 1.0))
    }
}
