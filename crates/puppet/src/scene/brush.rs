//! What scenes are made of: even and graded grounds, hills, clouds, trees.

use tiny_skia::{ColorU8, Pixmap};

use crate::colour::Rgb;
use crate::geometry::{Vector, sine, vector};
use crate::painter::{Painter, Shape, blank, disc, ellipse, polygon};

/// One even colour.
pub fn plain(size: u32, colour: Rgb) -> Pixmap {
    graded_layer(size, colour, colour)
}

/// A painter on a ground that goes evenly from the colour of the upper edge to that of the lower one.
pub fn graded(size: u32, upper: Rgb, lower: Rgb) -> Painter {
    Painter::over(graded_layer(size, upper, lower))
}

fn graded_layer(size: u32, upper: Rgb, lower: Rgb) -> Pixmap {
    let mut layer = blank(size);
    let (width, height) = (layer.width() as usize, layer.height() as f32);
    for (row, pixels) in layer.pixels_mut().chunks_exact_mut(width).enumerate() {
        let Rgb(red, green, blue) = upper.mix(lower, row as f32 / height);
        pixels.fill(ColorU8::from_rgba(red, green, blue, 255).premultiply());
    }
    layer
}

/// A rectangle from its left upper to its right lower corner.
pub fn rectangle(left: f32, upper: f32, right: f32, lower: f32) -> Shape {
    polygon(&[vector(left, upper), vector(right, upper), vector(right, lower), vector(left, lower)])
}

/// Everything below a wavy edge: its middle height, how far it swings, degrees of phase across the canvas and at its left.
pub fn ground(middle: f32, swing: f32, degrees: f32, phase: f32) -> Shape {
    const STEPS: usize = 32;
    let mut points: Vec<Vector> = (0..=STEPS)
        .map(|step| {
            let x = step as f32 / STEPS as f32 * 1.04 - 0.02;
            vector(x, middle + swing * sine(phase + degrees * x))
        })
        .collect();
    points.extend([vector(1.02, 1.02), vector(-0.02, 1.02)]);
    polygon(&points)
}

/// A cloud of four puffs, `width` wide, its flat lower side at `base`.
pub fn cloud(painter: &mut Painter, base: Vector, width: f32, colour: Rgb) {
    let shade = colour.mix(Rgb(150, 180, 225), 0.3);
    for (lower, colour) in [(0.03, shade), (0.0, colour)] {
        let offset = vector(0.0, width * lower);
        for (x, y, radius) in
            [(-0.30, -0.12, 0.16), (-0.06, -0.22, 0.24), (0.20, -0.15, 0.19), (0.36, -0.08, 0.12)]
        {
            painter.fill(&disc(base + offset + vector(x, y) * width, radius * width), colour);
        }
        let flat = ellipse(
            base + offset + vector(0.02, -0.05) * width,
            vector(0.48 * width, 0.0),
            vector(0.0, 0.07 * width),
        );
        painter.fill(&flat, colour);
    }
}

/// A fir of three tiers, its foot at `base`.
pub fn fir(painter: &mut Painter, base: Vector, height: f32, colour: Rgb, cap: Option<Rgb>) {
    painter.fill(
        &rectangle(base.x - 0.05 * height, base.y - 0.2 * height, base.x + 0.05 * height, base.y),
        Rgb(112, 84, 70),
    );
    for (tier, (lower, upper, half)) in
        [(0.12, 0.56, 0.30), (0.36, 0.78, 0.24), (0.60, 1.0, 0.17)].into_iter().enumerate()
    {
        let at = |x: f32, y: f32| base + vector(x, -y) * height;
        painter.fill(
            &polygon(&[at(-half, lower), at(0.0, upper), at(half, lower)]),
            colour.mix(Rgb(255, 255, 255), 0.06 * tier as f32),
        );
        if let Some(cap) = cap {
            let share = 0.45;
            let low = upper - (upper - lower) * share;
            painter.fill(&polygon(&[at(-half * share, low), at(0.0, upper), at(half * share, low)]), cap);
        }
    }
}

/// A tree with a round crown, its foot at `base`.
pub fn tree(painter: &mut Painter, base: Vector, height: f32, colour: Rgb) {
    let at = |x: f32, y: f32| base + vector(x, -y) * height;
    painter.fill(&polygon(&[at(-0.07, 0.0), at(-0.04, 0.6), at(0.04, 0.6), at(0.07, 0.0)]), Rgb(122, 88, 66));
    for (x, y, radius) in [(-0.17, 0.56, 0.19), (0.17, 0.58, 0.19), (0.0, 0.74, 0.25)] {
        painter.fill(&disc(at(x, y), radius * height), colour);
    }
    painter.fill(&disc(at(-0.07, 0.80), 0.13 * height), colour.mix(Rgb(250, 255, 200), 0.22));
}

/// The layer of a painter that has nothing more to draw.
pub fn finished(painter: Painter) -> Pixmap {
    painter.finish().0
}
