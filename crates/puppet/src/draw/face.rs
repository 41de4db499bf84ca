//! The head and the face on it.

mod eyes;
mod mouth;

use crate::colour::Rgb;
use crate::figure::{Figure, NOSE};
use crate::geometry::Vector;
use crate::identity::Identity;
use crate::painter::{Painter, Part, Shape, blob, curve, ellipse, polygon};
use crate::shot::Expression;

/// The head with ears, eyes, nose and mouth; the brows come later, over the hair.
pub fn head(painter: &mut Painter, identity: &Identity, figure: &Figure, expression: Expression) {
    painter.part(Part::Skin);
    for side in [-1.0, 1.0] {
        ear(painter, identity, figure, side);
    }
    painter.surface(&skull(figure), identity.skin);
    painter.fill(&jaw_shadow(figure), identity.skin.shadow().mix(identity.skin, 0.35));
    cheeks(painter, identity, figure, expression);
    painter.part(Part::Face);
    let nose = [(-0.03, 0.05), (0.05, -0.02), (-0.02, -0.04)];
    let nose = nose.map(|(x, y)| figure.face(NOSE.0 + x, NOSE.1 + y));
    painter.line(&curve(&nose), identity.skin.shadow().shadow(), 0.045 * figure.head.scale);
    eyes::draw(painter, identity, figure, expression);
    mouth::draw(painter, identity, figure, expression);
}

/// The brows, which show through the fringe.
pub fn brows(painter: &mut Painter, identity: &Identity, figure: &Figure, expression: Expression) {
    painter.part(Part::Face);
    // Height of the inner and the outer end and how thick the line is.
    let (inner, outer, width) = match expression {
        Expression::Angry => (0.12, 0.42, 0.13),
        Expression::Sad => (0.44, 0.22, 0.09),
        Expression::Surprised => (0.48, 0.46, 0.08),
        Expression::Blush => (0.36, 0.28, 0.08),
        Expression::Laugh | Expression::Wink => (0.34, 0.34, 0.08),
        Expression::Neutral => (0.26, 0.28, 0.09),
        _ => (0.28, 0.32, 0.09),
    };
    let colour = identity.hair_colour.rgb().outline();
    for side in [-1.0, 1.0] {
        let raised = if expression == Expression::Smirk { 0.1 * side } else { 0.0 };
        let arch = if expression == Expression::Angry { 0.0 } else { 0.05 };
        let line = [
            figure.face(side * 0.20, inner + raised),
            figure.face(side * 0.40, (inner + outer) * 0.5 + arch + raised),
            figure.face(side * 0.60, outer + raised),
        ];
        painter.line(&curve(&line), colour, width * figure.head.scale);
    }
}

/// −1 to 1: how far the head is turned to the right of the picture.
pub fn turned(figure: &Figure) -> f32 {
    figure.turn / 38.0
}

/// The outline of skull and jaw: round above, with a small pointed chin that follows the turn.
fn skull(figure: &Figure) -> Shape {
    let turn = turned(figure);
    let (mut points, side_of) = (Vec::with_capacity(14), |side: f32| side * turn);
    // Towards `far` (the side turned to) the cheek bulges, on the other the jaw runs back to the ear.
    let half = |side: f32| {
        let back = (-side_of(side)).max(0.0);
        let far = side_of(side).max(0.0);
        [
            (0.66, 0.74),
            (0.95, 0.18),
            (0.96 - 0.14 * back - 0.02 * far, -0.28),
            (0.69 - 0.19 * back + 0.09 * far, -0.67),
            (0.25 - 0.10 * back + 0.16 * far, -0.94),
        ]
        .map(|(x, y)| figure.head.at(side * x, y))
    };
    points.push(figure.head.at(0.0, 0.96));
    points.extend(half(1.0));
    points.push(figure.head.at(0.18 * turn, -1.0));
    points.extend(half(-1.0).into_iter().rev());
    blob(&points)
}

/// The shaded edge of the face away from the light, on the lower right.
fn jaw_shadow(figure: &Figure) -> Shape {
    let far = turned(figure).max(0.0);
    let back = (-turned(figure)).max(0.0);
    let at = |x: f32, y: f32| figure.head.at(x - 0.16 * back, y);
    blob(&[
        at(0.94, 0.05),
        at(0.94, -0.28),
        at(0.72 + 0.06 * far, -0.66),
        at(0.30 + 0.12 * far, -0.91),
        at(0.58 + 0.08 * far, -0.62),
        at(0.78 + 0.03 * far, -0.26),
    ])
}

fn ear(painter: &mut Painter, identity: &Identity, figure: &Figure, side: f32) {
    let turn = turned(figure);
    if side * turn > 0.0 {
        return;
    }
    let centre = figure.ear(side);
    let (right, up) = (figure.head.right * figure.head.scale, figure.head.up * figure.head.scale);
    painter.surface(&ellipse(centre, right * 0.16, up * 0.22), identity.skin);
    painter.fill(&ellipse(centre, right * 0.07, up * 0.12), identity.skin.shadow());
}

/// Rosy cheeks: a hint on every face, strong when blushing.
fn cheeks(painter: &mut Painter, identity: &Identity, figure: &Figure, expression: Expression) {
    let rose = Rgb(236, 84, 96);
    let (opacity, size) = match expression {
        Expression::Blush => (0.62, 1.3),
        Expression::Laugh | Expression::Smile | Expression::Wink => (0.30, 1.0),
        _ => (0.16, 1.0),
    };
    for side in [-1.0, 1.0] {
        let (right, up) = axes(figure, side * 0.56, -0.48, 0.17 * size, 0.10 * size);
        painter.glaze(&ellipse(figure.face(side * 0.56, -0.48), right, up), rose, opacity);
        if expression == Expression::Blush {
            for stroke in [-0.08_f32, 0.08] {
                let x = side * 0.56 + stroke;
                let line = [figure.face(x + 0.03, -0.42), figure.face(x - 0.03, -0.54)];
                painter.line(&curve(&line), rose.mix(identity.skin, 0.15), 0.04 * figure.head.scale);
            }
        }
    }
    if expression == Expression::Sad {
        let tear = [figure.face(0.52, -0.40), figure.face(0.46, -0.58), figure.face(0.58, -0.58)];
        painter.fill(&polygon(&tear), Rgb(120, 196, 250));
        let (right, up) = axes(figure, 0.52, -0.6, 0.065, 0.065);
        painter.fill(&ellipse(figure.face(0.52, -0.60), right, up), Rgb(120, 196, 250));
    }
}

/// Half axes on the canvas of an ellipse on the face with half width `width` and half height `height`, in radii of the head.
pub fn axes(figure: &Figure, x: f32, y: f32, width: f32, height: f32) -> (Vector, Vector) {
    let across = (figure.face(x + width, y) - figure.face(x - width, y)) * 0.5;
    // The far eye of a turned head stays readable.
    let least = figure.head.right * (figure.head.scale * width * 0.6);
    let right = if across.length() < least.length() { least } else { across };
    (right, figure.head.up * (figure.head.scale * height))
}
