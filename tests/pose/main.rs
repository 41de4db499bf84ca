//! Poses in files, and what is made of them.

mod bvh;
mod dances;
#[path = "../../crates/pose/tests/pose/figures.rs"]
mod figures;
mod json;
mod mend;
mod properties;
mod retarget;
