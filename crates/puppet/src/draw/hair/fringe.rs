//! Cuts of the fringe.

use crate::draw::hair::Hair;
use crate::geometry::Vector;
use crate::identity::HairStyle;

/// The lower edge of the fringe from the figure's left temple to the right one; a point repeated is a corner.
pub fn edge(hair: &Hair) -> Vec<Vector> {
    let fall = hair.identity.fringe;
    match hair.identity.hair {
        HairStyle::Bowl => straight(hair),
        HairStyle::Bun | HairStyle::DoubleBuns => parted(hair, 0.5 * (fall - 0.5)),
        _ if fall < 0.28 => bangs(hair, fall / 0.28),
        _ if fall < 0.52 => swept(hair, -1.0),
        _ if fall < 0.76 => swept(hair, 1.0),
        _ => parted(hair, (fall - 0.88) * 2.0),
    }
}

fn points(hair: &Hair, corners: &[(f32, f32, bool)]) -> Vec<Vector> {
    let mut points = Vec::with_capacity(corners.len() * 2);
    for &(x, y, sharp) in corners {
        let point = hair.figure.face(x, y);
        points.push(point);
        if sharp {
            points.push(point);
        }
    }
    points
}

/// Even bangs over the whole brow, in pointed locks.
fn bangs(hair: &Hair, depth: f32) -> Vec<Vector> {
    let low = 0.26 - 0.10 * depth;
    points(
        hair,
        &[
            (0.80, 0.34, true),
            (0.62, low + 0.02, true),
            (0.42, 0.46, false),
            (0.24, low, true),
            (0.02, 0.48, false),
            (-0.18, low - 0.02, true),
            (-0.38, 0.46, false),
            (-0.60, low + 0.02, true),
            (-0.80, 0.34, true),
        ],
    )
}

/// A straight edge, as cut around a bowl.
fn straight(hair: &Hair) -> Vec<Vector> {
    points(
        hair,
        &[
            (0.86, 0.10, true),
            (0.80, 0.22, false),
            (0.40, 0.24, false),
            (0.0, 0.25, false),
            (-0.40, 0.24, false),
            (-0.80, 0.22, false),
            (-0.86, 0.10, true),
        ],
    )
}

/// Parted on one side and swept to the other (`to`: 1 is the right of the picture).
fn swept(hair: &Hair, to: f32) -> Vec<Vector> {
    let mut corners = [
        (0.84, 0.10, true),
        (0.66, 0.34, false),
        (0.50, 0.14, true),
        (0.28, 0.46, false),
        (0.06, 0.24, true),
        (-0.16, 0.58, false),
        (-0.38, 0.74, true),
        (-0.60, 0.50, false),
        (-0.82, 0.14, true),
    ]
    .map(|(x, y, sharp)| (x * to, y, sharp));
    if to < 0.0 {
        corners.reverse();
    }
    points(hair, &corners)
}

/// Parted near the middle, leaving the brow free.
fn parted(hair: &Hair, middle: f32) -> Vec<Vector> {
    points(
        hair,
        &[
            (0.86, 0.02, true),
            (0.74, 0.30, false),
            (0.42 + 0.4 * middle, 0.56, false),
            (middle, 0.80, true),
            (-0.42 + 0.4 * middle, 0.56, false),
            (-0.74, 0.30, false),
            (-0.86, 0.02, true),
        ],
    )
}
