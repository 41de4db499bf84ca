//! The results of all clips together, as table, Markdown and JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::Benchmark;
use super::rows::Row;
use super::scores::{ClipResult, Metric, mean};
use super::statistics::{Estimate, estimate};

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
    /// Hash of all weights.
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
}

impl Report {
    /// Sums up `results`, which has the clips of each row of the benchmark.
    pub fn new(benchmark: &Benchmark, weights: &Value, results: &[Vec<ClipResult>]) -> Self {
        Self {
            identities: benchmark.identities.clone(),
            dances: benchmark.dances.iter().map(|dance| dance.name.clone()).collect(),
            frames: benchmark.dances.iter().map(|dance| dance.clip.frames).max().unwrap_or(0),
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
        let cells = self.cells();
        let columns = cells.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut table = format!("{}\n", self.summary());
        for row in &cells {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let fill = " ".repeat(width - cell.chars().count());
                let (left, right) = if column == 0 { ("", fill.as_str()) } else { (fill.as_str(), "") };
                let gap = if column == 0 { "" } else { "  " };
                let _ = write!(table, "{gap}{left}{cell}{right}");
            }
            table.truncate(table.trim_end().len());
            table.push('\n');
        }
        table
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("{}. ↑ more is better, ↓ less is better.\n\n", self.summary());
        for (index, row) in self.cells().iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "| --- |{}", " ---: |".repeat(row.len() - 1));
            }
        }
        text
    }

    /// Heading and rows. Measures that no row has are left out.
    fn cells(&self) -> Vec<Vec<String>> {
        let measured: BTreeSet<Metric> =
            self.rows.iter().flat_map(|row| row.scores.keys().copied()).collect();
        let heading = |metric: &Metric| {
            format!("{} {}", metric.title(), if metric.more_is_better() { "↑" } else { "↓" })
        };
        let mut cells =
            vec![std::iter::once("settings".to_owned()).chain(measured.iter().map(heading)).collect()];
        for row in &self.rows {
            let values = measured.iter().map(|metric| row.cell(*metric));
            cells.push(std::iter::once(row.title.clone()).chain(values).collect());
        }
        cells
    }
}

impl RowReport {
    fn new(row: &Row, results: &[ClipResult]) -> Self {
        let scores = by_identity(results, |result| &result.scores);
        let parts = by_identity(results, |result| &result.parts);
        Self { name: row.name.clone(), title: row.title.clone(), clips: results.len(), scores, parts }
    }

    fn cell(&self, metric: Metric) -> String {
        let digits = metric.decimals();
        self.scores.get(&metric).map_or_else(
            || "-".to_owned(),
            |estimate| format!("{:.digits$} ± {:.digits$}", estimate.mean, estimate.margin()),
        )
    }
}

/// For each key the estimate over identities, each with the mean over its clips.
fn by_identity<Key: Ord + Clone>(
    results: &[ClipResult],
    values: impl Fn(&ClipResult) -> &BTreeMap<Key, f64>,
) -> BTreeMap<Key, Estimate> {
    let mut all: BTreeMap<Key, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for result in results {
        for (key, value) in values(result) {
            all.entry(key.clone()).or_default().entry(result.identity).or_default().push(*value);
        }
    }
    all.into_iter()
        .filter_map(|(key, identities)| {
            let means: Vec<f64> =
                identities.into_values().filter_map(|values| mean(&mut values.into_iter())).collect();
            Some((key, estimate(&means)?))
        })
        .collect()
}
