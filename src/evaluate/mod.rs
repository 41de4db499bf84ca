//! The benchmark: how close a render comes to a truth that is known to the pixel.
//!
//! 1. [`Dance`] gives the shots of a dance; [`Truth`] draws them for one held-out puppet, with its reference picture.
//! 2. [`Row`] names settings to measure; [`ablations`] lists those that take DreamTuner apart.
//! 3. [`Benchmark::run`] renders every row × identity × dance, and keeps each finished clip's [`Scores`] in a folder.
//! 4. [`metrics`] compares result and truth.
//! 5. [`statistics`] says how sure the means are.
//! 6. [`Report`] writes tables, JSON and contact sheets.
//!
//! [`ClipComparison`] compares any two clips; `dreambooth` measures stills of subjects by text. Drafts are measured as
//! renders are, though nothing of them is DreamTuner.

mod clips;
mod draft;
pub mod dreambooth;
mod job;
pub mod metrics;
mod models;
mod report;
mod rows;
mod runner;
mod scores;
mod sheet;
pub mod statistics;
mod store;
mod table;
mod truth;

pub use clips::ClipComparison;
pub use job::{Benchmark, BenchmarkEvent, BenchmarkModels};
pub use report::{Report, RowReport};
pub use rows::{Caption, KnownJoints, Row, Source, ablations, drafts, round_trip};
pub use scores::{ClipResult, Metric, Scores};
pub use truth::{Dance, Shown, Truth};
