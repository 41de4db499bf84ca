//! Pictures without codecs: fitting one into a frame, and laying several out on one sheet.

mod compare;
mod fit;
mod sheet;

pub use compare::side_by_side;
pub use fit::{Fit, fit_image};
pub(crate) use sheet::{BACKGROUND, GAP};
pub use sheet::{SheetBuilder, contact_sheet};
