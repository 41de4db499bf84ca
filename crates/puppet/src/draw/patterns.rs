//! Prints on garments: stripes, dots, checks, stars, hearts, bolts, letters, sashes.

use crate::colour::Rgb;
use crate::geometry::{Place, Vector};
use crate::identity::Pattern;
use crate::painter::{LINE, Painter, Shape, blob, curve, disc, polygon};

/// Distance from one stripe to the next, on the canvas: eight pixels of 128.
const PERIOD: f32 = 0.062;

/// A piece of cloth with four corners. Across it u runs from 0 (left) to 1, down it v from 0 (top) to 1.
pub struct Cloth {
    /// Top left, top right, bottom left, bottom right, on the canvas.
    pub corners: [Vector; 4],
}

impl Cloth {
    /// A point of the cloth, on the canvas.
    pub fn at(&self, u: f32, v: f32) -> Vector {
        let [top_left, top_right, bottom_left, bottom_right] = self.corners;
        top_left.toward(top_right, u).toward(bottom_left.toward(bottom_right, u), v)
    }

    /// Prints that repeat all over the cloth; the others are [`emblem`]s. Draw inside the garment's shape.
    pub fn print(&self, painter: &mut Painter, pattern: Pattern, colour: Rgb) {
        let width = (self.at(0.0, 0.5) - self.at(1.0, 0.5)).length();
        let height = (self.at(0.5, 0.0) - self.at(0.5, 1.0)).length();
        let (across, down) = (cells(width, PERIOD), cells(height, PERIOD));
        match pattern {
            Pattern::Stripes => self.each(down, |start, end| {
                painter.fill(&self.patch([0.0, 1.0], [start, end]), colour);
            }),
            Pattern::Columns => self.each(across, |start, end| {
                painter.fill(&self.patch([start, end], [0.0, 1.0]), colour);
            }),
            Pattern::Dots => self.dots(painter, colour, across, down),
            Pattern::Checks => {
                self.checks(painter, colour, cells(width, PERIOD * 0.7), cells(height, PERIOD * 0.7))
            }
            Pattern::Sash => {
                let corners =
                    [self.at(0.02, 0.0), self.at(0.34, 0.0), self.at(1.0, 0.74), self.at(1.0, 1.06)];
                painter.surface(&polygon(&[corners[0], corners[1], corners[2], corners[3]]), colour);
            }
            _ => {}
        }
    }

    fn each(&self, count: usize, mut draw: impl FnMut(f32, f32)) {
        for index in 0..count {
            let start = (index as f32 + 0.3) / count as f32;
            draw(start, start + 0.48 / count as f32);
        }
    }

    fn patch(&self, [left, right]: [f32; 2], [top, bottom]: [f32; 2]) -> Shape {
        polygon(&[self.at(left, top), self.at(right, top), self.at(right, bottom), self.at(left, bottom)])
    }

    fn dots(&self, painter: &mut Painter, colour: Rgb, across: usize, down: usize) {
        for row in 0..=down {
            let shift = if row % 2 == 0 { 0.5 } else { 0.0 };
            for column in 0..=across {
                let u = (column as f32 + shift) / across as f32;
                let v = (row as f32 + 0.5) / down as f32;
                painter.fill(&disc(self.at(u, v), PERIOD * 0.27), colour);
            }
        }
    }

    fn checks(&self, painter: &mut Painter, colour: Rgb, across: usize, down: usize) {
        let (width, height) = (1.0 / across as f32, 1.0 / down as f32);
        for row in 0..down {
            for column in (row % 2..across).step_by(2) {
                let (u, v) = (column as f32 * width, row as f32 * height);
                painter.fill(&self.patch([u, u + width], [v, v + height]), colour);
            }
        }
    }
}

