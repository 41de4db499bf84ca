//! What of the picture each layer shows, hidden parts completed.

use dreamtuner_pose::Joint;
use image::{Rgba, RgbaImage};
use imageproc::geometry::convex_hull;
use imageproc::point::Point;

use crate::bones::LIMBS;
use crate::field::Field;
use crate::fill::continued;
use crate::geometry::{Vector, vector};
use crate::joints::{Joints, Torso};
use crate::lines::outlines_of_others;
use crate::outline::{is_inside, outline, solid_ends};
use crate::parts::Part;
use crate::segment::Segmentation;
use crate::shares::Shares;
use crate::split::Split;

/// A layer: a part with its own texture. An arm that lies over the head has two: what is around its shoulder lies below the head.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub part: Part,
    /// Premultiplied, of the whole picture's size.
    pub texture: RgbaImage,
    /// Where it hangs on the trunk, if it hangs in one place.
    pub hinge: Option<Hinge>,
}

/// Where chins begin, of the way from the neck to the nose: what is above goes with the head.
pub(crate) const CHIN: f32 = 0.25;

/// Where two layers are one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hinge {
    pub middle: Vector,
    pub radius: f32,
    /// Where it ends, and the way from there to what hangs on it: a neck ends at the chin.
    pub end: Option<(Vector, Vector)>,
}

impl Hinge {
    pub fn holds(&self, point: Vector) -> bool {
        (point - self.middle).length() < self.radius
            && self.end.is_none_or(|(end, way)| (point - end).dot(way) < 0.0)
    }

    /// How much of what is around it is shown with the layer, 0 to 1.
    fn share(&self, point: Vector) -> f32 {
        let inside = 1.0 - (point - self.middle).length() / self.radius;
        (inside * 4.0).clamp(0.0, 1.0)
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
    /// Where its colours are those of lines, or of two parts.
    pub mixed: &'a Field<bool>,
    /// Pixels of the segmentation for each of the picture.
    pub scale: f32,
    /// Where legs are two things; `None` where they are one with the trunk, as in a long skirt.
    pub split: Option<Split>,
}

impl Cut<'_> {
    /// The layers, from back to front; those that `order` leaves out lie behind.
    pub fn layers(&self, order: &[Part]) -> Vec<Layer> {
        let mut parts = Part::ALL;
        parts.sort_by_key(|part| order.iter().position(|of| of == part));
        let parts = parts.into_iter().filter(|part| !part.is_leg() || self.split.is_some());
        let parts: Vec<Part> = parts.collect();
        let head = parts.iter().position(|part| *part == Part::Head);
        let is_above_head =
            |part: &Part| part.is_arm() && head.is_some() && parts.iter().position(|of| of == part) > head;
        let mut layers = Vec::new();
        for part in &parts {
            let hinge = self.hinge(*part);
            if *part == Part::Head {
                // What is around an arm's hinge is the trunk's, and no chin hides behind it.
                let above = parts.iter().filter(|part| is_above_head(part));
                layers.extend(above.map(|arm| {
                    let hinge = self.hinge(*arm);
                    Layer { part: *arm, texture: self.shoulder(*arm, hinge), hinge }
                }));
            }
            let texture = match part {
                Part::Body => self.trunk(),
                Part::Loose => self.behind(),
                part if part.is_leg() => self.leg(*part),
                part if is_above_head(part) => self.limb(*part, None),
                part => self.limb(*part, hinge),
            };
            layers.push(Layer { part: *part, texture, hinge });
        }
        layers.retain(|layer| layer.texture.pixels().any(|pixel| pixel.0[3] > 127));
        layers
    }

    /// Pixels from a shoulder to the other.
    pub fn unit(&self) -> f32 {
        self.segmentation.unit / self.scale
    }

    fn hinge(&self, part: Part) -> Option<Hinge> {
        if part == Part::Head {
            let (nose, neck) = self.joints.pair(Joint::Nose, Joint::Neck)?;
            let radius = (self.unit() * 0.33).max((nose - neck).length() * 0.3);
            let end = Some((neck.toward(nose, CHIN), (nose - neck).unit()));
            return Some(Hinge { middle: neck.toward(nose, 0.25), radius, end });
        }
        let place = LIMBS.iter().position(|(limb, _)| *limb == part && part.is_arm())?;
        let middle = self.joints.at(LIMBS[place].1[0])?;
        Some(Hinge { middle, radius: self.segmentation.half_width(part)? / self.scale * 1.25, end: None })
    }

