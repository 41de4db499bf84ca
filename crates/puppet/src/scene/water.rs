//! Scenes of water and air.

use tiny_skia::Pixmap;

use super::brush::{cloud, finished, graded, ground, rectangle};
use crate::colour::Rgb;
use crate::geometry::{Vector, sine, vector};
use crate::painter::{LINE, Painter, blob, curve, disc, ellipse, polygon, taper};

const WHITE: Rgb = Rgb(255, 255, 255);

pub fn sky(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(92, 168, 240), Rgb(206, 234, 252));
    cloud(&mut painter, vector(0.18, 0.28), 0.30, WHITE);
    cloud(&mut painter, vector(0.82, 0.20), 0.26, WHITE);
    cloud(&mut painter, vector(0.88, 0.58), 0.30, WHITE);
    cloud(&mut painter, vector(0.10, 0.66), 0.26, WHITE);
    // The figure stands on clouds.
    for (y, radius, colour) in [(0.94, 0.085, Rgb(214, 230, 250)), (1.0, 0.10, WHITE)] {
        for step in 0..8 {
            painter.fill(
                &disc(vector(step as f32 / 7.0, y), radius + 0.015 * sine(step as f32 * 140.0)),
                colour,
            );
        }
    }
    finished(painter)
}

pub fn beach(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(120, 204, 246), Rgb(232, 248, 252));
    painter.fill(&disc(vector(0.80, 0.16), 0.09), Rgb(255, 236, 140));
    cloud(&mut painter, vector(0.44, 0.20), 0.22, WHITE);
    painter.fill(&rectangle(-0.02, 0.56, 1.02, 0.80), Rgb(72, 176, 216));
    painter.fill(&rectangle(-0.02, 0.66, 1.02, 0.80), Rgb(104, 202, 222));
    painter.fill(&ground(0.755, 0.012, 520.0, 0.0), WHITE);
    painter.fill(&ground(0.775, 0.012, 520.0, 0.0), Rgb(250, 226, 170));
    painter.fill(&ground(0.90, 0.012, 300.0, 60.0), Rgb(242, 212, 150));
    palm(&mut painter, vector(0.09, 0.86));
    star_fish(&mut painter, vector(0.84, 0.89), 0.04);
    finished(painter)
}

fn palm(painter: &mut Painter, base: Vector) {
    let top = base + vector(0.05, -0.58);
    let trunk = curve(&[base, base + vector(0.005, -0.20), base + vector(0.02, -0.40), top]);
    painter.line(&trunk, Rgb(168, 122, 82), 0.042);
    for (x, y) in [(-0.20, 0.03), (-0.15, -0.11), (0.02, -0.15), (0.17, -0.10), (0.21, 0.04)] {
        let tip = top + vector(x, y + 0.05);
        let side = (tip - top).quarter_turn() * 0.2;
        let bow = top.toward(tip, 0.55) - side;
        let under = top.toward(tip, 0.5) + side;
        painter.fill(&blob(&[top, bow, tip, under]), Rgb(74, 162, 98));
    }
    for (x, y) in [(-0.018, 0.02), (0.020, 0.025)] {
        painter.fill(&disc(top + vector(x, y), 0.018), Rgb(128, 86, 56));
    }
}

fn star_fish(painter: &mut Painter, centre: Vector, radius: f32) {
    for step in 0..5 {
        let angle = 72.0 * step as f32;
        let tip = centre + vector(sine(angle), -sine(angle + 90.0)) * radius;
        painter.fill(&taper(centre, radius * 0.36, tip, radius * 0.12), Rgb(240, 128, 96));
    }
}

pub fn sunset(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(108, 76, 158), Rgb(255, 178, 110));
    painter.fill(&rectangle(-0.02, 0.30, 1.02, 0.40), Rgb(216, 112, 140));
    painter.fill(&rectangle(-0.02, 0.40, 1.02, 0.53), Rgb(246, 144, 116));
    painter.fill(&rectangle(-0.02, 0.53, 1.02, 0.70), Rgb(255, 186, 112));
    painter.fill(&rectangle(-0.02, 0.18, 1.02, 0.30), Rgb(164, 92, 156));
    painter.fill(&disc(vector(0.74, 0.60), 0.15), Rgb(255, 236, 150));
    painter.fill(&rectangle(-0.02, 0.66, 1.02, 1.02), Rgb(128, 84, 150));
    for (y, half) in [(0.69, 0.13), (0.735, 0.09), (0.775, 0.055)] {
        painter.line(&curve(&[vector(0.74 - half, y), vector(0.74 + half, y)]), Rgb(255, 206, 136), 0.016);
    }
    painter.fill(
        &polygon(&[vector(-0.02, 0.67), vector(0.06, 0.56), vector(0.20, 0.60), vector(0.36, 0.67)]),
        Rgb(96, 62, 122),
    );
    painter.fill(&ground(0.85, 0.014, 280.0, 100.0), Rgb(84, 58, 98));
    finished(painter)
}

pub fn underwater(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(112, 214, 228), Rgb(30, 104, 168));
    for (top, lower) in [(0.08, -0.10), (0.36, 0.26), (0.62, 0.64), (0.86, 1.00)] {
        let ray =
            [vector(top, -0.02), vector(top + 0.10, -0.02), vector(lower + 0.20, 0.86), vector(lower, 0.86)];
        painter.glaze(&polygon(&ray), WHITE, 0.16);
    }
    painter.fill(&ground(0.84, 0.02, 300.0, 20.0), Rgb(206, 206, 160));
    for (x, height, lean) in
        [(0.06, 0.36, 0.02), (0.13, 0.24, -0.02), (0.88, 0.28, 0.02), (0.95, 0.40, -0.02)]
    {
        let foot = vector(x, 0.90);
        let weed = [
            foot,
            foot + vector(lean, -height * 0.33),
            foot + vector(-lean, -height * 0.66),
            foot + vector(lean, -height),
        ];
        painter.line(&curve(&weed), Rgb(52, 142, 110), 0.034);
    }
    fish(&mut painter, vector(0.84, 0.30), 0.075, Rgb(255, 158, 84));
    fish(&mut painter, vector(0.15, 0.44), -0.06, Rgb(255, 214, 96));
    for (x, y, radius) in [
        (0.20, 0.20, 0.022),
        (0.25, 0.13, 0.014),
        (0.72, 0.52, 0.020),
        (0.77, 0.44, 0.013),
        (0.55, 0.10, 0.016),
    ] {
        painter.line(&disc(vector(x, y), radius), Rgb(226, 248, 252), LINE * 1.2);
    }
    finished(painter)
}

/// A fish that swims to the left; to the right with a negative length.
fn fish(painter: &mut Painter, at: Vector, length: f32, colour: Rgb) {
    let size = length.abs();
    let tail = [
        at + vector(length * 0.7, 0.0),
        at + vector(length * 1.5, -size * 0.6),
        at + vector(length * 1.5, size * 0.6),
    ];
    painter.fill(&polygon(&tail), colour.mix(Rgb(200, 60, 40), 0.3));
    painter.fill(&ellipse(at, vector(size, 0.0), vector(0.0, size * 0.58)), colour);
    painter.fill(&disc(at + vector(-length * 0.5, -size * 0.12), size * 0.14), Rgb(40, 40, 60));
}
