//! The fuzzer's side of `targets`.

pub mod targets;

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

static FOLDER: OnceLock<TempDir> = OnceLock::new();

/// Runs a target on what the fuzzer has made up.
pub fn fuzz(name: &str, bytes: &[u8]) {
    targets::run(name, folder(), bytes);
}

fn folder() -> &'static Path {
    let made = FOLDER.get_or_init(|| {
        // Panics that the library turns into errors are no findings; any other still ends the process.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !dreamtuner::inputs::is_guarded() {
                hook(panic);
            }
        }));
        TempDir::new().expect("a temporary folder")
    });
    made.path()
}
