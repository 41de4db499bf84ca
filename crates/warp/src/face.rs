//! A drawn face that blinks: an eye is squeezed to a line, the skin above and below follows.

use std::collections::BTreeMap;

use image::{Rgba, RgbaImage};

use dreamtuner_pose::Joint;

use crate::geometry::{Vector, vector};
use crate::joints::Joints;
use crate::raster::sample;

/// Half the width of what is looked at to know where an eye ends, in distances between the eyes.
const PUPIL: f32 = 0.12;
/// The squeezing ends between these ways beside the middle of an eye, in distances between the eyes.
const CORNER: [f32; 2] = [0.28, 0.44];
/// An eye reaches no farther up and down than this, in distances between the eyes, and the skin that follows it no farther than that.
const HIGHEST: f32 = 0.5;
const SKIN: f32 = 0.15;
/// Colours of skin differ by no more than this in a row, ...
const EVEN: f32 = 0.15;
/// ... and by no more than this from what is most frequent between the eyes and below.
const CONTRAST: f32 = 0.25;
/// The skin beside an eye is at least so high, in distances between the eyes; else it belongs to the eye.
const LEAST_SKIN: f32 = 0.03;
/// What is left of the height of a closed eye: its lashes.
const CLOSED: f32 = 0.12;
/// Eyes that are nearer to each other, in pixels, are a profile's, or too small.
const LEAST_APART: f32 = 4.0;

/// The eyes of a drawn face.
#[derive(Debug, Clone)]
pub(crate) struct Eyes {
    /// The right and the left one.
    eyes: [Eye; 2],
    /// Distance between them, in pixels.
    apart: f32,
    /// From the forehead to the chin.
    down: Vector,
}

#[derive(Debug, Clone, Copy)]
struct Eye {
    middle: Vector,
    above: Reach,
    below: Reach,
}

/// How far an eye goes from its middle, and where the skin beside it ends, in pixels.
#[derive(Debug, Clone, Copy)]
struct Reach {
    eye: f32,
    skin: f32,
}

impl Eyes {
    /// The eyes of a figure whose head is in `texture`; `None` where they are not known, or hair, a hat or glasses touch one of them.
    pub fn new(texture: &RgbaImage, joints: &Joints) -> Option<Self> {
        let (right, left) = joints.pair(Joint::RightEye, Joint::LeftEye)?;
        let apart = (left - right).length();
        if apart < LEAST_APART {
            return None;
        }
        let across = (left - right).unit();
        let down = if across.x >= 0.0 { across.quarter_turn() } else { -across.quarter_turn() };
        let skin = skin(texture, right.toward(left, 0.5), apart, down);
        let eye = |middle| Eye::new(texture, skin, middle, apart, down);
        Some(Self { eyes: [eye(right)?, eye(left)?], apart, down })
    }

    /// The head with its right and left eye as far `open`, 0 to 1, as the picture's.
    pub fn opened(&self, texture: &RgbaImage, open: [f32; 2]) -> RgbaImage {
        let mut changed = texture.clone();
        for (eye, open) in self.eyes.iter().zip(open).filter(|(_, open)| *open < 1.0) {
            self.squeeze(texture, &mut changed, eye, CLOSED + (1.0 - CLOSED) * open.max(0.0));
        }
        changed
    }

