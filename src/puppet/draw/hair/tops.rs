//! Hair that stands up: spikes, curls, a mohawk.

use crate::puppet::draw::hair::Hair;
use crate::puppet::geometry::{Vector, cosine, sine};
use crate::puppet::painter::{Painter, Part, blob, curve, disc, polygon};

/// Spikes all around the head, behind it.
pub fn spikes(painter: &mut Painter, hair: &Hair) {
    let mut points = Vec::with_capacity(40);
    for index in 0..11 {
        let angle = 215.0 - 25.0 * index as f32;
        let top = angle > 25.0 && angle < 155.0;
        let reach = if hair.covered && top {
            1.1
        } else if index % 2 == 0 {
            1.62
        } else {
            1.48
        };
        let lean = 8.0 * (hair.identity.fringe - 0.5);
        let tip = hair.at(cosine(angle + lean) * reach, sine(angle + lean) * reach * 0.96)
            + hair.swing * hair.radii(0.2);
        points.extend([tip, tip]);
        points.push(hair.at(cosine(angle - 12.5) * 1.08, sine(angle - 12.5) * 1.08));
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
fn cloud(hair: &Hair, radius: f32, from: f32, to: f32, bumps: usize) -> crate::puppet::painter::Shape {
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
    let shift = -0.30 * hair.turn;
    let high = if hair.covered { 1.0 } else { 1.66 };
    let top = |x: f32, y: f32| hair.at(x + shift, y) + hair.swing * hair.radii(0.2);
    let front = |x: f32, y: f32| hair.figure.face(x, y);
    let wide = 0.34 + 0.34 * hair.turn.abs();
    let crest = polygon(&[
        front(-0.24, 0.62),
        hair.at(-wide * 0.95 + shift * 0.5, 0.88),
        top(-wide * 1.6, high - 0.26),
        top(-wide * 0.85, high - 0.22),
        top(-wide * 0.5, high),
        top(wide * 0.02, high - 0.12),
        top(wide * 0.55, high + 0.02),
        top(wide * 0.85, high - 0.22),
        top(wide * 1.6, high - 0.24),
        hair.at(wide * 0.95 + shift * 0.5, 0.88),
        front(0.24, 0.62),
        front(0.10, 0.42),
        front(-0.02, 0.56),
        front(-0.14, 0.38),
    ]);
    painter.surface(&crest, hair.colour);
    let dark = hair.colour.shadow().mix(hair.colour.outline(), 0.25);
    for x in [-0.5, 0.0, 0.5] {
        let strand =
            [front(x * 0.3, 0.66), hair.at(x * wide + shift * 0.5, 1.0), top(x * wide * 1.3, high - 0.34)];
        painter.line(&curve(&strand), dark, hair.radii(0.06));
    }
    if !hair.covered {
        let light = [hair.at(-0.16 + shift * 0.6, 0.98), top(-0.30, high - 0.40)];
        painter.line(&curve(&light), hair.colour.light(), hair.radii(0.10));
    }
}
