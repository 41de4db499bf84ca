//! Capes and tails, which trail behind the motion.

use crate::colour::{Rgb, WHITE};
use crate::figure::{FLOOR, Figure};
use crate::geometry::{Vector, sine, vector};
use crate::identity::{Identity, OuterStyle, Tail};
use crate::painter::{LINE, Painter, Part, blob, curve, polygon};
use crate::shot::Shot;

/// The cape behind the figure.
pub fn cape(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    if identity.outer != OuterStyle::Cape {
        return;
    }
    painter.part(Part::Outer);
    let colour = identity.outer_colour.rgb();
    let cape = Cape::new(figure, shot.motion.body);
    let folds = [-0.62, -0.22, 0.22, 0.62];
    painter.surface(&blob(&cape.edge()), colour);
    for (index, across) in folds.into_iter().enumerate() {
        // Each fold is a strip in shadow that widens towards the hem.
        let strip = [
            cape.at(across * 0.8, 0.12),
            cape.at(across + 0.10, 0.6),
            cape.at(across + 0.17, 0.985),
            cape.at(across - 0.03, 0.985),
        ];
        let shade = if index % 2 == 0 { colour.shadow() } else { colour.shadow().mix(colour, 0.35) };
        painter.fill(&polygon(&strip), shade);
    }
}

/// A cloth that hangs from the shoulders. Its own coordinates: across from −1 to 1, down from 0 (shoulders) to 1 (hem).
struct Cape {
    top: Vector,
    hem: Vector,
    across_top: Vector,
    across_hem: Vector,
    middle: Vector,
    phase: f32,
}

impl Cape {
    fn new(figure: &Figure, velocity: Vector) -> Self {
        let top = figure.torso.at(0.0, 0.97);
        let length = (figure.height * 0.60).min(FLOOR - 0.02 - top.y).max(figure.height * 0.40);
        let down = (-figure.torso.up * 0.35 + vector(0.0, 0.65)).unit();
        // Cloth stays behind where the body goes, its hem most of all.
        let trail = vector(-velocity.x * 0.26, -velocity.y.max(-0.3) * 0.20);
        let half = figure.shoulders * 1.05 + figure.limb * 1.2;
        Self {
            top,
            hem: top + down * length + trail,
            middle: top + down * (length * 0.5) + trail * 0.3,
            across_top: figure.torso.right * half,
            across_hem: vector(half * 1.55 + velocity.length() * 0.05, 0.0),
            phase: (velocity.x - velocity.y) * 300.0,
        }
    }

    fn at(&self, across: f32, down: f32) -> Vector {
        // A parabola through shoulders, middle and hem.
        let centre = self.top * ((1.0 - down) * (1.0 - 2.0 * down))
            + self.middle * (4.0 * down * (1.0 - down))
            + self.hem * (down * (2.0 * down - 1.0));
        centre + (self.across_top * (1.0 - down) + self.across_hem * down) * across
    }

    /// The outline: over the shoulders, down one side, along the waves of the hem, and up.
    fn edge(&self) -> Vec<Vector> {
        const WAVES: usize = 8;
        let mut points = vec![self.at(-0.55, -0.02), self.at(-1.0, 0.05), self.at(-0.98, 0.5)];
        points.extend((0..=WAVES).map(|step| {
            let across = step as f32 / WAVES as f32 * 2.0 - 1.0;
            let wave = sine(across * 540.0 + 90.0 + self.phase);
            self.at(across, 1.0 + 0.022 * wave)
        }));
        points.extend([self.at(0.98, 0.5), self.at(1.0, 0.05), self.at(0.55, -0.02)]);
        points
    }
}

