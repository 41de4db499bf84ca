//! Scenes that people have built.

use tiny_skia::Pixmap;

use super::brush::{cloud, finished, graded, rectangle};
use crate::colour::Rgb;
use crate::geometry::{Vector, vector};
use crate::painter::{Painter, curve, disc, ellipse, polygon};

pub fn city(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(156, 208, 244), Rgb(240, 240, 244));
    cloud(&mut painter, vector(0.50, 0.16), 0.24, Rgb(255, 255, 255));
    for (left, right, top) in [(0.16, 0.34, 0.34), (0.38, 0.54, 0.42), (0.56, 0.72, 0.30), (0.74, 0.86, 0.44)]
    {
        painter.fill(&rectangle(left, top, right, 0.84), Rgb(186, 204, 226));
    }
    house(&mut painter, (-0.02, 0.22, 0.22), Rgb(238, 172, 140), Rgb(255, 236, 190));
    house(&mut painter, (0.78, 1.02, 0.14), Rgb(142, 160, 206), Rgb(255, 240, 190));
    house(&mut painter, (0.24, 0.40, 0.50), Rgb(226, 204, 150), Rgb(150, 178, 210));
    house(&mut painter, (0.62, 0.77, 0.52), Rgb(170, 200, 170), Rgb(250, 240, 200));
    painter.fill(&rectangle(-0.02, 0.82, 1.02, 0.88), Rgb(206, 206, 212));
    painter.fill(&rectangle(-0.02, 0.88, 1.02, 1.02), Rgb(128, 132, 146));
    for x in [0.02, 0.27, 0.52, 0.77] {
        painter.fill(&rectangle(x, 0.965, x + 0.15, 0.985), Rgb(250, 248, 236));
    }
    finished(painter)
}

/// A house over (left, right, top) with windows.
fn house(painter: &mut Painter, (left, right, top): (f32, f32, f32), wall: Rgb, window: Rgb) {
    painter.fill(&rectangle(left, top, right, 0.84), wall);
    painter.fill(&rectangle(left, top, right, top + 0.02), wall.shadow());
    let pitch = (right - left) / 2.6;
    let mut y = top + 0.06;
    while y < 0.74 {
        for column in 0..2 {
            let x = left + pitch * (0.4 + column as f32);
            painter.fill(&rectangle(x, y, x + pitch * 0.62, y + 0.065), window);
        }
        y += 0.125;
    }
}

pub fn room(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(246, 226, 204), Rgb(244, 216, 190));
    window(&mut painter, (0.06, 0.36, 0.12, 0.52));
    // A picture on the wall.
    painter.fill(&rectangle(0.70, 0.16, 0.92, 0.36), Rgb(170, 116, 78));
    painter.fill(&rectangle(0.72, 0.18, 0.90, 0.34), Rgb(188, 224, 234));
    painter.fill(&polygon(&[vector(0.72, 0.34), vector(0.79, 0.23), vector(0.86, 0.34)]), Rgb(116, 170, 126));
    painter.fill(&disc(vector(0.86, 0.22), 0.02), Rgb(255, 214, 110));
    painter.fill(&rectangle(-0.02, 0.78, 1.02, 0.81), Rgb(250, 244, 236));
    painter.fill(&rectangle(-0.02, 0.81, 1.02, 1.02), Rgb(206, 152, 104));
    for y in [0.865, 0.93] {
        painter.fill(&rectangle(-0.02, y, 1.02, y + 0.008), Rgb(180, 126, 82));
    }
    painter.fill(&ellipse(vector(0.5, 0.94), vector(0.40, 0.0), vector(0.0, 0.055)), Rgb(222, 112, 106));
    painter.fill(&ellipse(vector(0.5, 0.94), vector(0.33, 0.0), vector(0.0, 0.040)), Rgb(244, 180, 150));
    plant(&mut painter, vector(0.90, 0.86));
    finished(painter)
}

/// A window over (left, right, top, lower) with curtains.
fn window(painter: &mut Painter, (left, right, top, lower): (f32, f32, f32, f32)) {
    let middle = (left + right) / 2.0;
    painter.fill(&rectangle(left - 0.02, top - 0.02, right + 0.02, lower + 0.03), Rgb(252, 248, 240));
    painter.fill(&rectangle(left, top, right, lower), Rgb(150, 208, 242));
    cloud(painter, vector(middle, top + 0.26), 0.22, Rgb(255, 255, 255));
    painter.fill(&rectangle(middle - 0.008, top, middle + 0.008, lower), Rgb(252, 248, 240));
    for (edge, inner) in [(left - 0.04, 0.09), (right + 0.04, -0.09)] {
        let curtain = [
            vector(edge, top - 0.04),
            vector(edge + inner * 1.2, top - 0.04),
            vector(edge + inner * 0.55, (top + lower) / 2.0),
            vector(edge + inner, lower + 0.05),
            vector(edge, lower + 0.05),
        ];
        painter.fill(&polygon(&curtain), Rgb(132, 176, 164));
    }
}

fn plant(painter: &mut Painter, base: Vector) {
    for (x, y) in [(-0.07, -0.20), (-0.03, -0.27), (0.03, -0.26), (0.07, -0.19)] {
        let leaf = curve(&[base + vector(0.0, -0.08), base + vector(x * 0.5, y * 0.7), base + vector(x, y)]);
        painter.line(&leaf, Rgb(86, 158, 98), 0.034);
    }
    let pot = [
        base + vector(-0.06, -0.11),
        base + vector(0.06, -0.11),
        base + vector(0.045, 0.0),
        base + vector(-0.045, 0.0),
    ];
    painter.fill(&polygon(&pot), Rgb(214, 116, 82));
}

pub fn stage(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(62, 44, 88), Rgb(104, 74, 122));
    painter.fill(&rectangle(-0.02, 0.82, 1.02, 1.02), Rgb(168, 112, 76));
    painter.fill(&rectangle(-0.02, 0.82, 1.02, 0.835), Rgb(206, 150, 104));
    for (lamp, foot) in [(0.20, 0.36), (0.80, 0.64)] {
        let beam = [
            vector(lamp - 0.03, 0.08),
            vector(lamp + 0.03, 0.08),
            vector(foot + 0.20, 0.95),
            vector(foot - 0.20, 0.95),
        ];
        painter.glaze(&polygon(&beam), Rgb(255, 240, 180), 0.28);
    }
    painter.glaze(&ellipse(vector(0.5, 0.95), vector(0.36, 0.0), vector(0.0, 0.05)), Rgb(255, 240, 190), 0.5);
    let (light, dark) = (Rgb(200, 52, 66), Rgb(160, 36, 56));
    for (edge, inward) in [(-0.01, 1.0), (1.01, -1.0)] {
        for (fold, colour) in [(0.15, dark), (0.11, light), (0.065, dark), (0.03, light)] {
            let x = edge + inward * fold;
            let hem = [
                vector(edge, -0.02),
                vector(x + inward * 0.03, -0.02),
                vector(x, 0.5),
                vector(x + inward * 0.015, 0.87),
                vector(edge, 0.87),
            ];
            painter.fill(&polygon(&hem), colour);
        }
    }
    for step in 0..6 {
        let centre = vector(step as f32 / 5.0, 0.02);
        painter.fill(
            &ellipse(centre, vector(0.115, 0.0), vector(0.0, 0.085)),
            if step % 2 == 0 { light } else { dark },
        );
    }
    painter.fill(&rectangle(-0.02, -0.02, 1.02, 0.025), Rgb(240, 196, 92));
    finished(painter)
}
