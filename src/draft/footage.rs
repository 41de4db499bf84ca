//! The dance's own footage, without the dancer.

use std::path::Path;

use dreamtuner_warp::without_figure;
use image::{GrayImage, Luma, Rgb, RgbImage};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::picture::{Fit, WHITE, fit_image};
use crate::pose::{BoundingBox, Joint, LIMBS, Pose, Vector, vector};
use crate::video::{DecodeSettings, FrameReader, open_frames};

/// Frames from which the place behind the dancer is known.
const SAMPLES: usize = 15;
/// What a dancer takes up around the bones, in torsos: clothes and hands, ...
const CLOTHES: f32 = 0.36;
/// ... and the head with its hair around the nose.
const HEAD: f32 = 0.65;
/// Frames of a camera that stands still differ by no more than so much, of 255, where no dancer is.
const STILL: f32 = 6.0;
/// The border of what is replaced is blurred by so many pixels.
const SOFT: f32 = 3.0;

/// The frames of a video of a dancer, as large as the clip's, with what is behind the dancer in the dancer's place. Where the camera stands
/// still, that is what other frames show there; else the colours around.
pub struct Footage<'a> {
    frames: Box<dyn FrameReader + Send>,
    /// Those of the dancer, on the clip's frames.
    poses: Vec<Pose>,
    size: (u32, u32),
    /// The place without the dancer, where the camera stands still.
    place: Option<RgbImage>,
    path: &'a Path,
}

impl<'a> Footage<'a> {
    /// Looks through a video, of which each frame has a pose, in pixels of frames of a `size`.
    ///
    /// # Errors
    /// A video that cannot be read.
    pub fn open(
        path: &'a Path,
        decode: &DecodeSettings,
        poses: Vec<Pose>,
        size: (u32, u32),
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let mut footage = Self { frames: open_frames(path, decode)?, poses, size, place: None, path };
        let every = footage.poses.len().div_ceil(SAMPLES).max(1);
        let mut samples = Vec::new();
        for index in 0..footage.poses.len() {
            interrupt.check()?;
            let frame = footage.read(index)?;
            if index % every == every / 2 {
                samples.push((footage.fit(&frame), footage.dancer(index)));
            }
        }
        footage.place = place(&samples, size).filter(|place| is_still(place, &samples));
        footage.frames = open_frames(path, decode)?;
        Ok(footage)
    }

    /// The next frame, whose number is `index`, without the dancer.
    ///
    /// # Errors
    /// A video that cannot be read on.
    pub fn next(&mut self, index: usize) -> Result<RgbImage> {
        let frame = self.read(index)?;
        let (frame, dancer) = (self.fit(&frame), self.dancer(index));
        let Some(place) = &self.place else { return Ok(without_figure(&frame, &dancer)) };
        let softened = imageproc::filter::gaussian_blur_f32(&dancer, SOFT);
        Ok(RgbImage::from_fn(frame.width(), frame.height(), |x, y| {
            let share = u32::from(softened.get_pixel(x, y).0[0]);
            let (seen, behind) = (frame.get_pixel(x, y), place.get_pixel(x, y));
            Rgb(std::array::from_fn(|channel| {
                let (seen, behind) = (u32::from(seen.0[channel]), u32::from(behind.0[channel]));
                ((seen * (255 - share) + behind * share + 127) / 255) as u8
            }))
        }))
    }

    fn read(&mut self, index: usize) -> Result<RgbImage> {
        let ended = || Error::input(self.path, format!("ends before its frame {index}"));
        Ok(self.frames.next().ok_or_else(ended)??.image)
    }

    fn fit(&self, frame: &RgbImage) -> RgbImage {
        fit_image(frame, self.size.0, self.size.1, Fit::Contain, WHITE)
    }

