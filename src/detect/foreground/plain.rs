//! Pictures on one plain colour, as references often are: no network is needed to tell what is in front of it.

use std::collections::HashSet;

use image::{GrayImage, Luma, Rgb, RgbImage};
use imageproc::region_labelling::{Connectivity, connected_components};

/// Most that a channel of a plain background differs from its usual value.
const TOLERANCE: u8 = 12;
/// The share of the edge that must be background; a figure may leave the picture.
const LEAST_SHARE: f64 = 0.8;

/// What is in front of a plain background: 255 there, 0 where the colour of the picture's edge reaches from the edge.
/// `None` where the edge has no such colour.
pub fn in_front_of_plain(picture: &RgbImage) -> Option<GrayImage> {
    let (width, height) = picture.dimensions();
    if width * height < 2 {
        // `connected_components` has no number for a single pixel.
        return None;
    }
    let edge: Vec<(u32, u32)> = (0..width)
        .flat_map(|x| [(x, 0), (x, height - 1)])
        .chain((0..height).flat_map(|y| [(0, y), (width - 1, y)]))
        .collect();
    let usual = median(edge.iter().map(|&(x, y)| *picture.get_pixel(x, y)))?;
    let is_usual = |pixel: &Rgb<u8>| pixel.0.iter().zip(usual.0).all(|(&a, b)| a.abs_diff(b) <= TOLERANCE);
    let plain = edge.iter().filter(|&&(x, y)| is_usual(picture.get_pixel(x, y))).count();
    if (plain as f64) < LEAST_SHARE * edge.len() as f64 {
        return None;
    }
    let background = GrayImage::from_fn(width, height, |x, y| {
        Luma([if is_usual(picture.get_pixel(x, y)) { 255 } else { 0 }])
    });
    let parts = connected_components(&background, Connectivity::Four, Luma([0]));
    let label = |x: u32, y: u32| parts.get_pixel(x, y)[0];
    let behind: HashSet<u32> = edge.iter().map(|&(x, y)| label(x, y)).filter(|&label| label != 0).collect();
    let is_behind = |x: u32, y: u32| behind.contains(&label(x, y));
    let distance = |x: u32, y: u32| {
        let pixel = picture.get_pixel(x, y).0;
        pixel.iter().zip(usual.0).map(|(&value, usual)| u32::from(value.abs_diff(usual))).sum::<u32>()
    };
    // Along the edge of the figure, a pixel that is nearer to the background than to the figure is not the figure.
    let is_blend = |x: u32, y: u32| {
        let around = || {
            let columns = x.saturating_sub(1)..(x + 2).min(width);
            columns.flat_map(|x| (y.saturating_sub(1)..(y + 2).min(height)).map(move |y| (x, y)))
        };
        around().any(|(x, y)| is_behind(x, y))
            && around().any(|(beside_x, beside_y)| 2 * distance(x, y) < distance(beside_x, beside_y))
    };
    Some(GrayImage::from_fn(width, height, |x, y| {
        Luma([if is_behind(x, y) || is_blend(x, y) { 0 } else { 255 }])
    }))
}

/// The median of each channel.
fn median(pixels: impl Iterator<Item = Rgb<u8>> + Clone) -> Option<Rgb<u8>> {
    let channel = |index: usize| {
        let mut values: Vec<u8> = pixels.clone().map(|pixel| pixel[index]).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    Some(Rgb([channel(0)?, channel(1)?, channel(2)?]))
}
