//! The results of all clips together, as table, Markdown and JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::Benchmark;
use super::rows::Row;
use super::scores::{ClipResult, Metric, Scores, mean};
use super::statistics::{Estimate, estimate};
use super::table::Table;
use crate::error::{Error, Result};

/// Results of a benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Seeds of the puppets.
    pub identities: Vec<u64>,
    /// Names of the dances.
    pub dances: Vec<String>,
    /// Frames of each clip.
    pub frames: usize,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Hash of the weights that all rows share: all but subject encoders and tuned subjects.
    pub weights: String,
    /// The rows.
    pub rows: Vec<RowReport>,
}

/// Results of one row: means over identities, each the mean over its dances and their frames, with 95 % confidence
/// intervals.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RowReport {
    /// Short name.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Number of clips.
    pub clips: usize,
    /// The measures.
    pub scores: BTreeMap<Metric, Estimate>,
    /// Colour likeness of each part of the figure.
    pub parts: BTreeMap<String, Estimate>,
    /// The measures of each puppet.
    pub puppets: BTreeMap<u64, Scores>,
}

impl Report {
    /// Sums up `results`, which has the clips of each row of the benchmark.
    pub fn new(benchmark: &Benchmark, weights: &Value, results: &[Vec<ClipResult>]) -> Self {
        Self {
            identities: benchmark.identities.clone(),
            dances: benchmark.dances.iter().map(|dance| dance.name.clone()).collect(),
            frames: benchmark.dances.iter().map(|dance| dance.frames).max().unwrap_or(0),
            size: benchmark.size,
            weights: blake3::hash(weights.to_string().as_bytes()).to_hex()[..16].to_string(),
            rows: benchmark
                .rows
                .iter()
                .zip(results)
                .map(|(row, results)| RowReport::new(row, results))
                .collect(),
        }
    }

    /// Adds the rows that only `earlier` has, before this report's own, if both are of the same puppets, dances and weights.
    pub fn with_rows_of(mut self, earlier: Self) -> Self {
        let sample = |report: &Self| {
            (
                report.identities.clone(),
                report.dances.clone(),
                report.frames,
                report.size,
                report.weights.clone(),
            )
        };
        if sample(&self) != sample(&earlier) {
            return self;
        }
        let own: BTreeSet<&String> = self.rows.iter().map(|row| &row.name).collect();
        let others = earlier.rows.into_iter().filter(|row| !own.contains(&row.name)).collect::<Vec<_>>();
        self.rows.splice(0..0, others);
        self
    }

    /// One line about the sample.
    pub fn summary(&self) -> String {
        let (identities, dances) = (self.identities.len(), self.dances.join(", "));
        let (frames, size) = (self.frames, self.size);
        format!(
            "{identities} held-out puppets × {dances} × {frames} frames of {size}×{size} pixels; mean ± half of the 95% interval over puppets"
        )
    }

    /// The table for a terminal.
    pub fn table(&self) -> String {
        format!("{}\n{}", self.summary(), self.cells().text())
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        format!("{}. ↑ more is better, ↓ less is better.\n\n{}", self.summary(), self.cells().markdown())
    }

    /// What each row differs from the one called `name` by, puppet by puppet, with 95 % intervals of the mean difference.
    ///
    /// # Errors
    /// [`Error::Setting`]: there is no such row.
    pub fn against(&self, name: &str) -> Result<Self> {
        let base = self.rows.iter().find(|row| row.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.rows.iter().map(|row| row.name.as_str()).collect();
            Error::setting("against", format!("{name}: there are {}", names.join(", ")))
        })?;
        let rows = self.rows.iter().filter(|row| row.name != name).map(|row| row.minus(base));
        Ok(Self { rows: rows.collect(), ..self.clone() })
    }

    /// Heading and rows. Measures that no row has are left out.
    fn cells(&self) -> Table {
        let measured: BTreeSet<Metric> =
            self.rows.iter().flat_map(|row| row.scores.keys().copied()).collect();
        let heading = measured.iter().map(|metric| metric.heading());
        let mut cells = vec![std::iter::once("settings".to_owned()).chain(heading).collect()];
        for row in &self.rows {
            let values = measured.iter().map(|metric| row.cell(*metric));
            cells.push(std::iter::once(row.title.clone()).chain(values).collect());
        }
        Table(cells)
    }
}

impl RowReport {
    fn new(row: &Row, results: &[ClipResult]) -> Self {
        let puppets = by_identity(results, |result| &result.scores);
        Self {
            name: row.name.clone(),
            title: row.title.clone(),
            clips: results.len(),
            scores: estimates(&puppets),
            parts: estimates(&by_identity(results, |result| &result.parts)),
            puppets,
        }
    }

    /// The differences of this row's measures from those of `other`, for puppets that both have.
    fn minus(&self, other: &Self) -> Self {
        let both =
            self.puppets.iter().filter_map(|(puppet, own)| Some((*puppet, own, other.puppets.get(puppet)?)));
        let puppets: BTreeMap<u64, Scores> = both
            .map(|(puppet, own, other)| {
                let shared =
                    own.iter().filter_map(|(metric, value)| Some((*metric, value - other.get(metric)?)));
                (puppet, shared.collect())
            })
            .collect();
        Self { scores: estimates(&puppets), parts: BTreeMap::new(), puppets, ..self.clone() }
    }

    fn cell(&self, metric: Metric) -> String {
        self.scores.get(&metric).map_or_else(|| "-".to_owned(), |estimate| metric.with_margin(estimate))
    }
}

/// For each puppet the mean over its clips.
fn by_identity<Key: Ord + Clone>(
    results: &[ClipResult],
    values: impl Fn(&ClipResult) -> &BTreeMap<Key, f64>,
) -> BTreeMap<u64, BTreeMap<Key, f64>> {
    let mut all: BTreeMap<u64, BTreeMap<Key, Vec<f64>>> = BTreeMap::new();
    for result in results {
        let of_puppet = all.entry(result.identity).or_default();
        for (key, value) in values(result) {
            of_puppet.entry(key.clone()).or_default().push(*value);
        }
    }
    let means = |(key, values): (Key, Vec<f64>)| Some((key, mean(&mut values.into_iter())?));
    all.into_iter().map(|(puppet, values)| (puppet, values.into_iter().filter_map(means).collect())).collect()
}

/// For each key the estimate over puppets.
fn estimates<Key: Ord + Clone>(puppets: &BTreeMap<u64, BTreeMap<Key, f64>>) -> BTreeMap<Key, Estimate> {
    let mut all: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for (key, value) in puppets.values().flatten() {
        all.entry(key.clone()).or_default().push(*value);
    }
    all.into_iter().filter_map(|(key, values)| Some((key, estimate(&values)?))).collect()
}
