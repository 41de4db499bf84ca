//! Contact sheets: the truth over the result.

use image::{RgbImage, imageops};

use super::store::{KEPT_FRAMES, Store, strip};
use super::{Benchmark, Row, Truth};
use crate::error::Result;
use crate::picture::label;
use crate::picture::{BACKGROUND, GAP};
use crate::puppet::Identity;

/// Most clips on one sheet.
const CLIPS: usize = 6;

/// The sheet of a row: for the first clips the reference beside frames of the truth, and the result below.
///
/// # Errors
/// Pictures of finished clips that cannot be read.
pub fn sheet(benchmark: &Benchmark, store: &Store, row: &Row) -> Result<RgbImage> {
    let side = benchmark.size;
    let clips: Vec<_> = benchmark
        .identities
        .iter()
        .flat_map(|identity| benchmark.dances.iter().map(move |dance| (*identity, dance)))
        .take(CLIPS)
        .collect();
    let columns = KEPT_FRAMES as u32 + 1;
    let pair = label::LINE_HEIGHT + 2 * side + 2 * GAP;
    let (width, height) =
        (columns * side + 3 * GAP, label::LINE_HEIGHT + GAP + clips.len() as u32 * pair + GAP);
    let mut sheet = RgbImage::from_pixel(width, height, BACKGROUND);
    label::write(&mut sheet, GAP, GAP, &format!("{}: reference, truth over result", row.name));
    for (place, (identity, dance)) in clips.into_iter().enumerate() {
        let top = label::LINE_HEIGHT + GAP + place as u32 * pair;
        label::write(&mut sheet, GAP, top, &format!("identity {identity}, {}", dance.name));
        let top = i64::from(top + label::LINE_HEIGHT);
        let truth = Truth::new(&Identity::from_seed(identity), dance, side);
        let left = i64::from(side + 2 * GAP);
        imageops::replace(&mut sheet, &truth.reference.image, i64::from(GAP), top);
        imageops::replace(&mut sheet, &strip(&truth.pictures()), left, top);
        let below = top + i64::from(side + GAP);
        imageops::replace(&mut sheet, &store.strip(&row.name, identity, &dance.name)?, left, below);
    }
    Ok(sheet)
}
