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
pub use picture::read_picture;
pub(crate) use picture::{has_extension, is_picture, picture_size};
pub use read::{check_rereadable, read_text};
pub(crate) use read::{open, read};
