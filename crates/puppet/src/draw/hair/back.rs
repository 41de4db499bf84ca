//! The mass of hair behind the head and the body.

use crate::draw::hair::Hair;
use crate::geometry::{Vector, vector};
use crate::identity::HairStyle;
use crate::painter::{Painter, blob, curve};

/// The hair behind everything, as long as the style wants it.
pub fn draw(painter: &mut Painter, hair: &Hair) {
    let torso = hair.figure.torso.scale;
    match hair.identity.hair {
        HairStyle::Long => long(painter, hair, torso * 1.02 + hair.radii(0.5), false),
        HairStyle::Wavy => long(painter, hair, torso * 0.72 + hair.radii(0.5), true),
        HairStyle::Bob => nape(painter, hair, 1.16, -1.0),
        HairStyle::Bowl => nape(painter, hair, 1.05, -0.26),
        HairStyle::Mohawk | HairStyle::Curly | HairStyle::Spiky => {}
        HairStyle::Short => nape(painter, hair, 1.03, -0.74),
        _ => nape(painter, hair, 1.02, -0.60),
    }
}

/// A rounded mass down to `low` and `wide` to each side, in radii of the head; moved away from where the face looks.
fn nape(painter: &mut Painter, hair: &Hair, wide: f32, low: f32) {
    let shift = -0.14 * hair.turn;
    let at = |x: f32, y: f32| hair.at(x + shift, y);
    let swing = hair.swing * hair.radii(0.18);
    let shape = blob(&[
        at(0.0, 1.0),
        at(wide * 0.8, 0.7),
        at(wide, 0.0),
        at(wide * 1.02, low * 0.6) + swing,
        at(wide * 0.86, low) + swing,
        at(wide * 0.86, low) + swing,
        at(0.0, low - 0.06) + swing,
        at(-wide * 0.86, low) + swing,
        at(-wide * 0.86, low) + swing,
        at(-wide * 1.02, low * 0.6) + swing,
        at(-wide, 0.0),
        at(-wide * 0.8, 0.7),
    ]);
    painter.surface(&shape, hair.behind());
}

/// A curtain of hair that hangs `length` down from the head, ending in points.
fn long(painter: &mut Painter, hair: &Hair, length: f32, wavy: bool) {
    let spine = hair.hang(hair.at(-0.16 * hair.turn, -0.1), 0.0, length);
    // Wide enough to show beside hanging arms.
    let shoulders = (hair.figure.shoulders + hair.figure.limb * 1.9) / hair.figure.head.scale;
    let flare = if wavy { 1.5_f32 } else { 1.3 }.max(shoulders);
    let edge = |side: f32| -> Vec<Vector> {
        (1..7)
            .map(|step| {
                let share = step as f32 / 6.0;
                let wave = if wavy { if step % 2 == 0 { 0.14 } else { -0.10 } } else { 0.0 };
                let width = 1.08 + (flare - 1.08) * share + wave;
                spine[step] + vector(side * hair.radii(width), 0.0)
            })
            .collect()
    };
    let end = spine[6];
    let tip = |x: f32, y: f32| end + vector(hair.radii(x * flare), hair.radii(y));
    let mut points = vec![hair.at(0.0, 1.0), hair.at(0.85, 0.7), hair.at(1.08, 0.1)];
    points.extend(edge(1.0));
    for (x, y) in
        [(0.86, 0.30), (0.62, 0.02), (0.34, 0.36), (0.05, 0.06), (-0.30, 0.38), (-0.60, 0.04), (-0.88, 0.30)]
    {
        // A point repeated is a corner: the tip of a lock.
        points.push(tip(x, y));
        if y > 0.2 {
            points.push(tip(x, y));
        }
    }
    points.extend(edge(-1.0).into_iter().rev());
    points.extend([hair.at(-1.08, 0.1), hair.at(-0.85, 0.7)]);
    painter.surface(&blob(&points), hair.colour.mix(hair.behind(), 0.55));
    for (top, low) in [(-0.95, -0.85), (0.95, 0.80), (-0.5, -0.35), (0.5, 0.3)] {
        let strand: Vec<Vector> = (2..7)
            .map(|step| spine[step] + vector(hair.radii(top + (low - top) * step as f32 / 6.0), 0.0))
            .collect();
        painter.line(&curve(&strand), hair.behind().shadow(), hair.radii(0.05));
    }
}
