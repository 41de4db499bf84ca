//! A bow, a halo, a crown, headphones.

use crate::colour::{Colour, Rgb};
use crate::draw::headwear::Seat;
use crate::geometry::{Vector, cosine, sine};
use crate::painter::{LINE, Painter, blob, curve, disc, ellipse, polygon};

/// The gold of halos.
const GOLD: Rgb = Rgb(255, 212, 64);

/// A large bow on the crown, to one side.
pub fn bow(painter: &mut Painter, seat: &Seat) {
    let (x0, y0) = (0.46, 1.02);
    for side in [-1.0, 1.0] {
        let tilt = |x: f32, y: f32| (x0 + side * x, y0 + y - 0.22 * side * x);
        let loops =
            [(0.05, 0.0), (0.05, 0.0), (0.34, 0.34), (0.68, 0.42), (0.72, 0.0), (0.62, -0.32), (0.34, -0.24)];
        painter.surface(&blob(&seat.points(loops.map(|(x, y)| tilt(x, y)))), seat.colour);
        let fold = [tilt(0.16, 0.0), tilt(0.46, 0.03)];
        painter.line(&curve(&seat.points(fold)), seat.colour.shadow().shadow(), seat.radii(0.07));
        let light = [tilt(0.40, 0.24), tilt(0.58, 0.26)];
        painter.line(&curve(&seat.points(light)), seat.colour.light(), seat.radii(0.09));
    }
    painter.surface(&disc(seat.at(x0, y0), seat.radii(0.17)), seat.colour.shadow());
}

/// A golden ring above the head.
pub fn halo(painter: &mut Painter, seat: &Seat) {
    let head = &seat.figure.head;
    let ring =
        ellipse(head.at(0.0, 1.48 + seat.rise), head.right * seat.radii(0.74), head.up * seat.radii(0.20));
    painter.line(&ring, GOLD.outline(), seat.radii(0.17) + 2.0 * LINE);
    painter.line(&ring, GOLD, seat.radii(0.17));
    let light: Vec<Vector> = [200.0, 225.0, 250.0]
        .map(|angle| head.at(cosine(angle) * 0.74, 1.48 + seat.rise + sine(angle) * 0.20))
        .to_vec();
    painter.line(&curve(&light), Rgb(255, 248, 200), seat.radii(0.07));
}

/// A crown with five points and jewels.
pub fn crown(painter: &mut Painter, seat: &Seat) {
    let colour = seat.colour;
    let shape = seat.points([
        (-0.66, 0.84),
        (-0.80, 1.52),
        (-0.42, 1.20),
        (0.0, 1.68),
        (0.42, 1.20),
        (0.80, 1.52),
        (0.66, 0.84),
        (0.34, 0.77),
        (0.0, 0.75),
        (-0.34, 0.77),
    ]);
    painter.surface(&polygon(&shape), colour);
    let shade = seat.points([(0.30, 0.80), (0.36, 1.26), (0.43, 1.22), (0.78, 1.48), (0.65, 0.86)]);
    painter.fill(&polygon(&shade), colour.shadow());
    let light = seat.points([(-0.64, 1.26), (-0.56, 0.96)]);
    painter.line(&curve(&light), colour.light(), seat.radii(0.11));
    let jewel = if is_reddish(colour) { Colour::Teal.rgb() } else { Colour::Red.rgb() };
    painter.surface(&disc(seat.at(0.0, 1.04), seat.radii(0.13)), jewel);
    for (x, y) in [(-0.80, 1.54), (0.0, 1.70), (0.80, 1.54)] {
        painter.surface(&disc(seat.at(x, y), seat.radii(0.09)), colour.light());
    }
}

fn is_reddish(colour: Rgb) -> bool {
    colour == Colour::Red.rgb() || colour == Colour::Orange.rgb() || colour == Colour::Pink.rgb()
}

/// Headphones: an arch over the crown and two cups.
pub fn headphones(painter: &mut Painter, seat: &Seat) {
    let head = &seat.figure.head;
    let reach = 1.18 + seat.rise;
    let arch: Vec<Vector> = (0..9)
        .map(|step| {
            let angle = 178.0 - 22.0 * step as f32;
            head.at(cosine(angle) * (1.14 + seat.rise), sine(angle) * reach + 0.02)
        })
        .collect();
    let band = Colour::Gray.rgb().shadow();
    painter.line(&curve(&arch), band.outline(), seat.radii(0.17) + 2.0 * LINE);
    painter.line(&curve(&arch), band, seat.radii(0.17));
    for side in [-1.0, 1.0] {
        let (far, near) = ((side * seat.turn).max(0.0), (-side * seat.turn).max(0.0));
        let centre = head.at(side * (1.12 - 0.22 * near + seat.rise * 0.5), -0.10);
        let wide = 0.22 + 0.12 * near - 0.06 * far;
        let cup = ellipse(centre, head.right * seat.radii(wide), head.up * seat.radii(0.38));
        painter.surface(&cup, seat.colour);
        let light = ellipse(
            centre + head.up * seat.radii(0.12),
            head.right * seat.radii(wide * 0.45),
            head.up * seat.radii(0.12),
        );
        painter.fill(&light, seat.colour.light());
    }
}
