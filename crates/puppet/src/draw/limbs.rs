//! What arms and legs have in common: a band along three joints that gets thinner, with shading and prints.

use crate::colour::{Rgb, SHADE, SHADE_OPACITY};
use crate::figure::Limb;
use crate::geometry::{Vector, vector};
use crate::identity::Pattern;
use crate::painter::{Painter, Shape, disc, quad, taper, union};

/// Where light falls to: shadows lie on this side.
pub const AWAY_FROM_LIGHT: Vector = vector(0.8, 0.6);

/// A band along a limb. Places along it are numbers: 0 the shoulder or hip, 1 the elbow or knee, 2 the wrist or ankle.
pub struct Band {
    centres: [Vector; 3],
    radii: [f32; 3],
}

impl Band {
    /// The band around `limb` with the given radii at its three joints.
    pub fn new(limb: &Limb, radii: [f32; 3]) -> Self {
        Self { centres: [limb.start, limb.middle, limb.end], radii }
    }

    /// The middle of the band.
    pub fn centre(&self, place: f32) -> Vector {
        let (index, share) = split(place);
        self.centres[index].toward(self.centres[index + 1], share)
    }

    /// Half the band's width.
    pub fn radius(&self, place: f32) -> f32 {
        let (index, share) = split(place);
        self.radii[index] + (self.radii[index + 1] - self.radii[index]) * share
    }

    /// Direction of the limb at a place, towards hand or foot.
    pub fn along(&self, place: f32) -> Vector {
        let (index, _) = split(place);
        (self.centres[index + 1] - self.centres[index]).unit()
    }

    /// The band from one place to another: round at the shoulder or hip, straight where it is cut off.
    pub fn shape(&self, from: f32, to: f32) -> Shape {
        let mut pieces = Vec::with_capacity(4);
        if from <= 0.0 {
            pieces.push(disc(self.centre(0.0), self.radii[0]));
        }
        if from < 1.0 {
            pieces.push(self.piece(from, to.min(1.0)));
        }
        if from < 1.0 && to > 1.0 {
            pieces.push(disc(self.centres[1], self.radii[1]));
        }
        if to > 1.0 {
            pieces.push(self.piece(from.max(1.0), to));
        }
        union(&pieces)
    }

    /// The band from one place to another that lies between the same two joints.
    pub fn piece(&self, from: f32, to: f32) -> Shape {
        // The upper half ends at 1, where the lower one begins: ask just before it.
        let end = if from < 1.0 { to.min(0.9999) } else { to };
        quad(self.centre(from), self.radius(from), self.centre(end), self.radius(end))
    }

    /// A shadow along the side that is away from the light.
    pub fn shade(&self, painter: &mut Painter, from: f32, to: f32) {
        let mut pieces = Vec::with_capacity(2);
        for (start, end) in [(from, to.min(0.9999)), (from.max(1.0), to)] {
            if end > start {
                let side = self.along(start).quarter_turn();
                let away = side.x * AWAY_FROM_LIGHT.x + side.y * AWAY_FROM_LIGHT.y;
                let side = if away < 0.0 { -side } else { side };
                let at = |place: f32| self.centre(place) + side * (self.radius(place) * 0.62);
                pieces.push(taper(at(start), self.radius(start) * 0.38, at(end), self.radius(end) * 0.38));
            }
        }
        painter.glaze(&union(&pieces), SHADE, SHADE_OPACITY);
    }

    /// Stripes, dots or checks on the band; other patterns are for torsos.
    pub fn print(&self, painter: &mut Painter, pattern: Pattern, colour: Rgb, from: f32, to: f32) {
        let step = 0.36;
        let mut place = from + step * 0.5;
        let mut odd = false;
        while place + step * 0.5 <= to + 0.01 {
            let end = (place + step * 0.5).min(to);
            // A stripe that would cross the knee is cut there.
            let (start, end) = if place < 1.0 && end > 1.0 { (place, 1.0) } else { (place, end) };
            match pattern {
                Pattern::Stripes => painter.fill(&self.piece(start, end), colour),
                Pattern::Dots => {
                    painter.fill(&disc(self.centre(place), self.radius(place) * 0.5), colour);
                }
                Pattern::Checks => self.check(painter, colour, start, end, odd),
                _ => {}
            }
            odd = !odd;
            place += if pattern == Pattern::Checks { step * 0.5 } else { step };
        }
    }

    fn check(&self, painter: &mut Painter, colour: Rgb, from: f32, to: f32, odd: bool) {
        let side = self.along(from).quarter_turn() * (if odd { 0.5 } else { -0.5 });
        let (start, end) = (self.radius(from), self.radius(to));
        let shape = quad(
            self.centre(from) + side * start,
            start * 0.5,
            self.centre(to.min(1.9999)) + side * end,
            end * 0.5,
        );
        painter.fill(&shape, colour);
    }
}

fn split(place: f32) -> (usize, f32) {
    if place < 1.0 { (0, place.max(0.0)) } else { (1, (place - 1.0).min(1.0)) }
}
