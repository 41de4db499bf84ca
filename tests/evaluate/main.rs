//! The benchmark: its measures against other implementations and against what is plain, and a small run.

mod clip;
mod measures;
mod run;
