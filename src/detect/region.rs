//! Parts of pictures in which a person is looked for.

use image::{Rgb, RgbImage};
use rayon::prelude::*;

use crate::pose::{Joint, Keypoint, Person};

/// A rectangle, in pixels; it may hang over the picture's edges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// The left edge.
    pub left: f32,
    /// The upper edge.
    pub top: f32,
    /// From the left edge to the right one.
    pub width: f32,
    /// From the upper edge to the lower one.
    pub height: f32,
}

const SHOULDERS: [Joint; 2] = [Joint::LeftShoulder, Joint::RightShoulder];
const HIPS: [Joint; 2] = [Joint::LeftHip, Joint::RightHip];
/// How much further than the torso's joints, and than all joints, a region reaches from the middle of the hips.
const TORSO_MARGIN: f32 = 1.9;
const BODY_MARGIN: f32 = 1.2;
/// Joints below this confidence do not count: MoveNet's own 0.2, as a square root.
const LEAST_CONFIDENCE: f32 = 0.447;

impl Region {
    /// The smallest square around the whole of a picture of `width` × `height` pixels.
    pub fn whole(width: u32, height: u32) -> Self {
        let side = width.max(height) as f32;
        Self::square((width as f32 / 2.0, height as f32 / 2.0), side)
    }

    /// A picture from edge to edge.
    pub fn all(picture: &RgbImage) -> Self {
        Self { left: 0.0, top: 0.0, width: picture.width() as f32, height: picture.height() as f32 }
    }

    /// A square around a point.
    pub fn square((x, y): (f32, f32), side: f32) -> Self {
        Self { left: x - side / 2.0, top: y - side / 2.0, width: side, height: side }
    }

    /// The region with its sides multiplied, around the same middle.
    pub fn scaled(&self, across: f32, down: f32) -> Self {
        let (width, height) = (self.width * across, self.height * down);
        let left = self.left + (self.width - width) / 2.0;
        Self { left, top: self.top + (self.height - height) / 2.0, width, height }
    }

    /// The smallest region around all points of a person, at least a pixel wide and high; `None` for an empty person.
    pub fn of(person: &Person) -> Option<Self> {
        let bounds = person.bounding_box()?;
        let (width, height) = (bounds.width().max(1.0), bounds.height().max(1.0));
        Some(Self { left: bounds.left, top: bounds.top, width, height })
    }

    /// The smallest region around this one, with the same middle, that is `shape` times as wide as high.
    pub fn shaped(&self, shape: f32) -> Self {
        let width = self.width.max(self.height * shape);
        self.scaled(width / self.width, width / shape / self.height)
    }

    /// The area that both have as a share of the area that either has.
    pub fn overlap(&self, other: &Self) -> f32 {
        let shared =
            |a: f32, a_size: f32, b: f32, b_size: f32| ((a + a_size).min(b + b_size) - a.max(b)).max(0.0);
        let both = shared(self.left, self.width, other.left, other.width)
            * shared(self.top, self.height, other.top, other.height);
        both / (self.width * self.height + other.width * other.height - both).max(f32::MIN_POSITIVE)
    }

    /// Where to look for a person in the next frame, around the middle of the hips, as MoveNet's authors define it
    /// (<https://www.tensorflow.org/hub/tutorials/movenet>); `None` where shoulders or hips are not seen.
    pub fn around(person: &Person, width: u32, height: u32) -> Option<Self> {
        let sure = |joint: &Joint| person.joint(*joint).filter(|point| point.confidence > LEAST_CONFIDENCE);
        let torso: Vec<Keypoint> = SHOULDERS.iter().chain(&HIPS).filter_map(sure).collect();
        let hips: Vec<Keypoint> = HIPS.iter().filter_map(|joint| person.joint(*joint)).collect();
        if hips.is_empty()
            || !SHOULDERS.iter().any(|joint| sure(joint).is_some())
            || !HIPS.iter().any(|joint| sure(joint).is_some())
        {
            return None;
        }
        let share = 1.0 / hips.len() as f32;
        let x = hips.iter().map(|point| point.x).sum::<f32>() * share;
        let y = hips.iter().map(|point| point.y).sum::<f32>() * share;
        let reach = |points: &mut dyn Iterator<Item = Keypoint>| {
            points.map(|point| (point.x - x).abs().max((point.y - y).abs())).fold(0.0, f32::max)
        };
        let torso = reach(&mut torso.into_iter());
        let body = reach(&mut Joint::ALL.iter().filter_map(sure));
        let half = (TORSO_MARGIN * torso).max(BODY_MARGIN * body);
        let (width, height) = (width as f32, height as f32);
        let farthest_edge = x.max(width - x).max(y).max(height - y);
        let half = half.min(farthest_edge).max(1.0);
        if half > width.max(height) / 2.0 {
            return Some(Self::whole(width as u32, height as u32));
        }
        Some(Self::square((x, y), 2.0 * half))
    }