/// The tail behind the figure.
pub fn tail(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    if identity.tail == Tail::Nothing {
        return;
    }
    painter.part(Part::Accessory);
    let colour = identity.tail_colour().rgb();
    let line = |shape: &[(f32, f32)]| centre_line(figure, shot, shape);
    match identity.tail {
        Tail::Nothing => {}
        Tail::Cat => {
            let points = line(&[
                (0.02, 0.02),
                (0.13, 0.07),
                (0.23, 0.02),
                (0.25, -0.08),
                (0.20, -0.15),
                (0.23, -0.22),
            ]);
            rope(painter, &points, colour, 0.046 * figure.height);
        }
        Tail::Fox => fox(painter, &line(&FOX.map(|(x, y, _)| (x, y))), colour, figure.height),
        Tail::Devil => {
            let points = line(&[
                (0.02, 0.02),
                (0.13, 0.09),
                (0.23, 0.05),
                (0.24, -0.06),
                (0.19, -0.13),
                (0.23, -0.20),
            ]);
            spade(painter, &points, colour, figure.height);
            rope(painter, &points[..5], colour, 0.026 * figure.height);
        }
    }
}

/// The middle of a tail on the canvas, from points (outwards, down) in standing heights from the hips. It lies on the
/// side that the back shows, and its end trails behind the motion.
fn centre_line(figure: &Figure, shot: &Shot, shape: &[(f32, f32)]) -> Vec<Vector> {
    let side = if figure.turn > 0.0 { -1.0 } else { 1.0 };
    let root = figure.torso.at(0.0, 0.06);
    let count = shape.len() as f32;
    let place = |(index, &(x, y)): (usize, &(f32, f32))| {
        let share = (index as f32 + 1.0) / count;
        let trail = shot.motion.body * (-0.16 * share * share);
        root + vector(side * x, y) * figure.height + trail
    };
    shape.iter().enumerate().map(place).collect()
}

/// A tail of one width along its middle.
fn rope(painter: &mut Painter, points: &[Vector], colour: Rgb, width: f32) {
    let line = curve(points);
    painter.line(&line, colour.outline(), width + 2.0 * LINE);
    painter.line(&line, colour, width);
    let offset = vector(-0.16 * width, -0.16 * width);
    let lit: Vec<Vector> = points.iter().map(|point| *point + offset).collect();
    painter.line(&curve(&lit), colour.light(), width * 0.2);
}

/// Middle (outwards, down) and half width of a fox's tail, in standing heights.
const FOX: [(f32, f32, f32); 7] = [
    (0.02, 0.02, 0.018),
    (0.10, 0.09, 0.036),
    (0.20, 0.10, 0.058),
    (0.28, 0.04, 0.070),
    (0.31, -0.05, 0.066),
    (0.30, -0.13, 0.040),
    (0.27, -0.19, 0.003),
];

fn fox(painter: &mut Painter, middle: &[Vector], colour: Rgb, height: f32) {
    let sides = |range: std::ops::Range<usize>, share: f32, sideways: f32| {
        let mut points = Vec::new();
        let mut back = Vec::new();
        for index in range {
            let (before, after) =
                (middle[index.saturating_sub(1)], middle[(index + 1).min(middle.len() - 1)]);
            let across = (after - before).unit().quarter_turn() * (FOX[index].2 * height);
            points.push(middle[index] + across * (sideways + share));
            back.push(middle[index] + across * (sideways - share));
        }
        points.extend(back.into_iter().rev());
        points
    };
    painter.surface(&blob(&sides(0..FOX.len(), 1.0, 0.0)), colour);
    painter.fill(&blob(&sides(1..5, 0.32, 0.62)), colour.shadow());
    let tip = if colour.0 > 225 && colour.1 > 225 { colour.shadow() } else { WHITE };
    let mut points = sides(4..FOX.len(), 0.96, 0.0);
    // The white ends in a tooth towards the body.
    points.push(middle[3].toward(middle[4], 0.55));
    painter.fill(&polygon(&points), tip);
}

/// The end of a devil's tail: a spade over the last piece of the line.
fn spade(painter: &mut Painter, points: &[Vector], colour: Rgb, height: f32) {
    let [.., base, end] = points else { return };
    let along = (*end - *base).unit() * (0.052 * height);
    let across = along.quarter_turn();
    let at = |forward: f32, side: f32| *base + along * forward + across * side;
    let shape = polygon(&[
        at(2.0, 0.0),
        at(0.5, 0.95),
        at(-0.35, 1.0),
        at(0.05, 0.3),
        at(0.05, -0.3),
        at(-0.35, -1.0),
        at(0.5, -0.95),
    ]);
    painter.surface(&shape, colour);
}
