//! Glasses.

use crate::colour::Rgb;
use crate::draw::face::{axes, turned};
use crate::figure::{EYE, Figure};
use crate::geometry::Vector;
use crate::identity::{Glasses, Identity};
use crate::painter::{Painter, Part, Shape, blob, curve, ellipse, polygon};

/// The glasses, if any are worn.
pub fn draw(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    let frame = match identity.glasses {
        Glasses::Nothing => return,
        Glasses::Round => Rgb(150, 92, 30),
        Glasses::Square => Rgb(40, 34, 48),
        Glasses::Sunglasses => Rgb(26, 24, 32),
    };
    painter.part(Part::Accessory);
    let width = 0.085 * figure.head.scale;
    let bridge = [figure.face(-0.14, EYE.1), figure.face(0.0, EYE.1 + 0.05), figure.face(0.14, EYE.1)];
    painter.line(&curve(&bridge), frame, width);
    for side in [-1.0, 1.0] {
        if side * turned(figure) <= 0.0 {
            let ear = figure.face(side * 0.94, EYE.1 + 0.06);
            painter.line(&curve(&[figure.face(side * 0.66, EYE.1 + 0.04), ear]), frame, width);
        }
        let shape = lens(identity.glasses, figure, side);
        if identity.glasses == Glasses::Sunglasses {
            painter.surface(&shape, frame);
            let shine = [(-0.15, 0.13), (-0.02, 0.13), (-0.10, -0.10), (-0.19, -0.02)];
            painter.fill(
                &polygon(&shine.map(|(x, y)| figure.face(side * EYE.0 + x, EYE.1 + y))),
                Rgb(110, 116, 150),
            );
        } else {
            painter.glaze(&shape, Rgb(216, 240, 255), 0.12);
            painter.line(&shape, frame, width);
        }
    }
}

/// The outline of one lens.
fn lens(kind: Glasses, figure: &Figure, side: f32) -> Shape {
    let x = side * EYE.0;
    let centre = figure.face(x, EYE.1);
    let (right, up) = axes(figure, x, EYE.1, 0.30, 0.32);
    if kind == Glasses::Round {
        return ellipse(centre, right, up);
    }
    let at = |x: f32, y: f32| centre + right * x + up * y;
    let corners: [Vector; 8] = if kind == Glasses::Square {
        [
            (-0.95, 0.85),
            (-0.95, -0.6),
            (-0.75, -0.85),
            (0.75, -0.85),
            (0.95, -0.6),
            (0.95, 0.85),
            (0.8, 0.95),
            (-0.8, 0.95),
        ]
        .map(|(x, y)| at(x, y))
    } else {
        [
            (-1.0, 0.7),
            (-0.9, -0.3),
            (-0.4, -0.8),
            (0.4, -0.8),
            (0.9, -0.3),
            (1.0, 0.7),
            (0.5, 0.82),
            (-0.5, 0.82),
        ]
        .map(|(x, y)| at(x, y))
    };
    if kind == Glasses::Square { polygon(&corners) } else { blob(&corners) }
}
