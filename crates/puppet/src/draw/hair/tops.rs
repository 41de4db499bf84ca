//! Hair that stands up: spikes, curls, a mohawk.

use crate::colour::Rgb;
use crate::draw::hair::Hair;
use crate::geometry::{Vector, cosine, sine};
use crate::painter::{Painter, Part, Shape, blob, curve, disc, polygon};

/// Broad spikes all around the head, behind it, swept up on the sides.
pub fn spikes(painter: &mut Painter, hair: &Hair) {
    let mut points = Vec::with_capacity(40);
    let lean = 14.0 * (hair.identity.fringe - 0.5) - 10.0 * hair.turn;
    for index in 0..8 {
        let angle = 216.0 - 36.0 * index as f32;
        let top = angle > 25.0 && angle < 155.0;
        let reach =
            if hair.covered && top { 1.1 } else { [1.62, 1.50, 1.60, 1.46, 1.62, 1.48, 1.58, 1.52][index] };
        let up = if angle > 90.0 { -9.0 } else { 9.0 };
        let tip = hair.at(cosine(angle + up + lean) * reach, sine(angle + up + lean) * reach * 0.96)
            + hair.swing * hair.radii(0.2);
        let valley = hair.at(cosine(angle - 18.0) * 1.10, sine(angle - 18.0) * 1.10);
        points.extend([tip, tip, valley, valley]);
    }
    points.push(hair.at(0.0, -0.8));
    painter.surface(&blob(&points), hair.colour);
}

/// A cloud of curls behind the head.
pub fn curls(painter: &mut Painter, hair: &Hair) {
    painter.surface(&cloud(hair, 1.30, 236.0, -56.0, 12), hair.colour.mix(hair.behind(), 0.6));
}

/// Curls over the brow, and curled strands.
pub fn curly_front(painter: &mut Painter, hair: &Hair) {
    let mut points = Vec::with_capacity(40);
    let crown = if hair.covered { 1.06 } else { 1.22 };
    for step in 0..15 {
        let angle = 190.0 - 200.0 / 14.0 * step as f32;
        let reach = if step % 2 == 0 { crown } else { crown - 0.10 };
        points.push(hair.at(cosine(angle) * reach, sine(angle) * reach + 0.04));
    }
    let lift = 0.16 * hair.identity.fringe;
    for (x, y) in [
        (0.92, -0.20),
        (0.78, 0.02),
        (0.72, 0.26),
        (0.46, 0.24),
        (0.34, 0.42),
        (0.08, 0.28),
        (-0.06, 0.44),
        (-0.32, 0.28),
        (-0.48, 0.40),
        (-0.70, 0.22),
        (-0.80, 0.0),
        (-0.92, -0.20),
    ] {
        points.push(hair.figure.face(x, y + if x.abs() < 0.6 { lift } else { 0.0 }));
    }
    painter.surface(&blob(&points), hair.colour);
    let dark = hair.colour.shadow().mix(hair.colour.outline(), 0.2);
    for (x, y, size) in [(-0.55, 0.62, 0.2), (0.10, 0.80, 0.22), (0.66, 0.55, 0.2)] {
        let coil: Vec<Vector> = (0..6)
            .map(|step| {
                let angle = 200.0 - 52.0 * step as f32;
                hair.at(x + cosine(angle) * size, y + sine(angle) * size)
            })
            .collect();
        painter.line(&curve(&coil), dark, hair.radii(0.06));
    }
    if !hair.covered {
        for (x, y) in [(-0.62, 0.80), (-0.30, 0.98), (0.02, 1.0)] {
            painter.fill(&disc(hair.at(x, y), hair.radii(0.11)), hair.colour.light());
        }
    }
}

/// A closed outline of round bumps.
fn cloud(hair: &Hair, radius: f32, from: f32, to: f32, bumps: usize) -> Shape {
    let mut points = Vec::with_capacity(bumps * 3);
    let step = (to - from) / bumps as f32;
    for bump in 0..bumps {
        let angle = from + step * bump as f32;
        for (share, reach) in [(0.0, radius - 0.10), (0.3, radius + 0.08), (0.7, radius + 0.08)] {
            let reach = if hair.covered { reach.min(1.25) } else { reach };
            let angle = angle + step * share;
            points.push(hair.at(cosine(angle) * reach - 0.08 * hair.turn, sine(angle) * reach - 0.05));
        }
    }
    blob(&points)
}

