//! The benchmark: its measures against other implementations and against what is plain, and a small run.

mod clip;
mod dino;
mod dreambooth;
mod measures;
#[cfg(feature = "cli")]
mod program;
mod run;
