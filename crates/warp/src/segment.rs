//! Which part of the figure each pixel belongs to: the one whose seed is nearest, on a way that seldom crosses an outline.

use dreamtuner_pose::Joint;
use image::{GrayImage, Luma, RgbaImage};
use imageproc::distance_transform::euclidean_squared_distance_transform;
use imageproc::drawing::{draw_line_segment_mut, draw_polygon_mut};
use imageproc::geometry::convex_hull;
use imageproc::point::Point;
use imageproc::region_labelling::{Connectivity, connected_components};

use crate::bones::LIMBS;
use crate::edges::Edges;
use crate::field::{Field, spread};
use crate::geometry::{Vector, middle, vector};
use crate::joints::{FACE, Joints, Torso};
use crate::parts::Part;
use crate::strays::{Arm, give_back};

/// A figure cut into parts.
#[derive(Debug, Clone)]
pub(crate) struct Segmentation {
    /// The part of each pixel; beyond the figure, of its nearest one.
    pub parts: Field<Part>,
    /// Where the figure is.
    pub figure: Field<bool>,
    /// How much of the figure does not hang together with any part of it.
    pub apart: f32,
    /// Where colours change.
    pub edges: Edges,
    /// Pixels from a shoulder to the other.
    pub unit: f32,
    /// Half of the usual width of each limb of [`LIMBS`]; `None` where it is not seen.
    half_widths: [Option<f32>; LIMBS.len()],
}

/// What crossing an outline costs, in pixels.
const OUTLINE: f32 = 30.0;
/// A limb is no wider than so many times its usual half-width.
const WIDEST_LIMB: f32 = 2.2;
/// Nor is anything so near to its bones, in shoulders' widths, loose for certain.
const WIDEST_SLEEVE: f32 = 0.45;
/// A shoe is no longer than so many shins.
const LONGEST_SHOE: f32 = 0.9;

/// Whether a pixel is the figure's.
fn is_figure(picture: &RgbaImage, index: usize) -> bool {
    picture.as_raw()[4 * index + 3] > 127
}

impl Segmentation {
    /// Cuts `picture`, whose transparency is the figure's, around its joints, of which `torso` is made; or as `given`.
    pub fn new(picture: &RgbaImage, joints: &Joints, torso: &Torso, given: Option<Field<Part>>) -> Self {
        let unit = (torso.right - torso.left).length().max(1.0);
        let edges = Edges::new(picture);
        let (parts, apart) = match given {
            Some(given) => (given, 0.0),
            None => cut(picture, joints, torso, &edges, unit),
        };
        let values = (0..parts.values.len()).map(|index| is_figure(picture, index)).collect();
        let figure = Field { width: parts.width, height: parts.height, values };
        let labels =
            parts.values.iter().zip(&figure.values).map(|(part, seen)| seen.then_some(*part)).collect();
        let labels = Field { width: parts.width, height: parts.height, values: labels };
        let shape = Shape { joints, edges: &edges, costs: &parts.map(|_| 0.0), unit };
        let half_widths = LIMBS.map(|(part, chain)| Some(shape.limb(&labels, part, chain)?.half_width));
        Self { parts, figure, apart, edges, unit, half_widths }
    }

    /// Half of the usual width of a limb; `None` where it is not seen.
    pub fn half_width(&self, part: Part) -> Option<f32> {
        self.half_widths[LIMBS.iter().position(|(limb, _)| *limb == part)?]
    }

    /// Whether a pixel is a leg's.
    pub fn is_leg(&self, x: usize, y: usize) -> bool {
        self.figure.at(x, y) && self.parts.at(x, y).is_leg()
    }
}

/// The part of each pixel, and how much of the figure does not hang together with any.
fn cut(picture: &RgbaImage, joints: &Joints, torso: &Torso, edges: &Edges, unit: f32) -> (Field<Part>, f32) {
    let mut labels = seeds(picture, joints, torso);
    let costs = spread(&mut labels, |from, to, distance| {
        let both = edges.change.values[from] + edges.change.values[to];
        is_figure(picture, to).then_some(distance * (1.0 + OUTLINE * both / 2.0))
    });
    let shape = Shape { joints, edges, costs: &costs, unit };
    shape.loosen(&mut labels);
    for (part, chain) in LIMBS.into_iter().filter(|(part, _)| part.is_arm()) {
        let Some(limb) = shape.limb(&labels, part, chain) else { continue };
        let far = |place| limb.distance(place) / limb.half_width.max(0.5);
        give_back(&mut labels, &Arm { part, far: &far, half_width: limb.half_width }, edges, unit);
    }
    // Islands and what is around the figure.
    spread(&mut labels, |_, _, distance| Some(distance));
    let seen = (0..costs.values.len()).filter(|index| is_figure(picture, *index));
    let (whole, apart) = seen.fold((0_usize, 0_usize), |(whole, apart), index| {
        (whole + 1, apart + usize::from(costs.values[index].is_infinite()))
    });
    (labels.map(|label| label.unwrap_or(Part::Body)), apart as f32 / whole.max(1) as f32)
}

