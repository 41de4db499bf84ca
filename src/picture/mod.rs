//! Pictures without codecs: fitting one into a frame, cutting out its subject, laying several out on one sheet.

use image::Rgb;

/// What is around pictures.
pub const WHITE: Rgb<u8> = Rgb([255; 3]);
/// What is around control images.
pub const BLACK: Rgb<u8> = Rgb([0; 3]);

mod alpha;
mod compare;
mod fit;
pub mod label;
mod sheet;
mod subject;

pub use alpha::{off_white, on_colour, opacity, over_picture, with_colours_beyond};
pub use compare::side_by_side;
pub use fit::{Fit, fit_grey, fit_image};
pub use sheet::{BACKGROUND, GAP, SheetBuilder, contact_sheet};
pub use subject::{cut_out, on_white};
