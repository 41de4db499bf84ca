//! Coats, open in front.

use crate::colour::{SHADE, SHADE_OPACITY};
use crate::draw::skirts::{Drape, Hang};
use crate::draw::tops::{front, half_width};
use crate::figure::Figure;
use crate::geometry::{Vector, sine};
use crate::identity::{Identity, OuterStyle};
use crate::painter::{Painter, Part, disc, polygon};
use crate::shot::Shot;

/// How much wider than the body a coat is, in radii of a limb.
const BULK: f32 = 0.5;

/// The back of the coat, seen between the legs and in front through the opening.
pub fn back(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    if identity.outer != OuterStyle::Coat {
        return;
    }
    painter.part(Part::Outer);
    let hang = hang(figure, shot);
    let shape = hang.shape(polygon(&hang.outline([0.0, 1.0], [0.0, 0.98], 6)));
    painter.surface(&shape, identity.outer_colour.rgb().mix(SHADE, 0.42));
}

/// The coat's body over the top and the bottom; its sleeves are drawn with the arms.
pub fn body(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    if identity.outer != OuterStyle::Coat {
        return;
    }
    painter.part(Part::Outer);
    let colour = identity.outer_colour.rgb();
    let hang = hang(figure, shot);
    // The opening is where the chest is.
    let middle = 0.5 + 0.2 * sine(figure.turn);
    for side in [-1.0_f32, 1.0] {
        let (edge, outer) = if side < 0.0 { (middle - 0.22, 0.0) } else { (middle + 0.22, 1.0) };
        let panel = panel(figure, &hang, side, edge, outer);
        painter.surface(&polygon(&panel), colour);
        if side > 0.0 {
            let inner = edge.max(0.72) + 0.08;
            let shade = polygon(&hang.outline([inner, 1.0], [0.05, 1.0], 3));
            painter.glaze(&shade, SHADE, SHADE_OPACITY);
        }
        let lapel = [(0.22, 1.03), (0.6, 1.0), (0.68, 0.82), (0.52, 0.78), (0.46, 0.56)];
        let lapel = lapel.map(|(x, y)| front(figure, side * x, y));
        painter.surface(&polygon(&lapel), colour.light());
        painter.surface(&disc(front(figure, side * 0.62, 0.36), 0.008), colour.light());
    }
}

/// One side of the coat from the neck over the shoulder down to the hem.
fn panel(figure: &Figure, hang: &Hang, side: f32, edge: f32, outer: f32) -> Vec<Vector> {
    let torso = &figure.torso;
    let at = |height: f32, bulk: f32| {
        torso.at(0.0, height) + torso.right * (side * half_width(figure, height, bulk))
    };
    let mut points = vec![front(figure, side * 0.22, 1.04)];
    points.extend([at(0.985, 0.2), at(0.93, 0.3), at(0.84, 0.35), at(0.68, BULK * 0.6), at(0.4, BULK * 0.8)]);
    points.extend([0.1, 0.3, 0.5, 0.75, 1.0].map(|v| hang.at(outer, v)));
    let low = [0.75, 0.5, 0.25, 0.0].map(|share| outer + (edge - outer) * (1.0 - share));
    points.extend(low.map(|u| hang.at(u, 1.0)));
    points.extend([0.75, 0.5, 0.25].map(|v| hang.at(edge, v)));
    points.extend([front(figure, side * 0.42, 0.3), front(figure, side * 0.46, 0.6)]);
    points
}

fn hang(figure: &Figure, shot: &Shot) -> Hang {
    Drape { waist: 0.26, end: 0.92, flare: 1.3 }.hang(figure, shot)
}
