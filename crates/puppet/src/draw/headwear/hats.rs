//! Hats, which cover the top of the head.

use crate::colour::{Rgb, WHITE};
use crate::draw::headwear::Seat;
use crate::painter::{Painter, blob, curve, disc, polygon};

/// A cap with a peak towards where the face looks.
pub fn cap(painter: &mut Painter, seat: &Seat) {
    let colour = seat.colour;
    let dome = seat.points([
        (-1.16, 0.36),
        (-1.16, 0.36),
        (-1.10, 0.82),
        (-0.70, 1.24),
        (0.0, 1.38),
        (0.70, 1.24),
        (1.10, 0.82),
        (1.16, 0.36),
        (1.16, 0.36),
        (0.6, 0.56),
        (0.0, 0.62),
        (-0.6, 0.56),
    ]);
    painter.surface(&blob(&dome), colour);
    let shade = seat.points([(0.62, 1.22), (1.06, 0.82), (1.12, 0.42), (0.72, 0.56), (0.78, 0.86)]);
    painter.fill(&blob(&shade), colour.shadow());
    for x in [-0.34, 0.34] {
        painter.line(
            &curve(&seat.points([(0.0, 1.36), (x * 1.2, 1.05), (x * 1.5, 0.6)])),
            colour.shadow(),
            seat.radii(0.05),
        );
    }
    let aside = 0.46 * seat.turn;
    let peak = [
        (-0.84, 0.62),
        (-0.84, 0.62),
        (0.0, 0.74),
        (0.84, 0.62),
        (0.84, 0.62),
        (0.90, 0.36),
        (0.46, 0.27),
        (0.0, 0.25),
        (-0.46, 0.27),
        (-0.90, 0.36),
    ]
    .map(|(x, y)| (x + aside, y));
    painter.surface(&blob(&seat.points(peak)), colour.shadow());
    painter.line(
        &curve(&seat.points([(-0.6 + aside, 0.56), (-0.1 + aside, 0.62)])),
        colour,
        seat.radii(0.08),
    );
    painter.surface(&disc(seat.at(0.0, 1.40), seat.radii(0.09)), colour);
    painter.line(&curve(&seat.points([(-0.82, 0.90), (-0.56, 1.14)])), colour.light(), seat.radii(0.12));
}

/// A tall hat with a band.
pub fn top_hat(painter: &mut Painter, seat: &Seat) {
    let colour = seat.colour;
    let crown =
        seat.points([(-0.74, 0.62), (-0.80, 1.62), (-0.40, 1.70), (0.40, 1.70), (0.80, 1.62), (0.74, 0.62)]);
    painter.surface(&polygon(&crown), colour);
    painter.fill(
        &polygon(&seat.points([(0.42, 0.62), (0.46, 1.68), (0.79, 1.61), (0.73, 0.62)])),
        colour.shadow(),
    );
    painter.line(&curve(&seat.points([(-0.58, 1.02), (-0.60, 1.50)])), colour.light(), seat.radii(0.12));
    let band =
        seat.points([(-0.74, 0.66), (-0.75, 0.92), (0.0, 0.86), (0.75, 0.92), (0.74, 0.66), (0.0, 0.58)]);
    painter.fill(&polygon(&band), band_colour(seat));
    brim(painter, seat, 1.32);
}

/// A pointed hat with a wide brim and a bent tip.
pub fn witch_hat(painter: &mut Painter, seat: &Seat) {
    let colour = seat.colour;
    let cone = seat.points([
        (-0.82, 0.56),
        (-0.82, 0.56),
        (-0.52, 1.10),
        (-0.16, 1.62),
        (0.30, 1.84),
        (0.78, 1.66),
        (0.78, 1.66),
        (0.44, 1.50),
        (0.50, 1.16),
        (0.82, 0.56),
        (0.82, 0.56),
    ]);
    painter.surface(&blob(&cone), colour);
    let shade =
        seat.points([(0.16, 1.64), (0.40, 1.50), (0.46, 1.16), (0.76, 0.62), (0.40, 0.58), (0.18, 1.16)]);
    painter.fill(&blob(&shade), colour.shadow());
    painter.line(&curve(&seat.points([(-0.52, 0.98), (-0.28, 1.34)])), colour.light(), seat.radii(0.12));
    let band =
        seat.points([(-0.80, 0.60), (-0.68, 0.86), (0.0, 0.80), (0.68, 0.86), (0.80, 0.60), (0.0, 0.52)]);
    painter.fill(&polygon(&band), band_colour(seat));
    brim(painter, seat, 1.52);
}

/// A knitted cap with a turned-up edge and a bobble.
pub fn beanie(painter: &mut Painter, seat: &Seat) {
    let colour = seat.colour;
    painter.surface(&disc(seat.at(0.0, 1.50), seat.radii(0.26)), band_colour(seat));
    let dome = seat.points([
        (-1.10, 0.50),
        (-1.10, 0.50),
        (-0.98, 1.00),
        (-0.5, 1.34),
        (0.0, 1.42),
        (0.5, 1.34),
        (0.98, 1.00),
        (1.10, 0.50),
        (1.10, 0.50),
    ]);
    painter.surface(&blob(&dome), colour);
    painter.fill(
        &blob(&seat.points([(0.52, 1.30), (0.94, 0.98), (1.06, 0.60), (0.70, 0.60), (0.66, 0.98)])),
        colour.shadow(),
    );
    for x in [-0.5, 0.0, 0.5] {
        painter.line(
            &curve(&seat.points([(x, 0.74), (x * 0.85, 1.06), (x * 0.5, 1.30)])),
            colour.shadow(),
            seat.radii(0.07),
        );
    }
    let cuff = seat.points([
        (-1.16, 0.34),
        (-1.14, 0.72),
        (-1.14, 0.72),
        (-0.5, 0.80),
        (0.0, 0.82),
        (0.5, 0.80),
        (1.14, 0.72),
        (1.14, 0.72),
        (1.16, 0.34),
        (1.16, 0.34),
        (0.5, 0.44),
        (0.0, 0.46),
        (-0.5, 0.44),
        (-1.16, 0.34),
    ]);
    painter.surface(&blob(&cuff), colour.light());
}

fn brim(painter: &mut Painter, seat: &Seat, half: f32) {
    let points = [
        (-1.0, 0.52),
        (-0.6, 0.68),
        (0.0, 0.64),
        (0.6, 0.68),
        (1.0, 0.52),
        (0.6, 0.42),
        (0.0, 0.36),
        (-0.6, 0.42),
    ];
    painter.surface(&blob(&seat.points(points.map(|(x, y)| (x * half, y)))), seat.colour);
    let under = [
        (-0.86, 0.50),
        (-0.5, 0.47),
        (0.0, 0.42),
        (0.5, 0.47),
        (0.86, 0.50),
        (0.5, 0.43),
        (0.0, 0.375),
        (-0.5, 0.43),
    ];
    painter.fill(&blob(&seat.points(under.map(|(x, y)| (x * half, y)))), seat.colour.shadow());
}

/// A colour for bands that stands out against the hat.
fn band_colour(seat: &Seat) -> Rgb {
    let Rgb(red, green, blue) = seat.colour;
    let bright = u32::from(red) + u32::from(green) + u32::from(blue) > 480;
    if bright { seat.colour.shadow().shadow().shadow() } else { seat.colour.mix(WHITE, 0.72) }
}