    /// The region, stretched, as a picture of `width` × `height` pixels: the mean of several pixels where it shrinks, else
    /// bilinear; black outside the picture.
    pub fn cut(&self, picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let scale = (self.width / width as f32, self.height / height as f32);
        let taps = (scale.0.max(scale.1).ceil() as usize).clamp(1, MOST_TAPS);
        let mut result = RgbImage::new(width, height);
        let rows = result.par_chunks_exact_mut(3 * width as usize).enumerate();
        if taps == 1 {
            rows.for_each(|(y, row)| {
                for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                    let across = self.left + (x as f32 + 0.5) * scale.0;
                    let down = self.top + (y as f32 + 0.5) * scale.1;
                    pixel.copy_from_slice(&bilinear(picture, (across, down)));
                }
            });
            return result;
        }
        let columns = samples(self.left, scale.0, width, taps, picture.width());
        let lines = samples(self.top, scale.1, height, taps, picture.height());
        rows.for_each(|(y, row)| mean_row(picture, &lines[y * taps..][..taps], &columns, row));
        result
    }
}

/// The pixels that are looked at along one side: `taps` for each of `count` places; `None` outside the picture.
fn samples(start: f32, scale: f32, count: u32, taps: usize, length: u32) -> Vec<Option<usize>> {
    let place = |sample: usize| {
        let within = ((sample % taps) as f32 + 0.5) / taps as f32;
        start + ((sample / taps) as f32 + within) * scale
    };
    let inside = |place: f32| (place >= 0.0 && place < length as f32).then_some(place as usize);
    (0..count as usize * taps).map(|sample| inside(place(sample))).collect()
}

/// One row of means over the samples that lie in `lines`.
fn mean_row(picture: &RgbImage, lines: &[Option<usize>], columns: &[Option<usize>], row: &mut [u8]) {
    let (taps, stride) = (lines.len(), 3 * picture.width() as usize);
    let count = (taps * taps) as u32;
    let mut sums = vec![[0_u32; 3]; row.len() / 3];
    for line in lines.iter().flatten() {
        let line = &picture.as_raw()[line * stride..][..stride];
        for (sum, columns) in sums.iter_mut().zip(columns.chunks_exact(taps)) {
            for column in columns.iter().flatten() {
                let pixel = &line[3 * column..][..3];
                sum.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += u32::from(*byte));
            }
        }
    }
    for (pixel, sum) in row.chunks_exact_mut(3).zip(sums) {
        pixel.copy_from_slice(&sum.map(|sum| ((sum + count / 2) / count) as u8));
    }
}

/// Most samples across one pixel of a result.
const MOST_TAPS: usize = 8;

/// The colour at a point, between the four pixels around it; black outside.
fn bilinear(picture: &RgbImage, (x, y): (f32, f32)) -> [u8; 3] {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let mut colour = [0.0; 3];
    for (dx, dy, weight) in [
        (0.0, 0.0, (1.0 - across) * (1.0 - down)),
        (1.0, 0.0, across * (1.0 - down)),
        (0.0, 1.0, (1.0 - across) * down),
        (1.0, 1.0, across * down),
    ] {
        let Rgb(pixel) = pixel_or_black(picture, left + dx, top + dy);
        colour.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += weight * f32::from(byte));
    }
    colour.map(|value: f32| value.round() as u8)
}

/// The pixel in which a point lies.
fn pixel_or_black(picture: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let inside = x >= 0.0 && y >= 0.0 && x < picture.width() as f32 && y < picture.height() as f32;
    if inside { *picture.get_pixel(x as u32, y as u32) } else { Rgb([0; 3]) }
}
