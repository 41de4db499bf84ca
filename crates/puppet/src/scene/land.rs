//! Scenes on land.

use tiny_skia::Pixmap;

use super::brush::{cloud, finished, fir, graded, ground, rectangle, tree};
use crate::colour::Rgb;
use crate::geometry::{Vector, vector};
use crate::painter::{Painter, disc, ellipse, polygon, taper};

const CLOUD: Rgb = Rgb(255, 255, 255);

pub fn meadow(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(142, 206, 246), Rgb(222, 242, 252));
    painter.fill(&disc(vector(0.85, 0.15), 0.085), Rgb(255, 232, 130));
    cloud(&mut painter, vector(0.22, 0.24), 0.28, CLOUD);
    painter.fill(&ground(0.66, 0.05, 300.0, 40.0), Rgb(168, 216, 132));
    painter.fill(&ground(0.74, 0.04, 260.0, 210.0), Rgb(138, 200, 108));
    painter.fill(&ground(0.85, 0.015, 200.0, 20.0), Rgb(112, 182, 92));
    let flowers = [
        (0.07, 0.84),
        (0.16, 0.92),
        (0.27, 0.86),
        (0.38, 0.94),
        (0.55, 0.97),
        (0.66, 0.87),
        (0.76, 0.94),
        (0.86, 0.86),
        (0.94, 0.93),
    ];
    for (index, (x, y)) in flowers.into_iter().enumerate() {
        let petals = [Rgb(255, 150, 170), Rgb(255, 255, 255), Rgb(255, 214, 90)][index % 3];
        let at = vector(x, y);
        for petal in [vector(0.014, 0.0), vector(-0.014, 0.0), vector(0.0, 0.014), vector(0.0, -0.014)] {
            painter.fill(&disc(at + petal, 0.012), petals);
        }
        painter.fill(&disc(at, 0.009), Rgb(240, 150, 60));
    }
    finished(painter)
}

pub fn forest(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(196, 230, 200), Rgb(226, 242, 206));
    for (x, width) in [(0.06, 0.05), (0.24, 0.04), (0.42, 0.045), (0.60, 0.04), (0.78, 0.05), (0.95, 0.045)] {
        painter.fill(&rectangle(x - width / 2.0, 0.0, x + width / 2.0, 0.8), Rgb(166, 190, 158));
    }
    for x in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
        painter.fill(&disc(vector(x, 0.06), 0.16), Rgb(150, 200, 142));
    }
    painter.fill(&ground(0.78, 0.015, 400.0, 0.0), Rgb(140, 190, 110));
    tree(&mut painter, vector(0.10, 0.88), 0.66, Rgb(84, 156, 92));
    tree(&mut painter, vector(0.90, 0.88), 0.74, Rgb(70, 142, 84));
    tree(&mut painter, vector(0.66, 0.80), 0.40, Rgb(112, 176, 104));
    painter.fill(&ground(0.88, 0.012, 300.0, 160.0), Rgb(110, 162, 88));
    for (x, y) in [(0.24, 0.93), (0.78, 0.92)] {
        let at = |dx: f32, dy: f32| vector(x + dx, y + dy);
        painter.fill(&rectangle(x - 0.012, y - 0.01, x + 0.012, y + 0.035), Rgb(248, 238, 220));
        painter.fill(&ellipse(at(0.0, -0.01), vector(0.038, 0.0), vector(0.0, 0.026)), Rgb(222, 84, 76));
        painter.fill(&disc(at(-0.014, -0.014), 0.008), CLOUD);
        painter.fill(&disc(at(0.014, -0.010), 0.008), CLOUD);
    }
    finished(painter)
}

pub fn mountains(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(150, 200, 242), Rgb(236, 244, 250));
    cloud(&mut painter, vector(0.76, 0.17), 0.26, CLOUD);
    peak(&mut painter, vector(0.20, 0.34), 0.34, Rgb(146, 166, 204));
    peak(&mut painter, vector(0.84, 0.30), 0.36, Rgb(138, 158, 200));
    peak(&mut painter, vector(0.52, 0.18), 0.42, Rgb(118, 142, 190));
    painter.fill(&ground(0.76, 0.03, 280.0, 80.0), Rgb(126, 178, 128));
    for (x, height) in [(0.05, 0.20), (0.16, 0.15), (0.83, 0.16), (0.95, 0.22)] {
        fir(&mut painter, vector(x, 0.83), height, Rgb(64, 128, 96), None);
    }
    painter.fill(&ground(0.84, 0.02, 220.0, 220.0), Rgb(104, 160, 104));
    finished(painter)
}

/// A mountain with a cap of snow.
fn peak(painter: &mut Painter, top: Vector, half: f32, colour: Rgb) {
    let base = 0.82;
    let at = |share: f32, side: f32| vector(top.x + half * side * share, top.y + (base - top.y) * share);
    painter.fill(&polygon(&[top, at(1.0, 1.0), at(1.0, -1.0)]), colour);
    painter.fill(&polygon(&[top, at(1.0, 1.0), at(1.0, 0.15)]), colour.mix(Rgb(60, 70, 140), 0.16));
    let snow = [top, at(0.30, 1.0), at(0.22, 0.35), at(0.33, 0.0), at(0.22, -0.4), at(0.30, -1.0)];
    painter.fill(&polygon(&snow), Rgb(252, 253, 255));
}

