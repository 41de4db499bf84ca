//! Colours where there are none: the nearest ones, blurred the more the farther they are (push-pull, Gortler et al. 1996).

use image::{GrayImage, Rgb, RgbImage, Rgba, RgbaImage};
use imageproc::morphology::{Mask, grayscale_dilate};

/// The edge of a figure, which is mixed with it and belongs to neither, is at least so many pixels wide, ...
const EDGE: u32 = 2;
/// ... and such a part of the picture's longer side: masks are a little too small.
const EDGES: u32 = 150;

/// What is behind the figure where `mask` is white: the colours around it, blurred the more the farther they are.
pub fn without_figure(picture: &RgbImage, mask: &GrayImage) -> RgbImage {
    let edge = (picture.width().max(picture.height()) / EDGES).clamp(EDGE, 40) as u8;
    let mask = grayscale_dilate(mask, &Mask::square(edge));
    let seen = RgbaImage::from_fn(picture.width(), picture.height(), |x, y| {
        let Rgb([red, green, blue]) = *picture.get_pixel(x, y);
        Rgba(if mask.get_pixel(x, y).0[0] == 0 { [red, green, blue, 255] } else { [0; 4] })
    });
    let full = continued(&seen);
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let Rgba([red, green, blue, _]) = *full.get_pixel(x, y);
        Rgb([red, green, blue])
    })
}

/// Premultiplied colours of one size.
struct Level {
    width: usize,
    height: usize,
    values: Vec<[f32; 4]>,
}

/// Gives every pixel a colour: what is opaque stays, what is transparent takes the colours around it. `picture` is premultiplied.
pub(crate) fn continued(picture: &RgbaImage) -> RgbaImage {
    let values = picture.pixels().map(|pixel| pixel.0.map(|value| f32::from(value) / 255.0)).collect();
    let mut levels =
        vec![Level { width: picture.width() as usize, height: picture.height() as usize, values }];
    while levels.last().is_some_and(|level| level.width.max(level.height) > 1) {
        let coarser = levels.last().map(halved);
        levels.extend(coarser);
    }
    for index in (0..levels.len().saturating_sub(1)).rev() {
        let (finer, coarser) = levels.split_at_mut(index + 1);
        pull(&mut finer[index], &coarser[0]);
    }
    let full = &levels[0];
    RgbaImage::from_fn(picture.width(), picture.height(), |x, y| {
        let value = full.values[y as usize * full.width + x as usize];
        image::Rgba(value.map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8))
    })
}

/// The mean of each two by two pixels, weighted by what is seen of them; half seen is enough.
fn halved(level: &Level) -> Level {
    let (width, height) = (level.width.div_ceil(2), level.height.div_ceil(2));
    let mut values = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0; 4];
            for (across, down) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (x, y) = (2 * x + across, 2 * y + down);
                if x < level.width && y < level.height {
                    let value = level.values[y * level.width + x];
                    sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += value);
                }
            }
            let scale = if sum[3] > 1.0 { 1.0 / sum[3] } else { 1.0 };
            values.push(sum.map(|value| value * scale));
        }
    }
    Level { width, height, values }
}

/// Fills what is not seen of `finer` with `coarser`, which is between its pixels interpolated.
fn pull(finer: &mut Level, coarser: &Level) {
    for y in 0..finer.height {
        for x in 0..finer.width {
            let value = &mut finer.values[y * finer.width + x];
            let missing = 1.0 - value[3];
            if missing <= 0.0 {
                continue;
            }
            let below = between(coarser, x, y);
            value.iter_mut().zip(below).for_each(|(value, below)| *value += missing * below);
        }
    }
}

fn between(level: &Level, x: usize, y: usize) -> [f32; 4] {
    let place = |fine: usize, size: usize| {
        let place = (fine as f32 - 0.5) / 2.0;
        let low = place.floor();
        let clamp = |index: f32| (index.max(0.0) as usize).min(size - 1);
        (clamp(low), clamp(low + 1.0), place - low)
    };
    let ((left, right, across), (top, bottom, down)) = (place(x, level.width), place(y, level.height));
    let mut sum = [0.0; 4];
    for (x, y, weight) in [
        (left, top, (1.0 - across) * (1.0 - down)),
        (right, top, across * (1.0 - down)),
        (left, bottom, (1.0 - across) * down),
        (right, bottom, across * down),
    ] {
        let value = level.values[y * level.width + x];
        sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}