    /// How much of a pixel is the part's.
    fn share(&self, part: Part, point: Vector) -> f32 {
        self.shares.shown(part, point * self.scale)
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
            if part.is_leg() && self.split.is_some_and(|split| point.y < split.row - ABOVE) {
                return 0.0;
            }
            self.share(part, point).max(hinge.map_or(0.0, |hinge| hinge.share(point)))
        })
    }

    /// What is around the hinge of an arm, and not the arm's own.
    fn shoulder(&self, arm: Part, hinge: Option<Hinge>) -> RgbaImage {
        self.shown(|point| match hinge {
            Some(hinge) if self.share(arm, point) < 1.0 => hinge.share(point),
            _ => 0.0,
        })
    }

    /// A leg, continued behind the skirt, as wide as it is below the hem.
    fn leg(&self, part: Part) -> RgbaImage {
        let seen = self.limb(part, None);
        let chain = LIMBS.into_iter().find(|(limb, _)| *limb == part);
        let Some((hem, (_, joints))) = self.split.filter(|split| split.is_hem).zip(chain) else {
            return seen;
        };
        let bones: Vec<Vector> = joints.into_iter().filter_map(|joint| self.joints.at(joint)).collect();
        let far = |place: Vector| {
            let bones = bones.windows(2).map(|bone| place.distance_to_line(bone[0], bone[1]));
            bones.fold(f32::INFINITY, f32::min)
        };
        // At the hem some of the skirt is taken for the leg's.
        let below = ((hem.row + 0.1 * self.unit()) as u32).min(seen.height() - 1);
        let half = (0..seen.width()).filter(|x| seen.get_pixel(*x, below).0[3] > 127).count() as f32 / 2.0;
        let mut own = self.own_colours(&seen);
        let above = own.enumerate_pixels_mut().filter(|(_, y, _)| *y < below);
        above.for_each(|(_, _, pixel)| *pixel = Rgba([0; 4]));
        self.completed(seen, &own, |x, y| {
            y < below as usize && far(vector(x as f32 + 0.5, y as f32 + 0.5)) < half
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
            let above = self.split.is_none_or(|split| point.y < split.row);
            let legs = if above { legs[0] + legs[1] } else { 0.0 };
            (self.share(Part::Body, point) + legs).min(1.0)
        });
        let outline = outline(&seen, self.torso, 0.35 * self.unit(), |x, y| self.is_arm(x, y));
        let own = self.own_colours(&seen);
        self.completed(seen, &own, |x, y| outline.at(x, y))
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
        let own = self.own_colours(&seen);
        match self.cape(&seen) {
            Some(outline) => {
                self.completed(seen, &own, |x, y| is_inside(&outline, vector(x as f32 + 0.5, y as f32 + 0.5)))
            }
            None => {
                let ends: Vec<_> = (0..seen.height() as usize).map(|row| solid_ends(&seen, row)).collect();
                let is_between =
                    |x: usize, y: usize| ends[y].is_some_and(|(first, last)| (first..=last).contains(&x));
                self.completed(seen, &own, |x, y| is_between(x, y) && self.is_arm(x, y))
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

    /// What is seen of a layer, continued with the colours of `own` where it is hidden by other parts of the figure.
    fn completed(
        &self,
        mut seen: RgbaImage,
        own: &RgbaImage,
        is_there: impl Fn(usize, usize) -> bool,
    ) -> RgbaImage {
        let full = continued(own);
        for (x, y, pixel) in seen.enumerate_pixels_mut() {
            if is_there(x as usize, y as usize) && self.is_figure(x as usize, y as usize) {
                *pixel = over(*pixel, *full.get_pixel(x, y));
            }
        }
        seen
    }

    /// What is opaque of a layer, and mixed neither with a line nor with another part.
    fn own_colours(&self, seen: &RgbaImage) -> RgbaImage {
        let mut own = seen.clone();
        let mixed = own.enumerate_pixels_mut().filter(|(x, y, pixel)| {
            pixel.0[3] < 250 || self.of_picture(self.mixed, *x as usize, *y as usize)
        });
        mixed.for_each(|(_, _, pixel)| *pixel = Rgba([0; 4]));
        own
    }

    fn is_arm(&self, x: usize, y: usize) -> bool {
        self.is_figure(x, y) && self.of_picture(&self.segmentation.parts, x, y).is_arm()
    }

    /// What the segmentation says of a pixel of the picture.
    fn of_picture<T: Copy>(&self, field: &Field<T>, x: usize, y: usize) -> T {
        let place = |pixel: usize, size: usize| (((pixel as f32 + 0.5) * self.scale) as usize).min(size - 1);
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

/// One premultiplied pixel over another.
fn over(above: Rgba<u8>, below: Rgba<u8>) -> Rgba<u8> {
    let through = 255 - u32::from(above.0[3]);
    let mut mixed = above;
    for (above, below) in mixed.0.iter_mut().zip(below.0) {
        *above = (u32::from(*above) + (u32::from(below) * through + 127) / 255).min(255) as u8;
    }
    mixed
}
