//! Files of others: read up to a limit, and decoded so that whatever a decoder does is an error of its file.

mod guard;
#[cfg(feature = "cli")]
mod options;
mod picture;
mod read;

pub(crate) use guard::guarded;
pub use guard::is_guarded;
#[cfg(feature = "cli")]
pub use options::{as_arguments, parse_options, read_options};
#[cfg(feature = "video")]
pub(crate) use picture::PICTURE_EXTENSIONS;
pub(crate) use picture::{has_extension, is_picture};
pub use picture::{picture_size, read_picture};
pub use read::{check_rereadable, read_text};
pub(crate) use read::{open, read};
