//! What tests of the program share.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{ImageBuffer, Pixel};
use tempfile::NamedTempFile;

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dreamtuner"))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a command that succeeds has said.
pub fn done(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    output
}

/// What a command that fails has said.
pub fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    words(&output)
}

/// The mean difference of two pictures of one size, of 255.
pub fn difference<P: Pixel<Subpixel = u8>>(a: &ImageBuffer<P, Vec<u8>>, b: &ImageBuffer<P, Vec<u8>>) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

pub fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a training to its end. The numbers of the calls to the disk by which it had saved its state, a file called `state`.
pub fn saves(mut training: Command, state: &str) -> Vec<u64> {
    let log = NamedTempFile::new().unwrap();
    let output = training.env("DREAMTUNER_DISK_LOG", log.path()).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    let calls = fs::read_to_string(log.path()).unwrap();
    let saved = calls.lines().filter(|line| line.contains(" Rename ") && line.ends_with(state));
    saved.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// Kills a training at its call to the disk number `call`.
pub fn kill_at(mut training: Command, call: u64) {
    let output = training.env("DREAMTUNER_DISK_FAULT", format!("{call}:kill")).output().unwrap();
    assert_eq!(output.status.code(), None, "was not killed: {}", words(&output));
}
