//! What a picture is of: its foreground as a mask.
//!
//! 1. [`plain`] — on a plain background, everything else is foreground.
//! 2. [`u2net`] — else a network says how likely each pixel is foreground,
//! 3. [`reach`] — the pose how far the figure can reach,
//! 4. [`colours`] and [`graph_cut`] — and the colours of both and the outlines where exactly it ends, as GrabCut does
//!    (Rother, Kolmogorov & Blake, 2004);
//! 5. [`outline`] — what belongs to its drawn outline.

mod colours;
mod graph_cut;
mod outline;
mod plain;
mod reach;
mod u2net;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma, RgbImage};
use imageproc::region_labelling::{Connectivity, connected_components};

use colours::Colours;
use graph_cut::{GraphCut, Grid};
use reach::{Closeness, Reach};
use u2net::Probabilities;
pub use u2net::U2Net;

use crate::error::Result;
use crate::pose::Person;

/// Longest side of what is looked at, in pixels; larger pictures are made smaller.
const LONGEST_SIDE: u32 = 512;
/// Likelihood of what the network takes for another thing than the figure.
const ANOTHER_THING: f32 = 0.3;
/// How much the network's likelihood, and how much neighbours of the same colour, count beside the colours.
const PRIOR: f32 = 0.2;
const SMOOTHNESS: f32 = 50.0;
/// How often the colours are counted.
const ROUNDS: usize = 3;
/// Costs are whole numbers: this many to one.
const SCALE: f32 = 1000.0;
/// More than any other cost of a pixel.
const CERTAIN: f32 = 10_000.0;
/// Less than this share of the picture is not worth calling a foreground.
const LEAST_SHARE: f64 = 0.002;

/// The foreground of a picture: 255 inside, 0 outside, of the picture's size. On a plain background that is everything
/// else; where there is a `person`, who is asked for only if needed, that person's figure; else what stands out most.
/// `None` where nothing does.
///
/// # Errors
/// Failures of memory, those of `person`.
pub fn find_foreground(
    picture: &RgbImage,
    person: impl FnOnce() -> Result<Option<Person>>,
) -> Result<Option<GrayImage>> {
    let scenery = Scenery::new(picture);
    let person = if scenery.is_busy() { person()? } else { None };
    scenery.find_foreground(person.as_ref())
}

/// A picture whose foreground may be looked for more than once.
pub struct Scenery<'a> {
    /// Width and height of the picture.
    size: (u32, u32),
    /// The picture, made smaller if it is large.
    small: Cow<'a, RgbImage>,
    /// What is in front of a plain background, where there is one.
    in_front: Option<GrayImage>,
    /// What the network sees in it, once it was asked.
    seen: OnceCell<Probabilities>,
}

impl<'a> Scenery<'a> {
    pub fn new(picture: &'a RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        let scale = (LONGEST_SIDE as f32 / width.max(height) as f32).min(1.0);
        let side = |side: u32| ((side as f32 * scale).round() as u32).max(1);
        let small = match scale < 1.0 {
            true => Cow::Owned(imageops::resize(picture, side(width), side(height), FilterType::Triangle)),
            false => Cow::Borrowed(picture),
        };
        let in_front = plain::in_front_of_plain(&small);
        Self { size: (width, height), small, in_front, seen: OnceCell::new() }
    }

    /// Whether the background is not plain, so that it matters who is in front of it.
    pub fn is_busy(&self) -> bool {
        self.in_front.is_none()
    }

    /// As [`find_foreground`].
    ///
    /// # Errors
    /// Failures of memory.
    pub fn find_foreground(&self, person: Option<&Person>) -> Result<Option<GrayImage>> {
        let ((width, height), small) = (self.size, &*self.small);
        let mask = match &self.in_front {
            Some(mask) => mask.clone(),
            None => {
                let scales = (small.width() as f32 / width as f32, small.height() as f32 / height as f32);
                let person = person.map(|person| person.transformed(scales, (0.0, 0.0)));
                cut_out(small, self.seen()?, person.as_ref().and_then(Reach::new).as_ref())
            }
        };
        let inside = mask.as_raw().iter().filter(|&&value| value > 0).count();
        if (inside as f64) < LEAST_SHARE * mask.as_raw().len() as f64 || inside == mask.as_raw().len() {
            return Ok(None);
        }
        Ok(Some(match mask.dimensions() == self.size {
            true => mask,
            false => imageops::resize(&mask, width, height, FilterType::Triangle),
        }))
    }

    fn seen(&self) -> Result<&Probabilities> {
        if let Some(seen) = self.seen.get() {
            return Ok(seen);
        }
        let seen = U2Net::published()?.look(&self.small)?;
        Ok(self.seen.get_or_init(|| seen))
    }
}

