//! Cloth that hangs from the waist over both thighs: skirts and the lower part of coats.

use crate::draw::limbs::Band;
use crate::draw::tops::half_width;
use crate::figure::{Figure, Limb};
use crate::geometry::{Vector, vector};
use crate::painter::{Shape, union};
use crate::shot::Shot;

/// Where a skirt hangs.
pub struct Drape {
    /// Height of the waist: 0 hips, 1 neck.
    pub waist: f32,
    /// Where it ends along the legs: 1 is the knee, 2 the ankle.
    pub end: f32,
    /// How far it stands away from the legs, in radii of a limb.
    pub flare: f32,
}

/// The four corners of hanging cloth and the lines between them.
pub struct Hang {
    waist: [Vector; 2],
    hips: [Vector; 2],
    hem: [Vector; 2],
    sag: Vector,
    /// Cloth around thighs that are raised, which the four corners do not reach.
    thighs: Vec<Shape>,
}

impl Drape {
    /// Hangs it on a figure that moves as in `shot`.
    pub fn hang(&self, figure: &Figure, shot: &Shot) -> Hang {
        let torso = &figure.torso;
        let swing = swing(figure, shot) * self.end.min(1.4);
        let sides = [-1.0_f32, 1.0];
        let at = |side: f32, height: f32, bulk: f32| {
            torso.at(0.0, height) + torso.right * (side * half_width(figure, height, bulk))
        };
        let mut hem = sides.map(|side| self.hem_corner(figure, side) + swing);
        // Legs that cross do not turn the skirt inside out.
        let middle = hem[0].toward(hem[1], 0.5);
        let least = half_width(figure, 0.0, self.flare * 0.5);
        for (corner, side) in hem.iter_mut().zip(sides) {
            if (corner.x - middle.x) * side < least {
                corner.x = middle.x + side * least;
            }
        }
        Hang {
            waist: sides.map(|side| at(side, self.waist, 0.12)),
            hips: sides.map(|side| at(side, -0.02, 0.25 + self.flare * 0.22)),
            hem,
            sag: vector(0.0, figure.limb * 0.5),
            thighs: figure.legs.iter().filter_map(|leg| self.thigh(figure, leg)).collect(),
        }
    }

    fn thigh(&self, figure: &Figure, leg: &Limb) -> Option<Shape> {
        let radius = figure.limb * (1.4 + 0.3 * self.flare * raised(leg).min(0.6));
        let band = Band::new(leg, [figure.limb * 1.4, radius, radius]);
        (raised(leg) > 0.0).then(|| band.shape(0.0, self.end.min(1.0)))
    }

    fn hem_corner(&self, figure: &Figure, side: f32) -> Vector {
        let corner = |leg: &Limb| {
            let band = Band::new(leg, [figure.limb * 1.3; 3]);
            let outward = -band.along(self.end).quarter_turn() * side;
            // From a raised thigh the cloth hangs down.
            let raised = raised(leg);
            let away = outward * (1.3 + self.flare) * (1.0 - raised) + vector(0.0, 1.5) * raised;
            band.centre(self.end) + away * figure.limb
        };
        let [first, second] = [corner(&figure.legs[0]), corner(&figure.legs[1])];
        if (first.x - second.x) * side > 0.0 { first } else { second }
    }
}

/// 0 for a thigh that hangs down, 1 for one that is level or higher.
fn raised(leg: &Limb) -> f32 {
    let down = (leg.middle - leg.start).unit().y;
    ((0.85 - down) / 0.6).clamp(0.0, 1.0)
}

/// How far the motion carries the hem of a skirt that ends at the knees.
pub fn swing(figure: &Figure, shot: &Shot) -> Vector {
    let most = figure.height * 0.06;
    let body = shot.motion.body;
    vector((-body.x * 0.06).clamp(-most, most), (-body.y * 0.05).clamp(-most, most))
}

impl Hang {
    /// A point of the cloth: u from 0 (left) to 1 (right), v from 0 (waist) to 1 (hem).
    pub fn at(&self, u: f32, v: f32) -> Vector {
        let [waist, hips, hem] = [&self.waist, &self.hips, &self.hem].map(|line| line[0].toward(line[1], u));
        let low = hem + self.sag * (4.0 * u * (1.0 - u));
        // A quadratic Bézier curve whose control point makes it bulge out to the hips.
        let control = hips * 1.25 - (waist + low) * 0.125;
        waist * ((1.0 - v) * (1.0 - v)) + control * (2.0 * v * (1.0 - v)) + low * (v * v)
    }

    /// The way the cloth hangs, of length 1.
    pub fn down(&self) -> Vector {
        (self.at(0.5, 1.0) - self.at(0.5, 0.0)).unit()
    }

    /// The whole cloth inside an outline of its four corners.
    pub fn shape(&self, outline: Shape) -> Shape {
        let mut pieces = self.thighs.clone();
        pieces.push(outline);
        union(&pieces)
    }

    /// The line around the cloth between two places across it, down to `v`; its hem is straight in `steps` pieces.
    pub fn outline(&self, [from, to]: [f32; 2], [top, bottom]: [f32; 2], steps: usize) -> Vec<Vector> {
        let mut points = Vec::with_capacity(steps * 2 + 8);
        let across = |step: usize| from + (to - from) * step as f32 / steps as f32;
        points.extend((0..=steps).map(|step| self.at(across(step), top)));
        points.extend([0.25, 0.5, 0.75].map(|share| self.at(to, top + (bottom - top) * share)));
        points.extend((0..=steps).rev().map(|step| self.at(across(step), bottom)));
        points.extend([0.75, 0.5, 0.25].map(|share| self.at(from, top + (bottom - top) * share)));
        points
    }
}
