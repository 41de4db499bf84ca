//! The torso and the top on it.

use crate::colour::{Rgb, SHADE, SHADE_OPACITY};
use crate::draw::collars;
use crate::draw::patterns::{Cloth, emblem};
use crate::figure::Figure;
use crate::geometry::{Place, Vector, cosine, sine};
use crate::identity::{Identity, Pattern, TopStyle};
use crate::painter::{Painter, Part, Shape, blob, curve, ellipse, polygon, taper};

/// The neck, and the torso in its top with pattern, collar and seams.
pub fn torso(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    if identity.top == TopStyle::Hoodie {
        collars::hood(painter, identity, figure);
    }
    neck(painter, identity, figure);
    let bare = matches!(identity.top, TopStyle::TankTop | TopStyle::CropTop);
    if bare {
        painter.surface(&blob(&outline(figure, 0.2, 0.0)), identity.skin);
        if identity.top == TopStyle::CropTop {
            painter.fill(
                &ellipse(front(figure, 0.0, 0.32), figure.torso.right * 0.006, figure.torso.up * 0.009),
                identity.skin.outline(),
            );
        }
    }
    painter.part(Part::Top);
    let hem = hem(identity.top);
    let shape = match identity.top {
        TopStyle::TankTop => tank_top(figure, hem),
        style => blob(&outline(figure, hem, bulk(style))),
    };
    painter.surface(&shape, identity.top_colour.rgb());
    if matches!(
        identity.pattern,
        Pattern::Stripes | Pattern::Columns | Pattern::Dots | Pattern::Checks | Pattern::Sash
    ) {
        painter.inside(&shape, |painter| print(painter, identity, figure, hem));
    }
    painter.glaze(&shadow(figure, hem), SHADE, SHADE_OPACITY);
    // The shadow of the chin.
    let (across, up) = (figure.torso.right * figure.shoulders, figure.torso.up * figure.torso.scale);
    painter.glaze(&ellipse(figure.torso.at(0.0, 1.0), across * 0.5, up * 0.12), SHADE, SHADE_OPACITY);
    collars::details(painter, identity, figure, hem);
    big_print(painter, identity, figure);
}

fn neck(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    painter.part(Part::Skin);
    let width = (figure.head.scale * 0.26).min(figure.limb * 1.2);
    let shape = taper(figure.torso.at(0.0, 0.93), width * 1.1, figure.head.at(0.0, -0.6), width);
    painter.surface(&shape, identity.skin.shadow());
}

fn print(painter: &mut Painter, identity: &Identity, figure: &Figure, hem: f32) {
    let colour = identity.pattern_colour.rgb();
    let half = figure.shoulders + figure.limb * 0.5;
    let torso = &figure.torso;
    let at = |side: f32, y: f32| torso.at(0.0, y) + torso.right * (side * half);
    let cloth = Cloth { corners: [at(-1.0, 1.0), at(1.0, 1.0), at(-1.0, hem - 0.04), at(1.0, hem - 0.04)] };
    cloth.print(painter, identity.pattern, colour);
}

/// A star, heart, bolt or letter on the chest, below what the collar hides.
fn big_print(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    let (colour, torso) = (identity.pattern_colour.rgb(), &figure.torso);
    let (middle, most) = match identity.top {
        TopStyle::CropTop => (0.7, 0.2),
        TopStyle::Sailor => (0.27, 0.16),
        TopStyle::Hoodie => (0.5, 0.26),
        TopStyle::Blouse | TopStyle::Polo | TopStyle::Vest => (0.4, 0.3),
        _ => (0.48, 0.34),
    };
    let size = (figure.shoulders * 0.84).min(most * torso.scale);
    let place = Place {
        origin: front(figure, 0.0, middle),
        right: torso.right * (0.4 + 0.6 * cosine(figure.turn)),
        up: torso.up,
        scale: size,
    };
    emblem(painter, identity.pattern, identity.letter, colour, &place);
}

/// The part of the torso that is away from the light.
fn shadow(figure: &Figure, hem: f32) -> Shape {
    let torso = &figure.torso;
    let at = |y: f32, share: f32| torso.at(0.0, y) + torso.right * (half_width(figure, y, 0.0) * share);
    polygon(&[
        at(0.95, 0.9),
        at(0.9, 0.74),
        at(0.6, 0.66),
        at(0.3, 0.54),
        at(hem, 0.5),
        at(hem, 0.97),
        at(0.34, 0.97),
        at(0.68, 0.97),
        at(0.84, 0.97),
    ])
}