    /// Where the dancer is in a frame, 255.
    fn dancer(&self, index: usize) -> GrayImage {
        let (width, height) = self.size;
        let mut mask = GrayImage::new(width, height);
        for (from, to, radius) in self.poses.get(index).into_iter().flat_map(bulks) {
            let reach = vector(radius, radius);
            let Some(bounds) = BoundingBox::of([from - reach, from + reach, to - reach, to + reach]) else {
                continue;
            };
            let within = |low: f32, high: f32, size: u32| {
                (low.max(0.0) as u32).min(size)..(high.max(0.0) as u32 + 1).min(size)
            };
            for y in within(bounds.top, bounds.bottom, height) {
                for x in within(bounds.left, bounds.right, width) {
                    if vector(x as f32 + 0.5, y as f32 + 0.5).distance_to_line(from, to) < radius {
                        mask.put_pixel(x, y, Luma([255]));
                    }
                }
            }
        }
        mask
    }
}

/// What people take up: lines with a radius.
fn bulks(pose: &Pose) -> Vec<(Vector, Vector, f32)> {
    let person = |person: &crate::pose::Person| {
        let at = |joint: Joint| person.joint(joint).map(|point| vector(point.x, point.y));
        let hips = [Joint::RightHip, Joint::LeftHip].into_iter().filter_map(at).next();
        let torso = at(Joint::Neck).zip(hips).map_or(0.0, |(neck, hip)| (neck - hip).length());
        // One who bends forward is not smaller.
        let torso = torso.max(person.bounding_box().map_or(0.0, |bounds| bounds.height() * 0.25));
        let bones =
            LIMBS.into_iter().filter_map(move |(from, to)| Some((at(from)?, at(to)?, CLOTHES * torso)));
        // Hands and feet reach beyond the last joint.
        let ends = [
            (Joint::RightElbow, Joint::RightWrist),
            (Joint::LeftElbow, Joint::LeftWrist),
            (Joint::RightKnee, Joint::RightAnkle),
            (Joint::LeftKnee, Joint::LeftAnkle),
        ];
        let ends = ends.into_iter().filter_map(move |(from, to)| {
            let (from, to) = (at(from)?, at(to)?);
            Some((to, to + (to - from) * 0.4, CLOTHES * torso))
        });
        let head = at(Joint::Nose).map(|nose| (nose, nose, HEAD * torso));
        bones.chain(ends).chain(head).collect::<Vec<_>>()
    };
    pose.people.iter().flat_map(person).collect()
}

/// The median of what frames show of each pixel where no dancer is; with the colours around where one always is.
fn place(samples: &[(RgbImage, GrayImage)], (width, height): (u32, u32)) -> Option<RgbImage> {
    if samples.is_empty() {
        return None;
    }
    let mut place = RgbImage::new(width, height);
    let mut never = GrayImage::new(width, height);
    let row = 3 * width as usize;
    let rows = place.par_chunks_mut(row.max(1)).zip(never.par_chunks_mut(width.max(1) as usize)).enumerate();
    rows.for_each(|(y, (place, never))| {
        for x in 0..width {
            let seen: Vec<[u8; 3]> = samples
                .iter()
                .filter(|(_, dancer)| dancer.get_pixel(x, y as u32).0[0] == 0)
                .map(|(frame, _)| frame.get_pixel(x, y as u32).0)
                .collect();
            if seen.is_empty() {
                never[x as usize] = 255;
            }
            for channel in 0..3 {
                let mut values: Vec<u8> = seen.iter().map(|pixel| pixel[channel]).collect();
                values.sort_unstable();
                place[3 * x as usize + channel] = values.get(values.len() / 2).copied().unwrap_or(0);
            }
        }
    });
    Some(match never.pixels().any(|pixel| pixel.0[0] > 0) {
        true => without_figure(&place, &never),
        false => place,
    })
}

/// Whether all frames show a place where no dancer is.
fn is_still(place: &RgbImage, samples: &[(RgbImage, GrayImage)]) -> bool {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for (frame, dancer) in samples {
        let beside =
            frame.pixels().zip(place.pixels()).zip(dancer.pixels()).filter(|(_, dancer)| dancer.0[0] == 0);
        for ((one, other), _) in beside {
            sum += one.0.iter().zip(other.0).map(|(one, other)| u64::from(one.abs_diff(other))).sum::<u64>();
            count += 3;
        }
    }
    sum as f32 / count.max(1) as f32 <= STILL
}
