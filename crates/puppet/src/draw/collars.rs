//! What tells one top from another: collars, hoods, zips, buttons, pockets.

use crate::colour::{Colour, Rgb};
use crate::draw::tops::{front, half_width, seam};
use crate::figure::Figure;
use crate::geometry::Vector;
use crate::identity::{Identity, TopStyle};
use crate::painter::{LINE, Painter, Part, Shape, blob, disc, ellipse, polygon, taper};

/// The hood of a hoodie, lying behind the neck.
pub fn hood(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    painter.part(Part::Top);
    let centre = figure.torso.at(0.0, 1.02);
    let shape = ellipse(
        centre,
        figure.torso.right * (figure.shoulders * 0.95),
        figure.torso.up * (figure.torso.scale * 0.17),
    );
    painter.surface(&shape, identity.top_colour.rgb().shadow());
}

/// Everything on the front of a top whose lower edge is at `hem`.
pub fn details(painter: &mut Painter, identity: &Identity, figure: &Figure, hem: f32) {
    let colour = identity.top_colour.rgb();
    let trim = identity.pattern_colour.rgb();
    match identity.top {
        TopStyle::Shirt | TopStyle::LongSleeves | TopStyle::CropTop => {
            round_neck(painter, identity, figure, colour.shadow())
        }
        TopStyle::TankTop => {}
        TopStyle::Hoodie => hoodie(painter, identity, figure),
        TopStyle::Sweater => {
            band(painter, figure, hem, colour.shadow());
            painter.surface(&roll(figure), colour.light());
        }
        TopStyle::Blouse => {
            buttons(painter, figure, hem, Colour::White.rgb());
            wings(painter, figure, 0.8, 0.84, colour.light());
            bow(painter, figure, trim);
        }
        TopStyle::Polo => {
            seam(painter, figure, &[(0.0, 0.95), (0.0, 0.6)], trim, 0.02);
            wings(painter, figure, 0.66, 0.8, trim);
        }
        TopStyle::Sailor => sailor(painter, identity, figure),
        TopStyle::Vest => vest(painter, identity, figure, hem),
        TopStyle::Jacket => jacket(painter, identity, figure, hem),
    }
}

/// Points on the front of the torso, as [`front`] takes them.
fn on_front<const N: usize>(figure: &Figure, points: [(f32, f32); N]) -> [Vector; N] {
    points.map(|(x, y)| front(figure, x, y))
}

/// Skin that a neckline leaves free.
fn skin_opening(painter: &mut Painter, identity: &Identity, shape: &Shape) {
    painter.part(Part::Skin);
    painter.surface(shape, identity.skin);
    painter.part(Part::Top);
}

fn round_neck(painter: &mut Painter, identity: &Identity, figure: &Figure, rim: Rgb) {
    let (right, up) = (figure.torso.right * figure.shoulders, figure.torso.up * figure.torso.scale);
    let centre = front(figure, 0.0, 1.0);
    painter.fill(&ellipse(centre, right * 0.52, up * 0.14), rim);
    skin_opening(painter, identity, &ellipse(centre, right * 0.4, up * 0.085));
}

/// A collar of two wings, `wide` half shoulder widths to each side and down to the height `low`.
fn wings(painter: &mut Painter, figure: &Figure, wide: f32, low: f32, colour: Rgb) {
    for side in [-1.0, 1.0] {
        let points = on_front(
            figure,
            [(0.0, 0.93), (side * 0.3, 1.04), (side * wide, 0.95), (side * wide * 0.62, low)],
        );
        painter.surface(&polygon(&points), colour);
    }
}

fn buttons(painter: &mut Painter, figure: &Figure, hem: f32, colour: Rgb) {
    for height in [0.66, 0.46, 0.26] {
        if height > hem + 0.08 {
            painter.surface(&disc(front(figure, 0.0, height), 0.008), colour);
        }
    }
}

fn bow(painter: &mut Painter, figure: &Figure, colour: Rgb) {
    for side in [-1.0, 1.0] {
        let ribbon = on_front(figure, [(0.0, 0.87), (side * 0.42, 0.96), (side * 0.42, 0.76)]);
        painter.surface(&polygon(&ribbon), colour);
    }
    painter.surface(&disc(front(figure, 0.0, 0.865), 0.009), colour.light());
}

