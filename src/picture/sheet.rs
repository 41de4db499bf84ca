//! Contact sheets: many frames of a clip on one picture.

use image::{Rgb, RgbImage, imageops};

use super::fit::{Fit, fit_image};

/// Pixels between the pictures of a sheet.
pub const GAP: u32 = 4;
/// What shows between them.
pub const BACKGROUND: Rgb<u8> = Rgb([24, 24, 24]);

/// `frames` in rows of `columns` (at least one), each fitted whole into a cell `cell_width` pixels wide whose height
/// follows from the first frame's shape. Without frames: one empty cell.
pub fn contact_sheet(frames: &[RgbImage], columns: usize, cell_width: u32) -> RgbImage {
    let cell_width = cell_width.max(1);
    let columns = (columns.max(1)).min(frames.len().max(1)) as u32;
    let rows = (frames.len() as u32).div_ceil(columns).max(1);
    let cell_height = match frames.first() {
        Some(first) if first.width() > 0 => {
            let height = f64::from(first.height()) * f64::from(cell_width) / f64::from(first.width());
            (height.round() as u32).max(1)
        }
        _ => cell_width,
    };
    let side = |cells: u32, length: u32| cells * length + (cells + 1) * GAP;
    let mut sheet = RgbImage::from_pixel(side(columns, cell_width), side(rows, cell_height), BACKGROUND);
    for (index, frame) in frames.iter().enumerate() {
        let (column, row) = (index as u32 % columns, index as u32 / columns);
        let cell = fit_image(frame, cell_width, cell_height, Fit::Contain, BACKGROUND);
        let left = GAP + column * (cell_width + GAP);
        let top = GAP + row * (cell_height + GAP);
        imageops::replace(&mut sheet, &cell, i64::from(left), i64::from(top));
    }
    sheet
}

/// Collects evenly spaced frames of a stream of known length; holds at most the chosen number, scaled to cell size.
#[derive(Debug)]
pub struct SheetBuilder {
    wanted: Vec<usize>,
    seen: usize,
    kept: Vec<RgbImage>,
    columns: usize,
    cell_width: u32,
}

impl SheetBuilder {
    /// A sheet of at most `cells` of the `total` frames to come (the first and the last among them), laid out as
    /// [`contact_sheet`] does.
    pub fn new(total: usize, cells: usize, columns: usize, cell_width: u32) -> Self {
        let count = cells.min(total);
        let wanted = match count {
            0 => Vec::new(),
            1 => vec![0],
            _ => (0..count).map(|cell| (cell * (total - 1) + (count - 1) / 2) / (count - 1)).collect(),
        };
        Self { wanted, seen: 0, kept: Vec::with_capacity(count), columns, cell_width: cell_width.max(1) }
    }

    /// The sheet of a whole clip of `total` frames: 24 of them at most, 8 in a row.
    pub fn of_clip(total: usize, cell_width: u32) -> Self {
        let cells = total.min(24);
        Self::new(total, cells, cells.min(8), cell_width)
    }

    /// Shows the next frame of the stream to the builder, which keeps a small copy if the sheet needs it.
    pub fn push(&mut self, frame: &RgbImage) {
        if self.wanted.get(self.kept.len()) == Some(&self.seen) && frame.width() > 0 {
            let height = f64::from(frame.height()) * f64::from(self.cell_width) / f64::from(frame.width());
            let height = (height.round() as u32).max(1);
            self.kept.push(fit_image(frame, self.cell_width, height, Fit::Stretch, BACKGROUND));
        }
        self.seen += 1;
    }

    /// The sheet of the frames kept so far; a stream that ended early gives a shorter sheet.
    pub fn finish(self) -> RgbImage {
        contact_sheet(&self.kept, self.columns, self.cell_width)
    }
}
