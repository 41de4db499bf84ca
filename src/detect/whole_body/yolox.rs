//! YOLOX (Ge et al., <https://arxiv.org/abs/2107.08430>): boxes around people.

use image::{RgbImage, imageops};

use crate::detect::onnx::Onnx;
use crate::detect::region::Region;
use crate::error::Result;

/// Pixels of the cells of each of the network's three grids.
const STRIDES: [usize; 3] = [8, 16, 32];
/// What a cell says: middle and size of a box, whether there is anything, and one value for each class, people first.
const PERSON: usize = 5;
/// Grey of what lies beside the picture.
const PADDING: u8 = 114;
/// As DWPose uses it: from this score on a box is believed, and two that overlap more are the same person.
const LEAST_SCORE: f32 = 0.3;
const MOST_OVERLAP: f32 = 0.45;

/// The detector.
pub struct Yolox {
    network: Onnx,
    width: usize,
    height: usize,
    /// Values for each cell.
    values: usize,
}

impl Yolox {
    /// A network from a file.
    ///
    /// # Errors
    /// Inputs or outputs of other shapes than this network has.
    pub fn new(network: Onnx) -> Result<Self> {
        let shape = || -> Option<_> {
            let &[1, 3, height, width] = network.input() else { return None };
            let [output] = network.outputs() else { return None };
            let &[1, cells, values] = output.as_slice() else { return None };
            let expected: usize = STRIDES.iter().map(|stride| (width / stride) * (height / stride)).sum();
            (cells == expected && values > PERSON).then_some((width, height, values))
        };
        match shape() {
            Some((width, height, values)) => Ok(Self { network, width, height, values }),
            None => Err(network.is_no(
                "YOLOX",
                "(1, cells of 8, 16 and 32 pixels, 5 + classes) for (1, 3, height, width) is expected",
            )),
        }
    }

    /// Everyone in a picture, the likeliest first.
    ///
    /// # Errors
    /// A network that fails.
    pub fn find(&self, picture: &RgbImage) -> Result<Vec<Region>> {
        let (width, height) = picture.dimensions();
        let scale = (self.width as f32 / width as f32).min(self.height as f32 / height as f32);
        let output = self.network.run(&self.input(picture, scale))?;
        let mut boxes = self.boxes(&output[0]);
        boxes.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut kept: Vec<Region> = Vec::new();
        for (_, bounds) in boxes {
            if kept.iter().all(|other| bounds.overlap(other) <= MOST_OVERLAP) {
                kept.push(bounds);
            }
        }
        let full_size = |bounds: Region| Region {
            left: bounds.left / scale,
            top: bounds.top / scale,
            width: bounds.width / scale,
            height: bounds.height / scale,
        };
        Ok(kept.into_iter().map(full_size).collect())
    }

    /// Boxes that are believed, with their scores, in pixels of what the network sees.
    fn boxes(&self, output: &[f32]) -> Vec<(f32, Region)> {
        let grids = STRIDES.iter().flat_map(|&stride| {
            let columns = self.width / stride;
            (0..columns * (self.height / stride))
                .map(move |cell| (cell % columns, cell / columns, stride as f32))
        });
        let cells = output.chunks_exact(self.values).zip(grids);
        let people = cells.filter_map(|(cell, (column, row, stride))| {
            let score = cell[4] * cell[PERSON];
            let middle = ((cell[0] + column as f32) * stride, (cell[1] + row as f32) * stride);
            let (width, height) = (cell[2].exp() * stride, cell[3].exp() * stride);
            let bounds = Region { left: middle.0 - width / 2.0, top: middle.1 - height / 2.0, width, height };
            let finite =
                middle.0.is_finite() && middle.1.is_finite() && width.is_finite() && height.is_finite();
            (score > LEAST_SCORE && finite).then_some((score, bounds))
        });
        people.collect()
    }

    /// The picture made smaller or larger, at the upper left, channels first, blue before green before red.
    fn input(&self, picture: &RgbImage, scale: f32) -> Vec<f32> {
        let side = |side: u32| ((side as f32 * scale) as u32).max(1);
        let (width, height) = (side(picture.width()), side(picture.height()));
        let small = Region::all(picture).cut(picture, width, height);
        let mut padded =
            RgbImage::from_pixel(self.width as u32, self.height as u32, image::Rgb([PADDING; 3]));
        imageops::replace(&mut padded, &small, 0, 0);
        let padded = &padded;
        (0..3).rev().flat_map(|channel| padded.pixels().map(move |pixel| f32::from(pixel[channel]))).collect()
    }
}