/// The ribbed band at the lower edge.
fn band(painter: &mut Painter, figure: &Figure, hem: f32, colour: Rgb) {
    let torso = &figure.torso;
    let at = |side: f32, height: f32| {
        torso.at(0.0, height) + torso.right * (side * half_width(figure, height, 0.2))
    };
    let shape = polygon(&[
        at(-1.0, hem + 0.09),
        at(1.0, hem + 0.09),
        at(0.96, hem),
        torso.at(0.0, hem - 0.035),
        at(-0.96, hem),
    ]);
    painter.surface(&shape, colour);
}

/// The rolled collar of a sweater.
fn roll(figure: &Figure) -> Shape {
    let torso = &figure.torso;
    let half = torso.right * (figure.shoulders * 0.46);
    let (low, high) = (torso.at(0.0, 0.97), torso.at(0.0, 1.05));
    blob(&[low - half * 1.1, high - half, high + half, low + half * 1.1, torso.at(0.0, 0.93)])
}

fn hoodie(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    let colour = identity.top_colour.rgb();
    let pocket = on_front(figure, [(-0.42, 0.3), (0.42, 0.3), (0.66, 0.03), (-0.66, 0.03)]);
    painter.surface(&polygon(&pocket), colour.shadow());
    band(painter, figure, -0.1, colour.shadow());
    for side in [-1.0, 1.0] {
        let [from, to] = on_front(figure, [(side * 0.62, 1.03), (side * 0.04, 0.88)]);
        painter.surface(&taper(from, figure.limb * 0.55, to, figure.limb * 0.4), colour.light());
    }
    for side in [-1.0, 1.0] {
        seam(painter, figure, &[(side * 0.16, 0.86), (side * 0.2, 0.66)], Colour::White.rgb(), 0.011);
    }
}

fn sailor(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    let trim = identity.pattern_colour.rgb();
    skin_opening(painter, identity, &polygon(&on_front(figure, [(-0.36, 1.03), (0.36, 1.03), (0.0, 0.74)])));
    for side in [-1.0, 1.0] {
        let wing = on_front(
            figure,
            [(side * 0.34, 1.04), (side * 0.98, 0.97), (side * 0.92, 0.8), (0.0, 0.62), (0.0, 0.72)],
        );
        painter.surface(&polygon(&wing), trim);
        seam(painter, figure, &[(side * 0.8, 0.85), (side * 0.12, 0.69)], Colour::White.rgb(), LINE);
    }
    let scarf = on_front(figure, [(-0.06, 0.66), (0.06, 0.66), (0.3, 0.38), (0.02, 0.46), (-0.3, 0.38)]);
    painter.surface(&polygon(&scarf), Colour::Red.rgb().mix(trim, 0.25));
    painter.surface(&disc(front(figure, 0.0, 0.66), 0.01), Colour::Red.rgb());
}

fn vest(painter: &mut Painter, identity: &Identity, figure: &Figure, hem: f32) {
    let white = Colour::White.rgb();
    painter.surface(&polygon(&on_front(figure, [(-0.5, 1.02), (0.5, 1.02), (0.0, 0.56)])), white);
    wings(painter, figure, 0.6, 0.84, white);
    seam(painter, figure, &[(0.0, 0.56), (0.0, hem)], identity.top_colour.rgb().outline(), LINE);
    for height in [0.44, 0.26] {
        painter.surface(&disc(front(figure, 0.12, height), 0.008), Colour::Yellow.rgb());
    }
}

fn jacket(painter: &mut Painter, identity: &Identity, figure: &Figure, hem: f32) {
    let (colour, trim) = (identity.top_colour.rgb(), identity.pattern_colour.rgb());
    band(painter, figure, hem, trim);
    seam(painter, figure, &[(0.0, 0.92), (0.0, hem - 0.02)], colour.outline(), 0.02);
    seam(painter, figure, &[(0.0, 0.92), (0.0, hem - 0.02)], Colour::Gray.rgb().light(), 0.0085);
    for side in [-1.0, 1.0] {
        seam(painter, figure, &[(side * 0.72, 0.34), (side * 0.5, 0.16)], colour.outline(), 0.009);
    }
    wings(painter, figure, 0.74, 0.82, trim);
}
