//! The models of a benchmark: one for all puppets, or one for each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::job::BenchmarkModels;
use crate::error::Result;
use crate::kept::Kept;
use crate::model::weights::SubjectPhrase;
use crate::render::studio::Studio;
use crate::render::weights::WeightFiles;

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
    loaded: Kept<Option<u64>, Studio>,
}

impl<'a> Models<'a> {
    /// Nothing is opened yet.
    pub fn new(job: &'a BenchmarkModels<'a>) -> Self {
        Self { job, known: BTreeMap::new(), loaded: Kept::default() }
    }

    /// Fingerprints of what every row shares: the weights without subject encoder and tuned subjects.
    pub fn shared(&mut self) -> Result<Value> {
        let tuned = self.job.subjects.is_some() || self.job.weights.subject.is_some();
        let mut shared = if tuned {
            let weights = WeightFiles { subject: None, ..self.job.weights.clone() };
            self.fingerprints(&weights.open()?.fingerprints()?)
        } else {
            self.known(0)?.fingerprints
        };
        shared["model"]["subject_encoder"] = Value::Null;
        Ok(shared)
    }

    /// The model that renders a puppet, as far as it is known without its tensors.
    pub fn known(&mut self, identity: u64) -> Result<Known> {
        let key = self.key(identity);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let weights = self.weights(key).open()?;
        let fingerprints = self.fingerprints(&weights.fingerprints()?);
        let known = Known { fingerprints, subject: weights.subject_phrase().cloned() };
        self.known.insert(key, known.clone());
        Ok(known)
    }

    /// The model that renders a puppet.
    pub fn load(&mut self, identity: u64) -> Result<&Studio> {
        let key = self.key(identity);
        let weights = self.weights(key);
        self.loaded.get(&key, || {
            let (model, controls) = weights.open()?.load(&self.job.device, self.job.dtype, &mut |_| {})?;
            Ok(Studio { model, controls })
        })
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

    fn fingerprints(&self, weights: &Value) -> Value {
        json!({"model": weights, "clip": self.job.clip.as_ref().map(|(_, fingerprint)| fingerprint)})
    }
}
