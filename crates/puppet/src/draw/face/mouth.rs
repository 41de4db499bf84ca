//! The mouth.

use crate::colour::{OUTLINE, Rgb, WHITE};
use crate::figure::Figure;
use crate::geometry::Vector;
use crate::identity::Identity;
use crate::painter::{Painter, blob, curve};
use crate::shot::Expression;

const INSIDE: Rgb = Rgb(150, 36, 52);
const TONGUE: Rgb = Rgb(244, 120, 124);
/// Height of the mouth on the face, in radii of the head.
const HEIGHT: f32 = -0.64;

/// The mouth of an expression.
pub fn draw(painter: &mut Painter, identity: &Identity, figure: &Figure, expression: Expression) {
    let width = 0.075 * figure.head.scale;
    let at = |x: f32, y: f32| figure.face(x, HEIGHT + y);
    // Dark lips on light skin, rosy ones on dark skin.
    let colour = if identity.skin.0 < 170 { Rgb(238, 122, 116) } else { Rgb(122, 40, 50) };
    let mut stroke = |points: &[Vector]| painter.line(&curve(points), colour, width);
    match expression {
        Expression::Smile => {
            stroke(&[at(-0.22, 0.05), at(-0.11, -0.05), at(0.0, -0.08), at(0.11, -0.05), at(0.22, 0.05)])
        }
        Expression::Neutral => stroke(&[at(-0.13, 0.0), at(0.13, 0.0)]),
        Expression::Sad => stroke(&[at(-0.18, -0.10), at(-0.08, 0.0), at(0.08, 0.0), at(0.18, -0.10)]),
        Expression::Smirk => stroke(&[at(-0.16, -0.04), at(0.02, -0.05), at(0.14, 0.01), at(0.24, 0.13)]),
        Expression::ClosedEyes => stroke(&[at(-0.12, 0.02), at(0.0, -0.05), at(0.12, 0.02)]),
        Expression::Blush => {
            stroke(&[at(-0.19, -0.03), at(-0.09, 0.03), at(0.0, -0.04), at(0.09, 0.03), at(0.19, -0.03)])
        }
        Expression::Laugh => open_smile(painter, figure, 0.32, 0.30),
        Expression::Wink => open_smile(painter, figure, 0.22, 0.20),
        Expression::Surprised => {
            let ring = [at(-0.11, -0.02), at(0.0, 0.13), at(0.11, -0.02), at(0.0, -0.18)];
            painter.surface(&blob(&ring), INSIDE);
        }
        Expression::Angry => grit(painter, figure),
    }
}

/// An open, laughing mouth with its tongue.
fn open_smile(painter: &mut Painter, figure: &Figure, half: f32, depth: f32) {
    let at = |x: f32, y: f32| figure.face(x, HEIGHT + y);
    let (left, right) = (at(-half, 0.10), at(half, 0.10));
    let shape = blob(&[
        left,
        left,
        at(0.0, 0.06),
        right,
        right,
        at(half * 0.6, 0.1 - depth * 0.75),
        at(0.0, 0.1 - depth),
        at(-half * 0.6, 0.1 - depth * 0.75),
    ]);
    painter.line(&shape, OUTLINE, 0.07 * figure.head.scale);
    painter.fill(&shape, INSIDE);
    let tongue = [
        at(-half * 0.45, 0.08 - depth * 0.72),
        at(0.0, 0.1 - depth * 0.5),
        at(half * 0.45, 0.08 - depth * 0.72),
        at(0.0, 0.1 - depth * 0.94),
    ];
    painter.fill(&blob(&tongue), TONGUE);
}

/// Bared teeth in a mouth that is bent down.
fn grit(painter: &mut Painter, figure: &Figure) {
    let at = |x: f32, y: f32| figure.face(x, HEIGHT + y);
    let shape = blob(&[at(-0.22, -0.10), at(-0.12, 0.06), at(0.12, 0.06), at(0.22, -0.10), at(0.0, -0.05)]);
    painter.line(&shape, Rgb(110, 30, 42), 0.12 * figure.head.scale);
    painter.fill(&shape, WHITE);
}