/// What is sure of each part.
fn seeds(picture: &RgbaImage, joints: &Joints, torso: &Torso) -> Field<Option<Part>> {
    let (width, height) = picture.dimensions();
    let mut labels = Field::filled(width as usize, height as usize, None);
    let mut mark = |part: Part, drawn: &GrayImage| {
        for (index, value) in drawn.as_raw().iter().enumerate() {
            if *value > 0 && is_figure(picture, index) {
                labels.values[index] = Some(part);
            }
        }
    };
    let trunk = [
        torso.right.toward(torso.left, 0.25),
        torso.left.toward(torso.right, 0.25),
        torso.left_hip.toward(torso.right_hip, 0.1),
        torso.right_hip.toward(torso.left_hip, 0.1),
    ];
    mark(Part::Body, &hull(width, height, &trunk));
    for (part, [first, middle, last]) in LIMBS {
        let Some((first, middle)) = joints.pair(first, middle) else { continue };
        let mut bones = vec![first.toward(middle, if part.is_arm() { 0.4 } else { 0.45 }), middle];
        if let Some(last) = joints.at(last) {
            bones.extend([last, last + (last - middle) * if part.is_arm() { 0.25 } else { 0.12 }]);
        }
        mark(part, &line(width, height, &bones));
    }
    if let Some((nose, neck)) = joints.pair(Joint::Nose, Joint::Neck) {
        let mut face: Vec<Vector> = FACE.into_iter().filter_map(|joint| joints.at(joint)).collect();
        let middle = middle(&face);
        face.extend([neck.toward(nose, 0.55), middle + (middle - neck) * 0.5]);
        mark(Part::Head, &hull(width, height, &face));
    }
    labels
}

fn line(width: u32, height: u32, points: &[Vector]) -> GrayImage {
    let mut drawn = GrayImage::new(width, height);
    for pair in points.windows(2) {
        draw_line_segment_mut(&mut drawn, (pair[0].x, pair[0].y), (pair[1].x, pair[1].y), Luma([255]));
    }
    drawn
}

fn hull(width: u32, height: u32, points: &[Vector]) -> GrayImage {
    let points: Vec<Point<i32>> =
        points.iter().map(|point| Point::new(point.x.round() as i32, point.y.round() as i32)).collect();
    let mut drawn = GrayImage::new(width, height);
    let hull = convex_hull(points);
    if hull.len() > 2 && hull.first() != hull.last() {
        draw_polygon_mut(&mut drawn, &hull, Luma([255]));
    }
    drawn
}

/// What is known of a figure while it is cut.
struct Shape<'a> {
    joints: &'a Joints,
    edges: &'a Edges,
    costs: &'a Field<f32>,
    unit: f32,
}