/// By network, pose and colours.
fn cut_out(picture: &RgbImage, seen: &Probabilities, reach: Option<&Reach>) -> GrayImage {
    let (width, height) = picture.dimensions();
    let at =
        |x: u32, y: u32| reach.map_or(Closeness::Near(1.0), |reach| reach.at(x as f32 + 0.5, y as f32 + 0.5));
    let closeness: Vec<Closeness> = seen.enumerate_pixels().map(|(x, y, _)| at(x, y)).collect();
    let mut likelihood: Vec<f32> = seen
        .pixels()
        .zip(&closeness)
        .map(|(seen, closeness)| match closeness {
            Closeness::Bone => 1.0,
            Closeness::Near(near) => seen[0] * near,
            Closeness::Far => 0.0,
        })
        .collect();
    let standing_out = binary(width, height, |pixel| likelihood[pixel] > 0.5);
    let figure = whole_figure(&standing_out, &closeness);
    for (likelihood, inside) in likelihood.iter_mut().zip(figure.as_raw()) {
        if *likelihood > 0.5 && *inside == 0 {
            *likelihood = ANOTHER_THING;
        }
    }
    let figure = whole_figure(&refine(picture, &likelihood, &closeness), &closeness);
    outline::with_outline(picture, &figure)
}

/// Cuts where colours say, and where they change.
fn refine(picture: &RgbImage, likelihood: &[f32], closeness: &[Closeness]) -> GrayImage {
    let (width, height) = picture.dimensions();
    let grid = Grid { width: width as usize, height: height as usize };
    let pixels: Vec<[i32; 3]> = picture.pixels().map(|pixel| pixel.0.map(i32::from)).collect();
    let difference = |a: usize, b: usize| -> f32 {
        pixels[a].iter().zip(pixels[b]).map(|(a, b)| ((a - b) * (a - b)) as f32).sum()
    };
    let usual = usual_difference(grid, difference);
    let between = |a: usize, b: usize| {
        let straight = a % grid.width == b % grid.width || a / grid.width == b / grid.width;
        let length = if straight { 1.0 } else { f32::sqrt(2.0) };
        (SCALE * SMOOTHNESS * (-difference(a, b) / (2.0 * usual)).exp() / length) as i32
    };
    let mut current = likelihood.to_vec();
    for _ in 0..ROUNDS {
        let colours = Colours::count(picture, &current);
        let preference =
            picture.pixels().zip(likelihood).zip(closeness).map(|((pixel, likelihood), close)| {
                let likelihood = likelihood.clamp(0.02, 0.98);
                let cost = match close {
                    Closeness::Bone => CERTAIN,
                    Closeness::Near(_) => {
                        colours.ratio(pixel) + PRIOR * (likelihood / (1.0 - likelihood)).ln()
                    }
                    Closeness::Far => -CERTAIN,
                };
                (SCALE * cost) as i32
            });
        let mut cut = GraphCut::new(grid, preference.collect(), between);
        cut.solve();
        for (pixel, value) in current.iter_mut().enumerate() {
            *value = if cut.is_source(pixel) { 1.0 } else { 0.0 };
        }
    }
    binary(width, height, |pixel| current[pixel] > 0.5)
}

/// The mean difference of neighbours.
fn usual_difference(grid: Grid, difference: impl Fn(usize, usize) -> f32) -> f32 {
    let (mut sum, mut count) = (0.0_f64, 0_usize);
    for pixel in 0..grid.width * grid.height {
        for neighbour in (0..4).filter_map(|direction| grid.neighbour(pixel, direction)) {
            sum += f64::from(difference(pixel, neighbour));
            count += 1;
        }
    }
    (sum / count.max(1) as f64).max(1.0) as f32
}

/// The connected parts that a bone runs through; without bones, the largest one.
fn whole_figure(mask: &GrayImage, closeness: &[Closeness]) -> GrayImage {
    if mask.len() < 2 {
        return mask.clone();
    }
    let parts = connected_components(mask, Connectivity::Four, Luma([0])).into_raw();
    let mut sizes: HashMap<u32, usize> = HashMap::new();
    let mut kept: HashSet<u32> = HashSet::new();
    for (&label, closeness) in parts.iter().zip(closeness).filter(|&(&label, _)| label != 0) {
        *sizes.entry(label).or_default() += 1;
        if *closeness == Closeness::Bone {
            kept.insert(label);
        }
    }
    if kept.is_empty() {
        kept.extend(sizes.into_iter().max_by_key(|&(label, size)| (size, label)).map(|(label, _)| label));
    }
    binary(mask.width(), mask.height(), |pixel| kept.contains(&parts[pixel]))
}

fn binary(width: u32, height: u32, inside: impl Fn(usize) -> bool) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| Luma([if inside((y * width + x) as usize) { 255 } else { 0 }]))
}