pub fn snow(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(166, 192, 226), Rgb(226, 236, 248));
    painter.fill(&ground(0.68, 0.04, 260.0, 200.0), Rgb(214, 228, 246));
    for (x, y, height) in [(0.10, 0.80, 0.46), (0.27, 0.76, 0.28), (0.74, 0.76, 0.30), (0.90, 0.82, 0.50)] {
        fir(&mut painter, vector(x, y), height, Rgb(76, 130, 130), Some(Rgb(250, 252, 255)));
    }
    painter.fill(&ground(0.80, 0.02, 240.0, 30.0), Rgb(240, 246, 254));
    painter.fill(&ground(0.90, 0.012, 260.0, 180.0), Rgb(224, 234, 248));
    for (x, y) in SCATTERED {
        painter.fill(&disc(vector(x, y * 0.9), 0.012), Rgb(255, 255, 255));
    }
    finished(painter)
}

pub fn desert(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(250, 206, 140), Rgb(255, 240, 200));
    painter.fill(&disc(vector(0.20, 0.20), 0.10), Rgb(255, 246, 190));
    painter.fill(&polygon(&[vector(0.60, 0.70), vector(0.76, 0.44), vector(0.94, 0.70)]), Rgb(226, 172, 104));
    painter.fill(&polygon(&[vector(0.76, 0.44), vector(0.94, 0.70), vector(0.82, 0.70)]), Rgb(204, 146, 86));
    painter.fill(&ground(0.68, 0.03, 300.0, 300.0), Rgb(236, 190, 118));
    painter.fill(&ground(0.76, 0.03, 250.0, 120.0), Rgb(228, 176, 104));
    cactus(&mut painter, vector(0.12, 0.84), 0.32);
    cactus(&mut painter, vector(0.90, 0.80), 0.22);
    painter.fill(&ground(0.85, 0.018, 240.0, 10.0), Rgb(216, 162, 94));
    finished(painter)
}

fn cactus(painter: &mut Painter, base: Vector, height: f32) {
    let green = Rgb(92, 154, 96);
    let at = |x: f32, y: f32| base + vector(x, -y) * height;
    let mut stem = |from: (f32, f32), to: (f32, f32), radius: f32| {
        let radius = radius * height;
        painter.fill(&taper(at(from.0, from.1), radius, at(to.0, to.1), radius), green);
    };
    stem((0.0, 0.0), (0.0, 0.9), 0.11);
    stem((0.0, 0.35), (-0.26, 0.38), 0.07);
    stem((-0.26, 0.38), (-0.26, 0.62), 0.07);
    stem((0.0, 0.5), (0.26, 0.52), 0.07);
    stem((0.26, 0.52), (0.26, 0.78), 0.07);
}

pub fn night(size: u32) -> Pixmap {
    let mut painter = graded(size, Rgb(36, 42, 96), Rgb(96, 92, 158));
    for (index, (x, y)) in SCATTERED.into_iter().enumerate() {
        painter.fill(&disc(vector(x, y * 0.62), [0.006, 0.010][index % 2]), Rgb(255, 246, 200));
    }
    painter.glaze(&disc(vector(0.80, 0.18), 0.14), Rgb(255, 244, 190), 0.22);
    painter.fill(&disc(vector(0.80, 0.18), 0.095), Rgb(255, 240, 180));
    for (x, y, radius) in [(0.77, 0.16, 0.020), (0.83, 0.20, 0.026), (0.80, 0.24, 0.014)] {
        painter.fill(&disc(vector(x, y), radius), Rgb(238, 216, 146));
    }
    painter.fill(&ground(0.70, 0.05, 320.0, 70.0), Rgb(62, 66, 126));
    painter.fill(&ground(0.79, 0.03, 260.0, 250.0), Rgb(50, 56, 108));
    painter.fill(&ground(0.87, 0.015, 260.0, 30.0), Rgb(66, 84, 116));
    finished(painter)
}

/// Stars and flakes: spread over the canvas by hand, so that none touch.
const SCATTERED: [(f32, f32); 22] = [
    (0.05, 0.10),
    (0.14, 0.36),
    (0.09, 0.62),
    (0.20, 0.84),
    (0.25, 0.16),
    (0.31, 0.52),
    (0.38, 0.05),
    (0.41, 0.30),
    (0.36, 0.72),
    (0.48, 0.14),
    (0.52, 0.44),
    (0.58, 0.06),
    (0.60, 0.62),
    (0.63, 0.28),
    (0.69, 0.47),
    (0.74, 0.78),
    (0.93, 0.08),
    (0.94, 0.46),
    (0.90, 0.66),
    (0.81, 0.56),
    (0.03, 0.86),
    (0.97, 0.90),
];
