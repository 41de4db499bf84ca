//! The results of all subjects together, beside what others have published.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::data_set::Subject;
use crate::evaluate::scores::{Metric, Scores, mean};
use crate::evaluate::statistics::{Estimate, estimate};
use crate::evaluate::table::Table;

/// Methods with CLIP-T and CLIP-I on the DreamBooth data set with one reference for each subject, from DreamTuner's paper.
const PUBLISHED: [(&str, f64, f64); 5] = [
    ("Textual Inversion", 0.251, 0.722),
    ("MasaCtrl", 0.296, 0.735),
    ("ELITE", 0.271, 0.726),
    ("DreamBooth", 0.267, 0.788),
    ("DreamTuner", 0.281, 0.767),
];
/// What is to be known of them.
const REMARK: &str = "Published figures are those of DreamTuner's paper, with its own weights and CLIP: they can be compared with results on \
                      that data set, with one reference for each subject, that are measured by the same CLIP.";

/// Results of a benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubjectReport {
    /// Pictures of each prompt.
    pub number: u32,
    /// The subjects.
    pub subjects: Vec<SubjectScores>,
    /// Means over subjects, with 95 % confidence intervals.
    pub overall: BTreeMap<Metric, Estimate>,
}

/// Results of one subject: means over its pictures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubjectScores {
    /// Its name.
    pub name: String,
    /// What it is.
    pub class: String,
    /// Number of its pictures.
    pub pictures: usize,
    /// The measures.
    pub scores: Scores,
}

impl SubjectScores {
    /// Sums up the measures of a subject's pictures.
    pub(super) fn new<'a>(subject: &Subject, pictures: impl Iterator<Item = &'a Scores>) -> Self {
        let pictures: Vec<&Scores> = pictures.collect();
        let mean_of = |metric: Metric| {
            let values = &mut pictures.iter().filter_map(|scores| scores.get(&metric).copied());
            Some((metric, mean(values)?))
        };
        Self {
            name: subject.name.clone(),
            class: subject.class.clone(),
            pictures: pictures.len(),
            scores: Metric::ALL.into_iter().filter_map(mean_of).collect(),
        }
    }
}

impl SubjectReport {
    /// Sums up.
    pub(super) fn new(number: u32, subjects: Vec<SubjectScores>) -> Self {
        let over_all = |metric: Metric| {
            let values: Vec<f64> =
                subjects.iter().filter_map(|subject| subject.scores.get(&metric).copied()).collect();
            Some((metric, estimate(&values)?))
        };
        let overall = Metric::ALL.into_iter().filter_map(over_all).collect();
        Self { number, subjects, overall }
    }

    /// The table for a terminal.
    pub fn table(&self) -> String {
        format!("{}\n{}{REMARK}\n", self.summary(), self.cells().text())
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        format!("{}.\n\n{}\n{REMARK}\n", self.summary(), self.cells().markdown())
    }

    fn summary(&self) -> String {
        let (subjects, number) = (self.subjects.len(), self.number);
        let pictures: usize = self.subjects.iter().map(|subject| subject.pictures).sum();
        format!(
            "{subjects} subjects, {pictures} pictures, {number} of each prompt; mean ± half of the 95% interval over subjects"
        )
    }

    fn cells(&self) -> Table {
        let published = |metric: &Metric, clip_t: f64, clip_i: f64| match metric {
            Metric::ClipT => Some(clip_t),
            Metric::ClipI => Some(clip_i),
            _ => None,
        };
        let measured: BTreeSet<Metric> = self.overall.keys().copied().collect();
        let row = |name: String, cell: &dyn Fn(&Metric) -> Option<String>| {
            let cells = measured.iter().map(|metric| cell(metric).unwrap_or_else(|| "-".to_owned()));
            std::iter::once(name).chain(cells).collect::<Vec<String>>()
        };
        let plain = |metric: &Metric, value: f64| format!("{value:.*}", metric.decimals());
        let mut cells = vec![row("subject".into(), &|metric| Some(metric.heading()))];
        for subject in &self.subjects {
            let cell = |metric: &Metric| Some(plain(metric, *subject.scores.get(metric)?));
            cells.push(row(subject.name.clone(), &cell));
        }
        let all = |metric: &Metric| Some(metric.with_margin(self.overall.get(metric)?));
        cells.push(row("all".into(), &all));
        for (method, clip_t, clip_i) in PUBLISHED {
            let cell = |metric: &Metric| Some(plain(metric, published(metric, clip_t, clip_i)?));
            cells.push(row(format!("{method} (published)"), &cell));
        }
        Table(cells)
    }
}
