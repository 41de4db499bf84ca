//! Pictures without codecs: fitting one into a frame, cutting out its subject, laying several out on one sheet.

mod compare;
mod fit;
pub(crate) mod label;
mod sheet;
mod subject;

pub use compare::side_by_side;
pub use fit::{Fit, fit_image};
pub(crate) use sheet::{BACKGROUND, GAP};
pub use sheet::{SheetBuilder, contact_sheet};
pub use subject::{cut_out, on_white};
