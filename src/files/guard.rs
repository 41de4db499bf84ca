//! Decoders that panic.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::{Error, Result};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a decoder whose panics become errors: what a panic hook would say of them is of no use.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Runs a decoder of other people's code on the file at `path`. What it was given is not used again after a panic.
///
/// # Errors
/// Those of `decode`; [`Error::Input`] where it panics.
pub(crate) fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(before);
    outcome.unwrap_or_else(|panic| {
        let problem = format!("is damaged in a way that its decoder does not expect ({})", words(&*panic));
        Err(Error::input(path, problem))
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}
