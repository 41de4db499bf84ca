//! Pictures that differ in one or two settings, with labels.

use image::{RgbImage, imageops};

use crate::picture::{BACKGROUND, GAP, label};

/// What stands beside the pictures of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// A line above each picture.
    Each(Vec<String>),
    /// A line above each column and one beside each row.
    Table {
        /// What the columns differ in.
        corner: String,
        /// Of the columns.
        columns: Vec<String>,
        /// Of the rows.
        rows: Vec<String>,
    },
}

impl Default for Labels {
    fn default() -> Self {
        Self::Each(Vec::new())
    }
}

/// `cells`, row by row, each with as much room as the largest one needs, with their labels. Of labels that are longer than a
/// picture is wide the end is shown.
/// Without a table of labels, the grid is about as wide as it is high.
pub fn labelled_grid(cells: &[RgbImage], labels: &Labels) -> RgbImage {
    let width = cells.iter().map(RgbImage::width).max().unwrap_or(1);
    let height = cells.iter().map(RgbImage::height).max().unwrap_or(1);
    let columns = match labels {
        Labels::Each(_) => (cells.len() as f64).sqrt().ceil() as u32,
        Labels::Table { columns, .. } => columns.len() as u32,
    }
    .max(1);
    let rows = (cells.len() as u32).div_ceil(columns).max(1);
    let (left, between) = match labels {
        Labels::Each(_) => (GAP, label::LINE_HEIGHT),
        Labels::Table { corner, rows, .. } => {
            let longest = rows.iter().chain([corner]).map(|text| label::width(text)).max().unwrap_or(0);
            (longest + 2 * GAP, GAP)
        }
    };
    let top = label::LINE_HEIGHT;
    let size = (left + columns * (width + GAP), top + rows * (height + between));
    let mut grid = RgbImage::from_pixel(size.0, size.1, BACKGROUND);
    let at =
        |place: u32| (left + place % columns * (width + GAP), top + place / columns * (height + between));
    let (above, beside, corner) = match labels {
        Labels::Each(labels) => (labels, &Vec::new(), ""),
        Labels::Table { corner, columns, rows } => (columns, rows, corner.as_str()),
    };
    label::write(&mut grid, GAP, 0, corner);
    for (place, text) in above.iter().enumerate() {
        let (x, y) = at(place as u32);
        label::write(&mut grid, x, y - label::LINE_HEIGHT, label::end_of(text, width));
    }
    for (row, text) in beside.iter().enumerate() {
        label::write(&mut grid, GAP, at(row as u32 * columns).1, text);
    }
    for (place, cell) in cells.iter().enumerate() {
        let (x, y) = at(place as u32);
        imageops::replace(&mut grid, cell, i64::from(x), i64::from(y));
    }
    grid
}
