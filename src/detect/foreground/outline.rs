//! The outlines of drawn figures: before dark scenery, colours alone take them for background.

use image::{GrayImage, Luma, RgbImage};
use imageproc::distance_transform::Norm;
use imageproc::morphology::dilate;

/// Most that an outline is thick, as a share of the picture's longer side.
const THICKNESS: f32 = 0.01;
/// How far around, in thicknesses, the background is looked at.
const SURROUNDINGS: u32 = 4;
/// Least difference, in 255ths, between an outline and the background behind it, and how many times the background's own
/// unevenness it has to be.
const LEAST_DIFFERENCE: f32 = 24.0;
const LEAST_RATIO: f32 = 2.5;
/// Least share of that difference which no blend with the figure's edge explains.
const LEAST_OTHERNESS: f32 = 0.5;

/// The mask grown by what lies along its edge and does not look like the background nearby.
pub fn with_outline(picture: &RgbImage, mask: &GrayImage) -> GrayImage {
    let thickness = ((picture.width().max(picture.height()) as f32 * THICKNESS).round() as u8).max(2);
    let near = dilate(mask, Norm::LInf, thickness);
    let mut grown = mask.clone();
    for _ in 0..thickness {
        let edge = dilate(&grown, Norm::LInf, 1);
        let added: Vec<(u32, u32)> = edge
            .enumerate_pixels()
            .filter(|&(x, y, pixel)| pixel[0] > 0 && grown.get_pixel(x, y)[0] == 0)
            .map(|(x, y, _)| (x, y))
            .filter(|&place| stands_out(picture, &grown, &near, place, SURROUNDINGS * u32::from(thickness)))
            .collect();
        if added.is_empty() {
            break;
        }
        added.into_iter().for_each(|(x, y)| grown.put_pixel(x, y, Luma([255])));
    }
    grown
}

/// Whether a pixel differs from those within `reach` of it that are not `near` the figure. It also has to be more than
/// a blend of that background and the edge of the figure beside it.
fn stands_out(
    picture: &RgbImage,
    grown: &GrayImage,
    near: &GrayImage,
    (x, y): (u32, u32),
    reach: u32,
) -> bool {
    let behind = Colour::mean(picture, (x, y), reach, |place| near.get_pixel(place.0, place.1)[0] == 0);
    let beside = Colour::mean(picture, (x, y), 1, |place| grown.get_pixel(place.0, place.1)[0] > 0);
    let (Some(behind), Some(beside)) = (behind, beside) else { return false };
    let here = difference(picture.get_pixel(x, y).0.map(f32::from), behind.mean);
    let edge = difference(beside.mean, behind.mean);
    if dot(here, here).sqrt() <= LEAST_DIFFERENCE.max(LEAST_RATIO * behind.unevenness) {
        return false;
    }
    let share = dot(here, edge) / dot(edge, edge).max(f32::MIN_POSITIVE);
    let beyond = difference(here, edge.map(|edge| share * edge));
    share >= 0.5 || dot(beyond, beyond).sqrt() > LEAST_OTHERNESS * dot(here, here).sqrt()
}

/// What some pixels look like.
struct Colour {
    mean: [f32; 3],
    /// Standard deviation from the mean.
    unevenness: f32,
}

impl Colour {
    /// Of the pixels within `reach` of a place, that are `chosen`.
    fn mean(
        picture: &RgbImage,
        (x, y): (u32, u32),
        reach: u32,
        chosen: impl Fn((u32, u32)) -> bool,
    ) -> Option<Self> {
        let range = |middle: u32, length: u32| middle.saturating_sub(reach)..(middle + reach + 1).min(length);
        let (mut sum, mut squares, mut count) = ([0.0_f32; 3], 0.0, 0.0);
        for row in range(y, picture.height()) {
            for column in range(x, picture.width()).filter(|&column| chosen((column, row))) {
                let pixel = picture.get_pixel(column, row).0.map(f32::from);
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
                squares += dot(pixel, pixel);
                count += 1.0;
            }
        }
        let mean = sum.map(|sum| sum / count);
        (count > 0.0).then(|| Self { mean, unevenness: (squares / count - dot(mean, mean)).max(0.0).sqrt() })
    }
}

fn difference(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|channel| a[channel] - b[channel])
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
