//! The models of a benchmark: one for all puppets, or one for each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::job::BenchmarkModels;
use crate::error::{Error, Result};
use crate::model::weights::SubjectPhrase;
use crate::render::studio::Studio;
use crate::render::weights::{SubjectUse, WeightFiles};

/// What is known of a model before its tensors are read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Fingerprints of all weights: results of other weights are not taken for these.
    pub fingerprints: Value,
    /// How captions speak of a tuned subject, if there is one.
    pub subject: Option<SubjectPhrase>,
}

/// Opens and loads models as puppets need them; the last one stays.
pub(super) struct Models<'a> {
    /// What they are made from.
    pub job: &'a BenchmarkModels<'a>,
    known: BTreeMap<Option<u64>, Known>,
    loaded: Option<(Option<u64>, Studio)>,
}

impl<'a> Models<'a> {
    /// Nothing is opened yet.
    pub fn new(job: &'a BenchmarkModels<'a>) -> Self {
        Self { job, known: BTreeMap::new(), loaded: None }
    }

    /// Fingerprints of what every row shares: the weights without subject encoder and tuned subjects.
    pub fn shared(&self) -> Result<Value> {
        let weights = WeightFiles {
            subject: None,
            subject_encoder: None,
            subject_use: SubjectUse::Never,
            ..self.job.weights.clone()
        };
        self.fingerprints(&weights.open()?.fingerprints()?)
    }

    /// The model that renders a puppet, as far as it is known without its tensors.
    pub fn known(&mut self, identity: u64) -> Result<Known> {
        let key = self.key(identity);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let weights = self.weights(key).open()?;
        let fingerprints = self.fingerprints(&weights.fingerprints()?)?;
        let known = Known { fingerprints, subject: weights.subject_phrase().cloned() };
        self.known.insert(key, known.clone());
        Ok(known)
    }

    /// The model that renders a puppet.
    pub fn load(&mut self, identity: u64) -> Result<&Studio> {
        let key = self.key(identity);
        if self.loaded.as_ref().is_none_or(|(loaded, _)| *loaded != key) {
            // Two models at a time could be more than there is memory for.
            self.loaded = None;
            let weights = self.weights(key).open()?;
            let (model, controls) = weights.load(&self.job.device, self.job.dtype, &mut |_| {})?;
            self.loaded = Some((key, Studio { model, controls }));
        }
        let loaded = self.loaded.as_ref().map(|(_, loaded)| loaded);
        loaded.ok_or_else(|| Error::setting("model", "could not be loaded"))
    }

    /// The puppet, if it has a model of its own.
    fn key(&self, identity: u64) -> Option<u64> {
        self.job.subjects.as_ref().map(|_| identity)
    }

    fn weights(&self, identity: Option<u64>) -> WeightFiles {
        let mut weights = self.job.weights.clone();
        if let (Some(folder), Some(seed)) = (&self.job.subjects, identity) {
            weights.subject = Some(folder.join(format!("{seed}.subject")));
        }
        weights
    }

    fn fingerprints(&self, weights: &Value) -> Result<Value> {
        Ok(json!({"model": weights, "clip": self.job.clip.as_ref().map(|(_, fingerprint)| fingerprint)}))
    }
}
