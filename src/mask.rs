//! Where the subject of a picture is.

use crate::error::{Error, Result};

/// Where the subject is in a picture, at its size.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl Mask {
    /// A mask of `height` × `width` values, row by row, each 0 (background) to 1 (subject).
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<Self> {
        if values.len() != height * width || values.is_empty() {
            let problem = format!("{} values for a size of {width}×{height}", values.len());
            return Err(Error::setting("mask", problem));
        }
        match values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            Some(value) => Err(Error::setting("mask", format!("{value}; 0 to 1 is allowed"))),
            None => Ok(Self { height, width, values }),
        }
    }

    /// A mask of `height` × `width` values that leaves nothing out.
    pub fn whole(height: usize, width: usize) -> Self {
        Self { height, width, values: vec![1.0; height * width] }
    }

    /// The mask of a grey picture: black is background, white the subject.
    pub fn from_image(image: &image::GrayImage) -> Result<Self> {
        let values = image.as_raw().iter().map(|&value| f32::from(value) / 255.0).collect();
        Self::new(image.height() as usize, image.width() as usize, values)
    }

    /// The mask of the mirrored picture, left for right.
    pub fn mirrored(&self) -> Self {
        let mut mirrored = self.clone();
        mirrored.values.chunks_mut(self.width).for_each(<[f32]>::reverse);
        mirrored
    }

    /// Height and width in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// How much of a pixel is subject, 0 to 1.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }

    /// The mean of the mask over each cell of a grid of `height` × `width` (as `adaptive_avg_pool2d`).
    pub(crate) fn pool(&self, height: usize, width: usize) -> Vec<f32> {
        let span = |cell: usize, cells: usize, size: usize| {
            (cell * size / cells)..((cell + 1) * size).div_ceil(cells)
        };
        let mut pooled = Vec::with_capacity(height * width);
        for row in 0..height {
            for column in 0..width {
                let (rows, columns) = (span(row, height, self.height), span(column, width, self.width));
                let count = (rows.len() * columns.len()) as f64;
                let sum: f64 = rows
                    .flat_map(|y| self.values[y * self.width..][columns.clone()].iter())
                    .map(|&value| f64::from(value))
                    .sum();
                pooled.push((sum / count) as f32);
            }
        }
        pooled
    }
}