/// One big print: a star, a heart, a bolt or a letter. `place` has its middle, and half its height as the unit.
pub fn emblem(painter: &mut Painter, pattern: Pattern, letter: char, colour: Rgb, place: &Place) {
    let on = |points: &[(f32, f32)]| points.iter().map(|&(x, y)| place.at(x, y)).collect::<Vec<_>>();
    match pattern {
        Pattern::Star => painter.fill(&polygon(&on(&STAR)), colour),
        Pattern::Heart => painter.fill(&blob(&on(&HEART)), colour),
        Pattern::Bolt => painter.fill(&polygon(&on(&BOLT)), colour),
        Pattern::Letter => {
            for stroke in strokes(letter) {
                let points = on(stroke);
                for ends in points.windows(2) {
                    painter.line(&curve(ends), colour, (place.scale * 0.46).max(LINE * 3.0));
                }
            }
        }
        _ => {}
    }
}

/// How many cells of about `size` fit, at least two.
fn cells(length: f32, size: f32) -> usize {
    ((length / size + 0.5) as usize).clamp(2, 24)
}

const STAR: [(f32, f32); 10] = [
    (0.0, 1.0),
    (0.26, 0.34),
    (0.97, 0.31),
    (0.42, -0.12),
    (0.61, -0.8),
    (0.0, -0.42),
    (-0.61, -0.8),
    (-0.42, -0.12),
    (-0.97, 0.31),
    (-0.26, 0.34),
];
const HEART: [(f32, f32); 9] = [
    (0.0, 0.45),
    (0.3, 0.82),
    (0.8, 0.78),
    (0.98, 0.3),
    (0.62, -0.3),
    (0.0, -0.95),
    (-0.62, -0.3),
    (-0.98, 0.3),
    (-0.8, 0.78),
];
const BOLT: [(f32, f32); 6] =
    [(0.42, 1.0), (-0.78, -0.18), (-0.06, -0.18), (-0.36, -1.0), (0.78, 0.28), (0.1, 0.28)];

/// The strokes of a letter, in a box from −1 to 1.
fn strokes(letter: char) -> &'static [&'static [(f32, f32)]] {
    const L: f32 = -0.6;
    const R: f32 = 0.6;
    match letter {
        'A' => &[&[(-0.68, -0.9), (0.0, 0.9), (0.68, -0.9)], &[(-0.4, -0.25), (0.4, -0.25)]],
        'B' => &[
            &[(L, -0.9), (L, 0.9), (0.3, 0.9), (R, 0.5), (0.25, 0.05), (L, 0.05)],
            &[(0.25, 0.05), (R, -0.42), (0.3, -0.9), (L, -0.9)],
        ],
        'E' => &[&[(R, 0.9), (L, 0.9), (L, -0.9), (R, -0.9)], &[(L, 0.0), (0.4, 0.0)]],
        'F' => &[&[(R, 0.9), (L, 0.9), (L, -0.9)], &[(L, 0.0), (0.4, 0.0)]],
        'H' => &[&[(L, 0.9), (L, -0.9)], &[(R, 0.9), (R, -0.9)], &[(L, 0.0), (R, 0.0)]],
        'K' => &[&[(L, 0.9), (L, -0.9)], &[(R, 0.9), (-0.5, -0.05), (R, -0.9)]],
        'L' => &[&[(-0.5, 0.9), (-0.5, -0.9), (R, -0.9)]],
        'M' => &[&[(-0.75, -0.9), (-0.75, 0.9), (0.0, -0.2), (0.75, 0.9), (0.75, -0.9)]],
        'T' => &[&[(-0.7, 0.9), (0.7, 0.9)], &[(0.0, 0.9), (0.0, -0.9)]],
        'X' => &[&[(L, 0.9), (R, -0.9)], &[(R, 0.9), (L, -0.9)]],
        'Y' => &[&[(-0.65, 0.9), (0.0, 0.0), (0.65, 0.9)], &[(0.0, 0.0), (0.0, -0.9)]],
        _ => &[&[(L, 0.9), (R, 0.9), (L, -0.9), (R, -0.9)]],
    }
}
