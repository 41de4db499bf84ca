//! What is worn below the waist: the hips of trousers, skirts.

use crate::colour::{SHADE, SHADE_OPACITY};
use crate::draw::legs::trousers;
use crate::draw::limbs::Band;
use crate::draw::patterns::Cloth;
use crate::draw::skirts::{Drape, Hang};
use crate::draw::tops::half_width;
use crate::figure::Figure;
use crate::identity::{BottomStyle, Identity, Pattern};
use crate::painter::{LINE, Painter, Part, Shape, blob, curve, polygon};
use crate::shot::Shot;

/// Height of the waist: 0 hips, 1 neck.
const WAIST: f32 = 0.2;

/// The part around the hips: the seat of trousers and shorts, or the whole skirt.
pub fn waist(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    painter.part(Part::Bottom);
    let drape = |end, flare| Drape { waist: WAIST, end, flare };
    match identity.bottom {
        BottomStyle::MiniSkirt => skirt(painter, identity, &drape(0.62, 0.7).hang(figure, shot)),
        BottomStyle::PleatedSkirt => pleated(painter, identity, &drape(0.78, 1.5).hang(figure, shot)),
        BottomStyle::LongSkirt => skirt(painter, identity, &drape(1.62, 1.5).hang(figure, shot)),
        BottomStyle::Tutu => tutu(painter, identity, figure, shot),
        style => {
            if let Some((radii, _)) = trousers(style) {
                seat(painter, identity, figure, radii[0]);
            }
        }
    }
}

/// The seat, merged with the thighs below it.
fn seat(painter: &mut Painter, identity: &Identity, figure: &Figure, thigh: f32) {
    let colour = identity.bottom_colour.rgb();
    let torso = &figure.torso;
    let at = |side: f32, height: f32, share: f32| {
        torso.at(0.0, height) + torso.right * (side * share * half_width(figure, height, 0.08))
    };
    let crotch = figure.legs[0].start.toward(figure.legs[1].start, 0.5) - torso.up * (figure.limb * 1.15);
    let shape = blob(&[
        at(-1.0, WAIST, 0.93),
        at(-0.5, WAIST, 1.0),
        at(0.5, WAIST, 1.0),
        at(1.0, WAIST, 0.93),
        at(1.0, 0.06, 1.0),
        at(1.0, -0.06, 0.98),
        crotch,
        at(-1.0, -0.06, 0.98),
        at(-1.0, 0.06, 1.0),
    ]);
    painter.surface(&shape, colour);
    for leg in &figure.legs {
        let band = Band::new(leg, [figure.limb * thigh * 0.97, figure.limb * 1.1, figure.limb]);
        painter.fill(&band.shape(0.0, 0.14), colour);
    }
    painter.line(
        &curve(&[torso.at(0.0, 0.06), crotch - torso.up * (figure.limb * 0.2)]),
        colour.outline(),
        LINE,
    );
}

/// Prints on the cloth of a skirt.
fn print(painter: &mut Painter, identity: &Identity, hang: &Hang, shape: &Shape) {
    if identity.bottom_pattern != Pattern::Plain {
        let corners = [hang.at(-0.05, 0.0), hang.at(1.05, 0.0), hang.at(-0.05, 1.05), hang.at(1.05, 1.05)];
        let colour = identity.bottom_pattern_colour.rgb();
        painter.inside(shape, |painter| Cloth { corners }.print(painter, identity.bottom_pattern, colour));
    }
}

fn skirt(painter: &mut Painter, identity: &Identity, hang: &Hang) {
    let colour = identity.bottom_colour.rgb();
    let shape = hang.shape(polygon(&hang.outline([0.0, 1.0], [0.0, 1.0], 6)));
    painter.surface(&shape, colour);
    print(painter, identity, hang, &shape);
    painter.glaze(&polygon(&hang.outline([0.7, 0.99], [0.0, 0.98], 4)), SHADE, SHADE_OPACITY);
    for u in [0.3, 0.66] {
        painter.line(&curve(&[hang.at(u, 0.6), hang.at(u, 0.97)]), colour.outline(), LINE);
    }
}

fn pleated(painter: &mut Painter, identity: &Identity, hang: &Hang) {
    const PLEATS: usize = 6;
    let colour = identity.bottom_colour.rgb();
    let mut points = hang.outline([0.0, 1.0], [0.0, 0.96], PLEATS * 2);
    // The hem, which comes after the upper edge and the right side, goes up and down.
    for (index, point) in points.iter_mut().skip(PLEATS * 2 + 4).take(PLEATS * 2 + 1).enumerate() {
        if index % 2 == 1 {
            *point = *point + hang.down() * 0.012;
        }
    }
    let shape = hang.shape(polygon(&points));
    painter.surface(&shape, colour);
    print(painter, identity, hang, &shape);
    for pleat in 0..PLEATS {
        let [from, to] = [0.55, 1.0].map(|share| (pleat as f32 + share) / PLEATS as f32);
        painter.glaze(&polygon(&hang.outline([from, to], [0.15, 0.97], 1)), SHADE, SHADE_OPACITY);
    }
    for pleat in 1..PLEATS {
        let u = pleat as f32 / PLEATS as f32;
        painter.line(
            &curve(&[hang.at(u, 0.3), hang.at(u, 0.6), hang.at(u, 0.97)]),
            colour.outline(),
            LINE * 0.9,
        );
    }
}

/// Three short layers of tulle, the lowest one first.
fn tutu(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    let colour = identity.bottom_colour.rgb();
    let light = colour.light();
    let layers = [(0.6, 2.3, colour.shadow()), (0.48, 2.0, light), (0.34, 1.5, colour)];
    for (end, flare, shade) in layers {
        let hang = Drape { waist: WAIST, end, flare }.hang(figure, shot);
        let mut points = hang.outline([0.0, 1.0], [0.0, 0.94], 8);
        for (index, point) in points.iter_mut().skip(12).take(9).enumerate() {
            if index % 2 == 1 {
                *point = *point + hang.down() * 0.02;
            }
        }
        let shape = hang.shape(blob(&points));
        painter.surface(&shape, shade);
        if shade == colour {
            print(painter, identity, &hang, &shape);
        }
    }
}