    fn squeeze(&self, texture: &RgbaImage, changed: &mut RgbaImage, eye: &Eye, factor: f32) {
        let radius = CORNER[1] * self.apart + eye.above.skin.max(eye.below.skin);
        let bounds = |middle: f32, length: u32| {
            let first = (middle - radius).max(0.0) as u32;
            first..((middle + radius).max(0.0) as u32 + 1).min(length)
        };
        for y in bounds(eye.middle.y, texture.height()) {
            for x in bounds(eye.middle.x, texture.width()) {
                let from = vector(x as f32 + 0.5, y as f32 + 0.5) - eye.middle;
                let beside = from.cross(self.down).abs() / self.apart;
                let corner = ((beside - CORNER[0]) / (CORNER[1] - CORNER[0])).clamp(0.0, 1.0);
                let factor = factor + (1.0 - factor) * corner * corner * (3.0 - 2.0 * corner);
                let below = from.dot(self.down);
                let reach = if below < 0.0 { eye.above } else { eye.below };
                if factor >= 1.0 || below.abs() >= reach.skin {
                    continue;
                }
                // All that comes into this pixel.
                let [first, last] = [-0.5, 0.5].map(|half| eye.source(below + half, factor));
                let count = (last - first).ceil().max(1.0);
                let sum = (0..count as usize).fold([0.0; 4], |sum, index| {
                    let source = first + (last - first) * (index as f32 + 0.5) / count;
                    let value = sample(texture, eye.middle + from + self.down * (source - below));
                    std::array::from_fn(|channel| sum[channel] + value[channel])
                });
                changed.put_pixel(x, y, Rgba(sum.map(|value| (value / count * 255.0).round() as u8)));
            }
        }
    }
}

impl Eye {
    /// `None` where there is no skin above or below.
    fn new(texture: &RgbaImage, skin: [f32; 4], middle: Vector, apart: f32, down: Vector) -> Option<Self> {
        let across = down.quarter_turn() * (PUPIL * apart / 3.0);
        let row = |way: f32| (-3..=3).map(move |place| middle + down * way + across * place as f32);
        let is_skin = |way: f32| {
            let values: Vec<[f32; 4]> = row(way).map(|point| sample(texture, point)).collect();
            (0..4).all(|channel| {
                let of_row = || values.iter().map(|value| value[channel]);
                let (least, most) = (of_row().fold(f32::INFINITY, f32::min), of_row().fold(0.0, f32::max));
                most - least < EVEN && ((most + least) / 2.0 - skin[channel]).abs() < CONTRAST
            })
        };
        let reach = |sign: f32| {
            let rows = |from: f32, to: f32| {
                let count = ((to - from).max(0.0) * 2.0) as usize;
                (0..count).map(move |index| from + index as f32 / 2.0)
            };
            let least = LEAST_SKIN * apart;
            let starts = |way: &f32| rows(*way, way + least.max(1.0)).all(|way| is_skin(sign * way));
            let eye = rows(0.0, HIGHEST * apart).find(starts)?;
            let end = eye + SKIN * apart;
            let skin = rows(eye, end).find(|way| !is_skin(sign * way)).unwrap_or(end);
            Some(Reach { eye, skin })
        };
        Some(Self { middle, above: reach(-1.0)?, below: reach(1.0)? })
    }

    /// What is drawn so far below the middle, where the eye is `factor` times as high.
    fn source(&self, below: f32, factor: f32) -> f32 {
        let Reach { eye, skin } = if below < 0.0 { self.above } else { self.below };
        let (far, moved) = (below.abs().min(skin), eye * factor);
        let source =
            if far < moved { far / factor } else { eye + (far - moved) * (skin - eye) / (skin - moved) };
        source.copysign(below)
    }
}

/// The most frequent colour of a face, in steps of a sixteenth.
fn skin(texture: &RgbaImage, between_eyes: Vector, apart: f32, down: Vector) -> [f32; 4] {
    const GRID: i32 = 16;
    let mut counts: BTreeMap<[u8; 4], (u32, [f32; 4])> = BTreeMap::new();
    for (along, across) in (0..GRID).flat_map(|along| (-GRID..=GRID).map(move |across| (along, across))) {
        let [along, across] = [along, across].map(|place| place as f32 / GRID as f32 * apart);
        let value = sample(texture, between_eyes + down * along + down.quarter_turn() * across);
        let (count, sum) = counts.entry(value.map(|value| (value * 16.0) as u8)).or_default();
        *count += 1;
        *sum = std::array::from_fn(|channel| sum[channel] + value[channel]);
    }
    let most = counts.into_values().max_by_key(|(count, _)| *count);
    most.map_or([0.0; 4], |(count, sum)| sum.map(|sum| sum / count as f32))
}
