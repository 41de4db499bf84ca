//! Tied hair: tails, braids and buns.

use crate::colour::Rgb;
use crate::draw::hair::{Hair, ribbon};
use crate::geometry::Vector;
use crate::painter::{Painter, curve, disc, ellipse};

/// Two tails high on the sides.
pub fn twintails(painter: &mut Painter, hair: &Hair) {
    for side in [-1.0, 1.0] {
        let near = 1.0 - 0.18 * (side * hair.turn).max(0.0);
        let anchor = hair.at(side * 0.92 * near, 0.52);
        let spine =
            hair.hang(anchor, side * hair.radii(1.0), hair.figure.torso.scale * 0.85 + hair.radii(0.75));
        tail(painter, hair, &spine, 0.36, hair.colour);
        tie(painter, hair, anchor.toward(spine[1], 0.25));
    }
}

/// One tail at the back of the crown, seen on the side away from the view.
pub fn ponytail(painter: &mut Painter, hair: &Hair) {
    let side = if hair.turn == 0.0 { 1.0 } else { -hair.turn };
    let anchor = hair.at(side * 0.62, if hair.covered { 0.10 } else { 0.78 });
    let rise = if hair.covered { 0.0 } else { 0.30 };
    let mut spine =
        hair.hang(anchor, side * hair.radii(1.15), hair.figure.torso.scale * 0.7 + hair.radii(0.9));
    for (index, lift) in [0.0, 0.9, 1.0, 0.6, 0.25, 0.0, 0.0].into_iter().enumerate() {
        spine[index] = spine[index] + hair.figure.head.up * hair.radii(rise * lift);
    }
    tail(painter, hair, &spine, 0.42, hair.colour.mix(hair.behind(), 0.25));
    tie(painter, hair, anchor.toward(spine[1], 0.35));
}

/// One tail low on the figure's left, over the shoulder.
pub fn side_ponytail(painter: &mut Painter, hair: &Hair) {
    let anchor = hair.at(0.90 - 0.12 * hair.turn.max(0.0), -0.52);
    let spine = hair.hang(anchor, hair.radii(0.30), hair.figure.torso.scale * 0.66 + hair.radii(0.35));
    tail(painter, hair, &spine, 0.38, hair.colour);
    tie(painter, hair, anchor.toward(spine[1], 0.4));
}

/// Two locks of long hair that fall over the shoulders.
pub fn front_locks(painter: &mut Painter, hair: &Hair) {
    for side in [-1.0, 1.0] {
        let near = 1.0 - 0.12 * (side * hair.turn).max(0.0);
        let anchor = hair.at(side * 0.86 * near, -0.40);
        let spine =
            hair.hang(anchor, side * hair.radii(0.10), hair.figure.torso.scale * 0.45 + hair.radii(0.50));
        let widths = [0.18, 0.22, 0.24, 0.24, 0.20, 0.13, 0.0].map(|share| hair.radii(share));
        painter.surface(&ribbon(&spine, &widths), hair.colour);
    }
}

/// Two braids over the shoulders.
pub fn braids(painter: &mut Painter, hair: &Hair) {
    for side in [-1.0, 1.0] {
        let near = 1.0 - 0.12 * (side * hair.turn).max(0.0);
        let anchor = hair.at(side * 0.84 * near, -0.55);
        let spine =
            hair.hang(anchor, side * hair.radii(0.22), hair.figure.torso.scale * 0.62 + hair.radii(0.55));
        let end = [spine[5], spine[5].toward(spine[6], 0.5), spine[6]];
        painter.surface(&ribbon(&end, &[hair.radii(0.10), hair.radii(0.17), 0.0]), hair.colour);
        for index in 0..5 {
            let (from, to) = (spine[index], spine[index + 1]);
            let along = to - from;
            let size = hair.radii(0.235 - 0.018 * index as f32);
            let slant = if index % 2 == 0 { 0.35 } else { -0.35 };
            let across = (along.unit().quarter_turn() + along.unit() * slant) * size;
            painter.surface(&ellipse(from.toward(to, 0.5), along * 0.62, across), hair.colour);
            let light = [from.toward(to, 0.25) + across * 0.35, from.toward(to, 0.6) + across * 0.45];
            painter.line(&curve(&light), hair.colour.light(), hair.radii(0.07));
        }
        tie(painter, hair, spine[5]);
    }
}

/// A bun on the crown, or at the nape beneath a hat.
pub fn bun(painter: &mut Painter, hair: &Hair) {
    let (x, y) = if hair.covered {
        (-0.86 * (if hair.turn < 0.0 { -1.0 } else { 1.0 }), -0.66)
    } else {
        (-0.22 * hair.turn, 1.28)
    };
    coil(painter, hair, hair.at(x, y), hair.radii(0.46));
}

/// Two buns on the sides of the crown, lower beneath a hat.
pub fn double_buns(painter: &mut Painter, hair: &Hair) {
    for side in [-1.0, 1.0] {
        let near = 1.0 - 0.14 * (side * hair.turn).max(0.0);
        let (x, y) = if hair.covered { (1.10, -0.30) } else { (0.82, 0.96) };
        coil(painter, hair, hair.at(side * x * near, y), hair.radii(0.42));
    }
}

/// A bun with the turn of its strand and a light.
fn coil(painter: &mut Painter, hair: &Hair, centre: Vector, radius: f32) {
    let (right, up) = (hair.figure.head.right * radius, hair.figure.head.up * radius);
    let at = |x: f32, y: f32| centre + right * x + up * y;
    painter.surface(&disc(centre, radius), hair.colour);
    let turn = [at(-0.55, -0.5), at(0.15, -0.6), at(0.55, -0.05), at(0.15, 0.45), at(-0.25, 0.15)];
    painter.line(&curve(&turn), hair.behind().shadow(), radius * 0.14);
    painter.fill(&ellipse(at(-0.38, 0.48), right * 0.28, up * 0.18), hair.colour.light());
}

/// A full tail: swelling, then running into a tip, with a dark strand and a light one.
fn tail(painter: &mut Painter, hair: &Hair, spine: &[Vector; 7], half: f32, colour: Rgb) {
    let widths = [0.34, 0.86, 1.0, 0.98, 0.82, 0.52, 0.0].map(|share| hair.radii(half * share));
    painter.surface(&ribbon(spine, &widths), colour);
    let along = |offset: f32, from: usize, to: usize| -> Vec<Vector> {
        (from..to)
            .map(|index| {
                let direction = (spine[index + 1] - spine[index - 1]).unit();
                spine[index] + direction.quarter_turn() * (widths[index] * offset)
            })
            .collect()
    };
    painter.line(&curve(&along(-0.30, 1, 6)), colour.shadow().mix(colour.outline(), 0.25), hair.radii(0.06));
    painter.line(&curve(&along(0.48, 1, 4)), colour.light(), hair.radii(0.10));
}

/// The band that ties a tail.
fn tie(painter: &mut Painter, hair: &Hair, at: Vector) {
    painter.surface(&disc(at, hair.radii(0.13)), hair.identity.pattern_colour.rgb());
}