impl Shape<'_> {
    /// Takes from limbs what is not theirs: tails, capes, bags, hair. Such things lie behind an outline, or far from the bones, and in
    /// some place farther than a limb is wide.
    fn loosen(&self, labels: &mut Field<Option<Part>>) {
        let limbs = LIMBS.map(|(part, chain)| self.limb(labels, part, chain));
        let mut doubts = labels.map(|_| Doubt::None);
        for ((part, _), limb) in LIMBS.into_iter().zip(&limbs) {
            let Some(limb) = limb else { continue };
            let of_limb = (0..labels.values.len()).filter(|index| labels.values[*index] == Some(part));
            for index in of_limb {
                let place = middle_of(labels, index);
                let far = limb.distance(place);
                if part.is_leg() && limb.is_beyond(place) {
                    continue;
                }
                let crossed = self.is_behind_outline(index, far);
                let widest = (WIDEST_LIMB * limb.half_width).max(WIDEST_SLEEVE * self.unit);
                doubts.values[index] = match far {
                    far if far > widest && (crossed || part.is_arm()) => Doubt::Certain,
                    far if far > 1.15 * limb.half_width && crossed => Doubt::Some,
                    _ => Doubt::None,
                };
            }
        }
        self.take(labels, &doubts);
    }

    /// Whether the way to a pixel, `far` from its bones, has crossed an outline: a straight one costs as much as it is long.
    fn is_behind_outline(&self, index: usize, far: f32) -> bool {
        self.costs.values[index] > far + OUTLINE * 0.25
    }

    fn limb(&self, labels: &Field<Option<Part>>, part: Part, [a, b, c]: [Joint; 3]) -> Option<Limb> {
        let (first, second) = self.joints.pair(a, b)?;
        let mut bones = vec![(first, second)];
        let last = self.joints.at(c);
        if let Some(last) = last {
            bones.push((second, last + (last - second) * 0.35));
        }
        let mut limb = Limb { bones, last: last.map(|last| (second, last)), half_width: 0.0 };
        let outside = GrayImage::from_fn(labels.width as u32, labels.height as u32, |x, y| {
            let index = y as usize * labels.width + x as usize;
            let is_limb = labels.values[index] == Some(part)
                && !self.is_behind_outline(index, limb.distance(middle_of(labels, index)));
            Luma([if is_limb { 0 } else { 255 }])
        });
        let distances = euclidean_squared_distance_transform(&outside);
        let places = limb
            .bones
            .iter()
            .flat_map(|(from, to)| (0..12).map(|step| from.toward(*to, 0.3 + 0.65 * step as f32 / 11.0)));
        let mut widths: Vec<f32> = places.map(|place| widest_near(&distances, place)).collect();
        widths.sort_by(f32::total_cmp);
        limb.half_width = widths[widths.len() / 2].max(self.unit * 0.06);
        Some(limb)
    }

    /// Makes loose each piece of doubtful pixels that is certain somewhere, and large enough to be a thing of its own. Lines join
    /// nothing, so that a shoe is not its shadow's, and are what is beside them.
    fn take(&self, labels: &mut Field<Option<Part>>, doubts: &Field<Doubt>) {
        let doubtful = GrayImage::from_fn(labels.width as u32, labels.height as u32, |x, y| {
            let (x, y) = (x as usize, y as usize);
            Luma([if doubts.at(x, y) == Doubt::None || self.edges.lines.at(x, y) { 0 } else { 255 }])
        });
        let pieces = connected_components(&doubtful, Connectivity::Eight, Luma([0]));
        let count = pieces.pixels().map(|pixel| pixel.0[0]).max().unwrap_or(0) as usize + 1;
        let (mut sizes, mut certain) = (vec![0_usize; count], vec![0_usize; count]);
        for (pixel, doubt) in pieces.pixels().zip(&doubts.values) {
            sizes[pixel.0[0] as usize] += 1;
            certain[pixel.0[0] as usize] += usize::from(*doubt == Doubt::Certain);
        }
        let least = (self.unit * self.unit * 0.05) as usize;
        for (index, pixel) in pieces.pixels().enumerate() {
            let piece = pixel.0[0] as usize;
            if doubts.values[index] != Doubt::None && self.edges.lines.values[index] {
                labels.values[index] = None;
            } else if piece > 0 && sizes[piece] >= least && certain[piece] * 10 >= sizes[piece] {
                labels.values[index] = Some(Part::Loose);
            }
        }
    }
}

/// Whether a pixel of a limb may be something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    Some,
    Certain,
}

/// The middle of a pixel.
pub(crate) fn middle_of<T: Copy>(field: &Field<T>, index: usize) -> Vector {
    let (x, y) = field.place(index);
    vector(x as f32 + 0.5, y as f32 + 0.5)
}

/// A limb's bones, and how wide it is around them.
struct Limb {
    bones: Vec<(Vector, Vector)>,
    /// The last bone as it is.
    last: Option<(Vector, Vector)>,
    half_width: f32,
}

impl Limb {
    /// Whether a point of a leg may be the foot's: it lies beyond the ankle, and no farther than drawn shoes reach.
    fn is_beyond(&self, point: Vector) -> bool {
        self.last.is_some_and(|(from, to)| {
            let (bone, beyond) = (to - from, point - to);
            beyond.length() < LONGEST_SHOE * bone.length() && beyond.dot(bone) > 0.0
        })
    }

    fn distance(&self, point: Vector) -> f32 {
        self.bones.iter().map(|(from, to)| point.distance_to_line(*from, *to)).fold(f32::INFINITY, f32::min)
    }
}

/// The largest distance from the outside within two pixels of a place.
pub(crate) fn widest_near(squared: &image::ImageBuffer<Luma<f64>, Vec<f64>>, place: Vector) -> f32 {
    let (x, y) = (place.x.round() as i64, place.y.round() as i64);
    let around = (-2..=2).flat_map(|down| (-2..=2).map(move |across| (x + across, y + down)));
    let inside = around.filter(|(x, y)| {
        (0..i64::from(squared.width())).contains(x) && (0..i64::from(squared.height())).contains(y)
    });
    inside.map(|(x, y)| squared.get_pixel(x as u32, y as u32).0[0].sqrt() as f32).fold(0.0, f32::max)
}
