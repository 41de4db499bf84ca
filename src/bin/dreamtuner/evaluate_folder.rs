//! The folder of a benchmark.

use std::path::Path;

use dreamtuner::Result;
use dreamtuner::outputs::{Reservation, Wanted};

/// Keeps the folder for this run.
pub fn reserve(folder: &Path, inputs: &[&Path], overwrite: bool) -> Result<Reservation> {
    Reservation::begin(vec![Wanted::Kept(folder.to_path_buf())], inputs, overwrite, "benchmark")
}
