//! What tests of the program share.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dreamtuner"))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Kills a training three times, each time after it has saved the file `state` once more.
pub fn kill_after_saving(state: &Path, training: impl Fn() -> Command) {
    for _ in 0..3 {
        let before = fs::read(state).unwrap_or_default();
        let mut child = training().spawn().unwrap();
        let started = Instant::now();
        while fs::read(state).unwrap_or_default() == before && child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(120), "no state was saved");
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
