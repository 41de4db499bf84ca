//! Animal ears and horns.

use crate::colour::Rgb;
use crate::draw::headwear::Seat;
use crate::painter::{Painter, blob, curve};

const INNER: Rgb = Rgb(250, 172, 180);

/// Pointed ears with pink insides.
pub fn cat(painter: &mut Painter, seat: &Seat) {
    for side in [-1.0, 1.0] {
        let at = |points: [(f32, f32); 8]| blob(&seat.points(points.map(|(x, y)| (side * x, y))));
        let outer = [
            (0.20, 1.00),
            (0.34, 1.34),
            (0.80, 1.74),
            (0.80, 1.74),
            (0.98, 1.30),
            (0.96, 0.72),
            (0.96, 0.72),
            (0.60, 0.80),
        ];
        painter.surface(&at(outer), seat.colour);
        let inner = [
            (0.40, 1.04),
            (0.48, 1.28),
            (0.77, 1.54),
            (0.77, 1.54),
            (0.86, 1.24),
            (0.84, 0.88),
            (0.84, 0.88),
            (0.60, 0.92),
        ];
        painter.fill(&at(inner), INNER);
    }
}

/// Long ears, one of which is bent.
pub fn rabbit(painter: &mut Painter, seat: &Seat) {
    let upright = |grow: f32| {
        [
            (-0.62 - grow, 0.86),
            (-0.78 - grow, 1.40),
            (-0.66 - grow * 0.6, 1.90 + grow),
            (-0.46 + grow * 0.6, 1.92 + grow),
            (-0.30 + grow, 1.44),
            (-0.30 + grow, 0.92),
        ]
    };
    painter.surface(&blob(&seat.points(upright(0.06))), seat.colour);
    painter.fill(&blob(&seat.points(upright(-0.10))), INNER);
    let stem = [(0.26, 0.92), (0.26, 1.42), (0.50, 1.84), (0.86, 1.84), (0.84, 1.40), (0.68, 0.84)];
    painter.surface(&blob(&seat.points(stem)), seat.colour);
    painter.fill(
        &blob(&seat.points([(0.42, 0.98), (0.42, 1.40), (0.58, 1.66), (0.72, 1.46), (0.58, 0.94)])),
        INNER,
    );
    let tip = [(0.46, 1.80), (0.80, 1.96), (1.18, 1.70), (1.30, 1.26), (1.12, 1.14), (0.86, 1.42)];
    painter.surface(&blob(&seat.points(tip)), seat.colour);
}

/// Curved horns with rings.
pub fn horns(painter: &mut Painter, seat: &Seat) {
    for side in [-1.0, 1.0] {
        let points = [
            (0.30, 0.98),
            (0.74, 1.12),
            (0.90, 1.38),
            (0.78, 1.78),
            (0.78, 1.78),
            (1.26, 1.44),
            (1.16, 0.98),
            (0.84, 0.66),
            (0.84, 0.66),
        ];
        painter.surface(&blob(&seat.points(points.map(|(x, y)| (side * x, y)))), seat.colour);
        for (inner, outer) in [((0.66, 1.06), (1.02, 0.86)), ((0.88, 1.28), (1.20, 1.12))] {
            let ring = seat.points([inner, outer].map(|(x, y)| (side * x, y)));
            painter.line(&curve(&ring), seat.colour.shadow().shadow(), seat.radii(0.07));
        }
    }
}
