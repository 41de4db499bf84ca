//! The hair on top of the head, with its fringe and side locks.

use crate::draw::hair::{Hair, fringe};
use crate::geometry::{Vector, cosine, sine};
use crate::identity::HairStyle;
use crate::painter::{Painter, Part, Shape, blob, curve};

/// The cap with fringe and side locks, its shadow on the face, strands, and the band of light.
pub fn draw(painter: &mut Painter, hair: &Hair) {
    let identity = hair.identity;
    let drop = hair.figure.head.up * -hair.radii(0.09);
    let edge = fringe::edge(hair);
    // The fringe's shadow on the brow: the same edge a little lower, closed above by the hair that covers it.
    let mut shade: Vec<Vector> = edge.iter().map(|&point| point + drop).collect();
    shade.extend([hair.at(-0.6, 0.7), hair.at(0.0, 0.9), hair.at(0.6, 0.7)]);
    painter.part(Part::Skin);
    painter.fill(&blob(&shade), identity.skin.shadow());
    painter.part(Part::Hair);
    painter.surface(&cap(hair, &edge), hair.colour);
    strands(painter, hair);
    shine(painter, hair);
}

/// How far the side locks reach down, in radii of the head.
fn lock_length(style: HairStyle) -> f32 {
    match style {
        HairStyle::Bob => -0.82,
        HairStyle::Long => -1.10,
        HairStyle::Wavy => -0.98,
        HairStyle::Twintails => -0.72,
        HairStyle::Braids => -0.50,
        HairStyle::Bowl => -0.10,
        HairStyle::Ponytail | HairStyle::SidePonytail => -0.56,
        HairStyle::DoubleBuns => -0.66,
        HairStyle::Bun => -0.34,
        _ => -0.30,
    }
}

/// The cap: a dome, two side locks, and the fringe's edge between them.
fn cap(hair: &Hair, edge: &[Vector]) -> Shape {
    let mut points = Vec::with_capacity(32);
    for step in 0..9 {
        let angle = 176.0 - 21.5 * step as f32;
        let bulge = -0.05 * hair.turn;
        points.push(hair.at(cosine(angle) * 1.10 + bulge, sine(angle) * 1.08 + 0.06));
    }
    points.extend(lock(hair, 1.0));
    points.extend_from_slice(edge);
    points.extend(lock(hair, -1.0).into_iter().rev());
    blob(&points)
}

/// The outer edge and the tip of one side's lock, from above.
fn lock(hair: &Hair, side: f32) -> Vec<Vector> {
    let low = lock_length(hair.identity.hair);
    let away = (-side * hair.turn).max(0.0);
    let outer = 1.10 - 0.02 * (side * hair.turn).max(0.0);
    let swing = hair.swing * hair.radii(0.25 * -low);
    // On the side away from the view the lock covers the ear and all behind it.
    let inner = hair.figure.face(side * 0.84, low * 0.45);
    let tip = hair.at(side * (0.94 - 0.14 * away), low) + swing;
    vec![
        hair.at(side * outer, low * 0.4),
        hair.at(side * (outer - 0.04), low * 0.75) + swing * 0.6,
        tip,
        tip,
        inner,
    ]
}

/// A few darker curves from the crown into the locks.
fn strands(painter: &mut Painter, hair: &Hair) {
    let dark = hair.colour.shadow().mix(hair.colour.outline(), 0.25);
    let lean = hair.identity.fringe - 0.5;
    for (x, low) in [(-0.62, 0.46), (-0.24, 0.56), (0.30, 0.54), (0.68, 0.42)] {
        let line = [
            hair.figure.face(0.12 * x + 0.3 * lean, 0.97),
            hair.figure.face(0.66 * x + 0.2 * lean, 0.80),
            hair.figure.face(x, low),
        ];
        painter.line(&curve(&line), dark, hair.radii(0.05));
    }
}

/// The band of light across the crown, on the side of the light.
fn shine(painter: &mut Painter, hair: &Hair) {
    if hair.covered {
        return;
    }
    let arc = |radius: f32, from: f32, to: f32| {
        [0.0, 1.0, 2.0, 3.0].map(|step| {
            let angle = from + (to - from) * step / 3.0;
            hair.at(cosine(angle) * radius * 1.02, sine(angle) * radius + 0.02)
        })
    };
    let band = |from: f32, to: f32| {
        let (outer, inner) = (arc(0.90, from, to), arc(0.74, from - 3.0, to + 3.0));
        let mut points = vec![outer[0], outer[0], outer[1], outer[2], outer[3], outer[3]];
        points.extend([inner[3], inner[2], inner[1], inner[0]]);
        blob(&points)
    };
    painter.fill(&band(150.0, 100.0), hair.colour.light());
    painter.fill(&band(92.0, 76.0), hair.colour.light());
}
