//! What is written to the disk: one rule, in one place.
//!
//! - **Looked at first.** A [`Reservation`] holds all outputs of a command before its work begins. What is there already is
//!   replaced only if the user says so, and never if it is an input.
//! - **Locked.** As long as the reservation is there, no other process writes these outputs; it is told so.
//! - **Whole.** A [`PartFile`] grows under a hidden name, is brought to the disk, and then takes its own.
//! - **Recorded.** A hidden record says what a command has published that has not come to its end. Killed and given again, it
//!   may replace that, and goes on.
//! - **Removed.** Only what is recorded as the program's own is ever removed.
//!
//! All calls that change the disk stand in one file, `disk.rs`, and can be made to fail by tests ([`fault`]).

pub(crate) mod disk;
pub mod fault;
mod folder;
mod names;
mod part;
mod pattern;
mod pictures;
pub(crate) mod png;
mod record;
mod reservation;
mod wanted;
mod whole;

#[cfg(feature = "video")]
pub(crate) use folder::write_unsynced;
pub use folder::{Earlier, make_folder};
pub(crate) use names::there_already;
pub use names::{HIDDEN_PREFIX, is_png};
#[cfg(feature = "video")]
pub(crate) use names::{check_sheet_name, existing_folder};
pub use part::PartFile;
pub(crate) use part::remove_parts;
pub use pattern::Pattern;
#[cfg(feature = "video")]
pub(crate) use pattern::names_folder;
pub use pictures::Pictures;
pub use png::read_text as read_png_text;
pub use record::Tidying;
pub use reservation::{Before, Reservation, key_of};
pub use wanted::{Output, Wanted};
pub use whole::{write_json, write_png, write_whole};
