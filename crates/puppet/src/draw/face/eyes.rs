//! Eyes: white, iris, pupil, highlight and lashes, or a line where they are closed.

use crate::colour::{OUTLINE, Rgb, WHITE};
use crate::draw::face::axes;
use crate::figure::{EYE, Figure};
use crate::geometry::{Vector, cosine, sine};
use crate::identity::Identity;
use crate::painter::{Painter, curve, ellipse, polygon};
use crate::shot::Expression;

/// How an eye is drawn.
#[derive(Clone, Copy)]
enum Eye {
    /// Open, with its half height (radii of the head), the size of its iris (1 fills it), and how much a lid hides of it.
    Open { height: f32, iris: f32, lid: f32 },
    /// An arch, as of a laughing eye.
    Arch,
    /// A bowl, as of a sleeping eye.
    Bowl,
}

/// An eye's own coordinates: ±1 are its edges.
struct Socket {
    centre: Vector,
    right: Vector,
    up: Vector,
}

impl Socket {
    fn at(&self, x: f32, y: f32) -> Vector {
        self.centre + self.right * x + self.up * y
    }
}

/// Both eyes.
pub fn draw(painter: &mut Painter, identity: &Identity, figure: &Figure, expression: Expression) {
    for side in [-1.0, 1.0] {
        let kind = eye(expression, side);
        let height = if let Eye::Open { height, .. } = kind { height } else { 0.16 };
        let (right, up) = axes(figure, side * EYE.0, EYE.1, 0.215, height);
        let socket = Socket { centre: figure.face(side * EYE.0, EYE.1), right, up };
        match kind {
            Eye::Open { iris, lid, .. } => {
                open(painter, identity, figure, &socket, side, iris, lid, expression)
            }
            Eye::Arch => closed(painter, identity, figure, &socket, 1.0),
            Eye::Bowl => closed(painter, identity, figure, &socket, -1.0),
        }
    }
}

fn eye(expression: Expression, side: f32) -> Eye {
    let open = |height, iris, lid| Eye::Open { height, iris, lid };
    match expression {
        Expression::Laugh => Eye::Arch,
        Expression::ClosedEyes => Eye::Bowl,
        Expression::Wink if side > 0.0 => Eye::Arch,
        Expression::Surprised => open(0.34, 0.62, 0.0),
        Expression::Angry => open(0.25, 0.85, 0.30),
        Expression::Smirk => open(0.26, 0.95, 0.42),
        Expression::Sad => open(0.27, 0.95, 0.12),
        _ => open(0.30, 1.0, 0.0),
    }
}

#[expect(clippy::too_many_arguments, reason = "one call, in the order in which they are drawn")]
fn open(
    painter: &mut Painter,
    identity: &Identity,
    figure: &Figure,
    socket: &Socket,
    side: f32,
    iris: f32,
    lid: f32,
    expression: Expression,
) {
    let colour = identity.eyes.rgb();
    let (right, up, radius) = (socket.right, socket.up, figure.head.scale);
    painter.fill(&ellipse(socket.centre, right, up), WHITE);
    let (wide, high) = (0.80 * iris, 0.97 * iris);
    let middle = socket.at(0.0, if iris > 0.9 { -0.02 } else { 0.0 });
    painter.fill(&ellipse(middle, right * wide, up * high), colour.mix(OUTLINE, 0.45));
    painter.fill(&ellipse(middle - up * (0.22 * iris), right * (wide * 0.84), up * (high * 0.74)), colour);
    painter.fill(
        &ellipse(middle - up * (0.52 * iris), right * (wide * 0.5), up * (high * 0.30)),
        colour.light(),
    );
    painter.fill(&ellipse(middle, right * (wide * 0.42), up * (high * 0.48)), OUTLINE);
    let shine = middle + right * (-0.30 * iris) + up * (0.40 * iris);
    painter.fill(&ellipse(shine, right * 0.30, up * 0.27), Rgb(255, 255, 255));
    if lid > 0.0 {
        hide(painter, identity, socket, side, lid, expression);
    }
    // The upper lash is the boldest line of the face and ends in a small wing.
    let top = 1.0 - 2.0 * lid;
    let (inner, outer) = match expression {
        Expression::Angry => (top - 0.35, top + 0.3),
        Expression::Sad => (top + 0.15, top - 0.25),
        _ => (top, top),
    };
    let lash = if lid > 0.0 {
        vec![
            socket.at(-side * 0.95, inner),
            socket.at(side * 0.2, (inner + outer) * 0.5 + 0.06),
            socket.at(side * 1.12, outer - 0.1),
        ]
    } else {
        vec![
            socket.at(-side * 0.98, 0.35),
            socket.at(-side * 0.55, 0.86),
            socket.at(0.0, 1.04),
            socket.at(side * 0.62, 0.82),
            socket.at(side * 1.16, 0.18),
        ]
    };
    painter.line(&curve(&lash), OUTLINE, 0.105 * radius);
    let below = [socket.at(-0.5, -0.92), socket.at(0.0, -1.03), socket.at(0.5, -0.92)];
    painter.line(&curve(&below), OUTLINE.mix(identity.skin, 0.3), 0.045 * radius);
}

/// The lid over the upper part of an eye, in skin.
fn hide(
    painter: &mut Painter,
    identity: &Identity,
    socket: &Socket,
    side: f32,
    lid: f32,
    expression: Expression,
) {
    let slant = match expression {
        Expression::Angry => 0.32,
        Expression::Sad => -0.2,
        _ => 0.0,
    };
    let edge = 1.0 - 2.0 * lid;
    let shape = polygon(&[
        socket.at(-side * 1.08, edge - slant),
        socket.at(side * 1.08, edge + slant),
        socket.at(side * 1.08, 1.12),
        socket.at(-side * 1.08, 1.12),
    ]);
    painter.fill(&shape, identity.skin);
}

/// A closed eye: an arch (`bend` 1) or a bowl (−1) with lashes.
fn closed(painter: &mut Painter, identity: &Identity, figure: &Figure, socket: &Socket, bend: f32) {
    let points: Vec<Vector> = (0..7)
        .map(|step| {
            let angle = 180.0 - 30.0 * step as f32;
            socket.at(cosine(angle) * 1.05, bend * (sine(angle) * 1.3 - 0.6))
        })
        .collect();
    if identity.skin.0 < 170 {
        // A lighter lid lets the line show on dark skin.
        painter.line(&curve(&points), identity.skin.mix(Rgb(255, 190, 140), 0.42), 0.22 * figure.head.scale);
    }
    painter.line(&curve(&points), OUTLINE, 0.11 * figure.head.scale);
}
