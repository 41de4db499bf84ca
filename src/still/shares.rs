//! How much of its attention a picture gives to itself and to each reference: the numbers behind their weights.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use image::{Rgb, RgbImage};
use imageproc::drawing::draw_filled_rect_mut;
use imageproc::rect::Rect;

use crate::model::unet::{Place, UNet};
use crate::picture::{BACKGROUND, label};
use crate::render::attention_maps::{AttentionSource, LayerShares};

/// Shares of frames, steps and layers.
#[derive(Debug, Clone, Default)]
pub struct Shares(Vec<Share>);

/// One share.
#[derive(Debug, Clone, Copy)]
struct Share {
    frame: usize,
    step: usize,
    layer: usize,
    place: Place,
    source: AttentionSource,
    share: f64,
}

/// Height of a bar in pixels.
const HEIGHT: u32 = 200;
/// Smallest width of a layer's bars in pixels: its name stands below them.
const NAME: u32 = 80;
const MARGIN: u32 = 8;
/// Side of a colour in the legend.
const BOX: u32 = 8;

/// In the order in which bars are stacked.
const COLOURS: [(AttentionSource, Rgb<u8>); 5] = [
    (AttentionSource::Reference, Rgb([255, 180, 60])),
    (AttentionSource::Previous, Rgb([90, 170, 255])),
    (AttentionSource::First, Rgb([120, 200, 120])),
    (AttentionSource::Draft, Rgb([215, 120, 190])),
    (AttentionSource::Itself, Rgb([70, 70, 80])),
];

impl Shares {
    /// Adds what a frame (0 for a still) saw with the layers of `unet`.
    pub fn add(&mut self, frame: usize, shares: &[LayerShares], unet: &UNet) {
        let places = unet.self_attentions();
        for LayerShares { step, layer, shares } in shares {
            let (step, layer, place) = (*step, *layer, places[*layer].0);
            let share = |&(source, share)| Share { frame, step, layer, place, source, share };
            self.0.extend(shares.iter().map(share));
        }
    }

    /// One line for each share; frames and steps are counted from 1.
    pub fn csv(&self) -> String {
        let mut text = String::from("frame,step,layer,seen,share\n");
        for Share { frame, step, place, source, share, .. } in &self.0 {
            let _ = writeln!(text, "{},{},{place},{},{share:.6}", frame + 1, step + 1, source.name());
        }
        text
    }

    /// A bar for each step, from the first to the last, in the order of the layers: means over frames, stacked to the whole. Where a layer
    /// was not computed at a step, it has no bar there.
    pub fn plot(&self) -> RgbImage {
        let layers = self.layers();
        let steps: BTreeSet<usize> = self.0.iter().map(|share| share.step).collect();
        let places: BTreeMap<usize, u32> = steps.into_iter().zip(0..).collect();
        let steps = places.len() as u32;
        let bar = (NAME / steps.max(1)).max(2);
        let across = (steps * bar).max(NAME) + MARGIN;
        let top = 2 * label::LINE_HEIGHT;
        let width = MARGIN + (across * layers.len() as u32).max(legend_width());
        let mut image = RgbImage::from_pixel(width, top + HEIGHT + 2 * label::LINE_HEIGHT, BACKGROUND);
        legend(&mut image);
        for (place, layer) in layers.values().enumerate() {
            let left = MARGIN + place as u32 * across;
            for (step, sums) in &layer.steps {
                stack(&mut image, left + places[step] * bar, top, bar - 1, sums);
            }
            label::write(&mut image, left, top + HEIGHT + 4, &layer.place.to_string());
        }
        image
    }

    /// The layers by their number, with sums over frames.
    fn layers(&self) -> BTreeMap<usize, Layer> {
        let mut layers = BTreeMap::new();
        for share in &self.0 {
            let layer: &mut Layer = layers
                .entry(share.layer)
                .or_insert_with(|| Layer { place: share.place, steps: BTreeMap::new() });
            *layer.steps.entry(share.step).or_default().entry(share.source).or_default() += share.share;
        }
        layers
    }
}

/// For each thing that is looked at the sum of its shares over frames.
type Sums = BTreeMap<AttentionSource, f64>;

/// The steps of a layer.
struct Layer {
    place: Place,
    steps: BTreeMap<usize, Sums>,
}

/// One bar. Frames differ in what they look at; together their shares are as many as there are frames.
fn stack(image: &mut RgbImage, left: u32, top: u32, width: u32, sums: &Sums) {
    let whole: f64 = sums.values().sum();
    let height = |sum: f64| (sum / whole * f64::from(HEIGHT)).round() as u32;
    let mut below = 0.0;
    for (source, colour) in COLOURS {
        let sum = below + sums.get(&source).copied().unwrap_or(0.0);
        fill(image, (left, top + HEIGHT - height(sum)), (width, height(sum) - height(below)), colour);
        below = sum;
    }
}

/// What the colours stand for.
fn legend(image: &mut RgbImage) {
    let mut left = MARGIN;
    for (source, colour) in COLOURS {
        fill(image, (left, 8), (BOX, BOX), colour);
        label::write(image, left + 2 * BOX, 4, source.name());
        left += legend_entry(source);
    }
}

fn legend_width() -> u32 {
    COLOURS.iter().map(|(source, _)| legend_entry(*source)).sum()
}

/// Width of a box, a name and the gaps behind them.
fn legend_entry(source: AttentionSource) -> u32 {
    label::width(source.name()) + 4 * BOX
}

fn fill(image: &mut RgbImage, (left, top): (u32, u32), (width, height): (u32, u32), colour: Rgb<u8>) {
    if width > 0 && height > 0 {
        let corner = Rect::at(left as i32, top as i32);
        draw_filled_rect_mut(image, corner.of_size(width, height), colour);
    }
}
