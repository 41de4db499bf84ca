//! What a benchmark is told, and what it tells.

use std::path::PathBuf;

use serde_json::Value;

use super::rows::Row;
use super::truth::Dance;
use crate::error::{Error, Result};
use crate::model::DeviceSettings;
use crate::model::clip::Clip;
use crate::render::feature_store::FeatureCache;
use crate::render::weights::WeightFiles;

/// All that is measured.
#[derive(Debug, Clone)]
pub struct Benchmark {
    /// Seeds of the puppets.
    pub identities: Vec<u64>,
    /// The dances; each puppet dances all of them.
    pub dances: Vec<Dance>,
    /// The settings to compare.
    pub rows: Vec<Row>,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Where results are kept and reports written.
    pub folder: PathBuf,
}

/// What a benchmark renders and looks with.
#[derive(Debug)]
pub struct BenchmarkModels<'a> {
    /// The weights.
    pub weights: WeightFiles,
    /// A folder with a tuned subject for each puppet, `SEED.subject`: each is rendered with its own.
    pub subjects: Option<PathBuf>,
    /// CLIP, where there is one, and the fingerprint of its weights.
    pub clip: Option<(&'a Clip, Value)>,
    /// Where the networks run.
    pub device: DeviceSettings,
    /// What happens to the reference's features.
    pub cache: FeatureCache,
}

/// How far a benchmark is.
#[derive(Debug, Clone)]
pub enum BenchmarkEvent {
    /// Finished clips have been counted; rendering begins.
    Begin {
        /// Number of clips.
        clips: usize,
        /// Of these finished before.
        finished: usize,
        /// Frames to be rendered.
        frames: usize,
    },
    /// A frame is rendered.
    Frame,
    /// A clip is finished.
    Clip {
        /// Name of its row.
        row: String,
        /// Seed of its puppet.
        identity: u64,
        /// Name of its dance.
        dance: String,
    },
}

impl Benchmark {
    /// Refuses what cannot be measured, before anything is read.
    ///
    /// # Errors
    /// [`Error::Setting`]: nothing to do, names that occur twice or cannot be file names.
    pub fn check(&self) -> Result<()> {
        for (name, count) in [
            ("identities", self.identities.len()),
            ("frames", self.dances.iter().map(|dance| dance.frames).min().unwrap_or(0)),
            ("row", self.rows.len()),
        ] {
            if count == 0 {
                return Err(Error::setting(name, "0; 1 or more is allowed"));
            }
        }
        let rows = self.rows.iter().map(|row| ("name", row.name.as_str()));
        let dances = self.dances.iter().map(|dance| ("dance", dance.name.as_str()));
        let mut seen = std::collections::BTreeSet::new();
        for (kind, name) in rows.chain(dances) {
            let plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                let problem =
                    format!("\"{name}\" cannot be a file's name; letters, digits, - _ and . are allowed");
                return Err(Error::setting(kind, problem));
            }
            if !seen.insert((kind, name)) {
                return Err(Error::setting(kind, format!("{name} is there twice")));
            }
        }
        Ok(())
    }
}