/// Shaved sides and a crest along the middle.
pub fn mohawk(painter: &mut Painter, hair: &Hair) {
    painter.part(Part::Hair);
    // The shaved sides are a tint of the hair on the skin.
    let side = |side: f32| {
        let face = |x: f32, y: f32| hair.figure.face(x * side, y);
        blob(&[
            hair.at(side * 0.97, -0.06),
            hair.at(side * 0.99, 0.24),
            hair.at(side * 0.72, 0.72),
            hair.at(side * 0.2, 0.97),
            face(0.24, 0.66),
            face(0.62, 0.44),
            face(0.80, 0.16),
            face(0.90, -0.10),
        ])
    };
    let tint = hair.identity.skin.mix(hair.colour, 0.55).shadow();
    painter.fill(&side(-1.0), tint);
    painter.fill(&side(1.0), tint);
    if hair.covered {
        tuft(painter, hair);
    } else if hair.turn == 0.0 {
        crest(painter, hair);
    } else {
        fin(painter, hair);
    }
}

/// The crest from the front.
fn crest(painter: &mut Painter, hair: &Hair) {
    let top = |x: f32, y: f32| hair.at(x, y) + hair.swing * hair.radii(0.2);
    let points = [
        hair.at(-0.26, 0.60),
        hair.at(-0.38, 0.90),
        top(-0.60, 1.36),
        top(-0.32, 1.34),
        top(-0.22, 1.66),
        top(0.02, 1.50),
        top(0.26, 1.68),
        top(0.34, 1.36),
        top(0.60, 1.38),
        hair.at(0.38, 0.90),
        hair.at(0.26, 0.60),
        hair.at(0.12, 0.36),
        hair.at(-0.01, 0.54),
        hair.at(-0.15, 0.32),
    ];
    painter.surface(&polygon(&points), hair.colour);
    for x in [-0.16, 0.02, 0.18] {
        painter.line(
            &curve(&[hair.at(x * 0.7, 0.64), hair.at(x, 1.0), top(x * 1.3, 1.32)]),
            strand(hair),
            hair.radii(0.06),
        );
    }
    painter.line(&curve(&[hair.at(-0.22, 0.92), top(-0.34, 1.24)]), hair.colour.light(), hair.radii(0.12));
}

/// The crest of a turned head: a fin from the brow over the crown to the back.
fn fin(painter: &mut Painter, hair: &Hair) {
    let side = hair.turn;
    let base = |x: f32, y: f32| hair.at(side * x, y);
    let top = |x: f32, y: f32| base(x, y) + hair.swing * hair.radii(0.2);
    let points = [
        base(0.30, 0.34),
        base(0.44, 0.52),
        base(0.56, 0.36),
        base(0.64, 0.70),
        top(0.72, 1.24),
        top(0.42, 1.20),
        top(0.40, 1.62),
        top(0.06, 1.36),
        top(-0.16, 1.68),
        top(-0.40, 1.32),
        top(-0.76, 1.48),
        top(-0.82, 1.04),
        top(-1.26, 1.02),
        top(-1.08, 0.66),
        top(-1.36, 0.40),
        base(-1.00, 0.20),
        base(-0.78, 0.46),
        base(-0.36, 0.74),
        base(0.06, 0.72),
    ];
    painter.surface(&polygon(&points), hair.colour);
    for ((from_x, from_y), (to_x, to_y)) in [
        ((0.30, 0.68), (0.36, 1.22)),
        ((-0.08, 0.86), (-0.14, 1.34)),
        ((-0.46, 0.80), (-0.64, 1.22)),
        ((-0.78, 0.58), (-1.02, 0.82)),
    ] {
        painter.line(&curve(&[base(from_x, from_y), top(to_x, to_y)]), strand(hair), hair.radii(0.06));
    }
    painter.line(&curve(&[base(0.12, 0.96), top(0.16, 1.24)]), hair.colour.light(), hair.radii(0.12));
}

/// What a hat leaves of the crest: a tuft on the brow.
fn tuft(painter: &mut Painter, hair: &Hair) {
    let points =
        [(-0.34, 0.80), (-0.28, 0.16), (-0.10, 0.36), (0.02, 0.08), (0.14, 0.34), (0.30, 0.18), (0.34, 0.80)];
    painter.surface(&polygon(&points.map(|(x, y)| hair.figure.face(x, y))), hair.colour);
}

fn strand(hair: &Hair) -> Rgb {
    hair.colour.shadow().mix(hair.colour.outline(), 0.25)
}