/// Where a top ends: 0 is the height of the hips, 1 the neck.
pub fn hem(style: TopStyle) -> f32 {
    match style {
        TopStyle::CropTop => 0.48,
        TopStyle::Blouse | TopStyle::Sailor | TopStyle::TankTop => 0.1,
        TopStyle::Vest | TopStyle::Polo => 0.04,
        TopStyle::Shirt | TopStyle::LongSleeves => 0.0,
        TopStyle::Jacket => -0.02,
        TopStyle::Hoodie | TopStyle::Sweater => -0.1,
    }
}

/// How much wider than the body a top is, in radii of a limb.
pub fn bulk(style: TopStyle) -> f32 {
    match style {
        TopStyle::Hoodie | TopStyle::Sweater | TopStyle::Jacket => 0.32,
        TopStyle::CropTop | TopStyle::TankTop => 0.06,
        _ => 0.15,
    }
}

/// Half the width of the body at a height (0 hips, 1 neck), on the canvas; `bulk` radii of a limb wider.
pub fn half_width(figure: &Figure, height: f32, bulk: f32) -> f32 {
    let (shoulders, limb) = (figure.shoulders, figure.limb);
    let hips = figure.hips + limb * 1.12;
    let chest = shoulders * 0.97 + limb * 0.1;
    let waist = (chest * 0.5 + hips * 0.5) * 0.88;
    let stations = [
        (1.03, shoulders * 0.36),
        (0.985, shoulders * 0.78),
        (0.93, shoulders + limb * 0.35),
        (0.84, shoulders + limb * 0.42),
        (0.68, chest),
        (0.34, waist),
        (0.0, hips),
        (-0.3, hips + limb * 0.2),
    ];
    let mut width = stations[0].1;
    for pair in stations.windows(2) {
        let ((top, wide), (bottom, narrow)) = (pair[0], pair[1]);
        if height < top {
            let share = ((top - height) / (top - bottom)).min(1.0);
            width = wide + (narrow - wide) * share;
        }
    }
    width + bulk * limb
}

/// The closed line around the body from the neck down to a hem.
pub fn outline(figure: &Figure, hem: f32, bulk: f32) -> Vec<Vector> {
    let torso = &figure.torso;
    let mut heights = vec![1.03, 0.985, 0.93, 0.84, 0.68];
    let rest = [0.34, 0.16].map(|height| if height > hem + 0.06 { height } else { hem + 0.02 });
    heights.extend(rest.into_iter().filter(|&height| height > hem + 0.04));
    let at = |height: f32, side: f32| {
        // Cloth is loose below the shoulders, where it is wider than the body.
        let loose = if height > 0.9 { bulk * 0.5 } else { bulk };
        torso.at(0.0, height) + torso.right * (side * half_width(figure, height, loose))
    };
    let mut points: Vec<Vector> = heights.iter().map(|&height| at(height, 1.0)).collect();
    points.extend([
        at(hem + 0.015, 1.0),
        at(hem - 0.012, 0.9),
        torso.at(0.0, hem - 0.035),
        at(hem - 0.012, -0.9),
        at(hem + 0.015, -1.0),
    ]);
    points.extend(heights.iter().rev().map(|&height| at(height, -1.0)));
    points
}

fn tank_top(figure: &Figure, hem: f32) -> Shape {
    let mut points: Vec<Vector> = outline(figure, hem, 0.08);
    let at = |share: f32, height: f32| {
        figure.torso.at(0.0, height) + figure.torso.right * (figure.shoulders * share)
    };
    // The first and last four points are the neck and the shoulders: straps instead.
    points.splice(0..4, [at(0.0, 0.76), at(0.34, 0.82), at(0.48, 1.0), at(0.72, 0.985), at(0.76, 0.84)]);
    let keep = points.len() - 4;
    points.truncate(keep);
    points.extend([at(-0.76, 0.84), at(-0.72, 0.985), at(-0.48, 1.0), at(-0.34, 0.82)]);
    blob(&points)
}

/// A point on the front of the torso: x in half shoulder widths as seen from the front, y from the hips (0) to the neck (1).
pub fn front(figure: &Figure, x: f32, y: f32) -> Vector {
    let turned = (x * cosine(figure.turn) + 0.42 * sine(figure.turn)).clamp(-1.1, 1.1);
    figure.torso.at(0.0, y) + figure.torso.right * (turned * figure.shoulders)
}

/// A line on the front of the torso.
pub fn seam(painter: &mut Painter, figure: &Figure, points: &[(f32, f32)], colour: Rgb, width: f32) {
    let points: Vec<Vector> = points.iter().map(|&(x, y)| front(figure, x, y)).collect();
    painter.line(&curve(&points), colour, width);
}
