//! The models of a benchmark: one for all characters, or one for each.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::Result;
use crate::kept::Kept;
use crate::model::DeviceSettings;
use crate::model::weights::SubjectPhrase;
use crate::render::pipeline::Pipeline;
use crate::render::weights::WeightFiles;

/// What is known of a model before its tensors are read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Fingerprints of all weights: results of other weights are not taken for these.
    pub fingerprints: Value,
    /// How captions speak of a tuned subject, if there is one.
    pub subject: Option<SubjectPhrase>,
}

/// Opens and loads models as characters need them; the last one stays.
pub(super) struct Models<'a> {
    weights: &'a WeightFiles,
    subjects: Option<&'a Path>,
    known: BTreeMap<Option<String>, Known>,
    loaded: Kept<Option<String>, Pipeline>,
}

impl<'a> Models<'a> {
    /// `subjects` is a folder with a tuned subject for each character, `NAME.subject`. Nothing is opened yet.
    pub fn new(weights: &'a WeightFiles, subjects: Option<&'a Path>) -> Self {
        Self { weights, subjects, known: BTreeMap::new(), loaded: Kept::default() }
    }

    /// Fingerprints of what all characters share: the weights without subject encoder and tuned subjects.
    pub fn shared(&mut self) -> Result<Value> {
        let tuned = self.subjects.is_some() || self.weights.subject.is_some();
        let mut shared = if tuned {
            WeightFiles { subject: None, ..self.weights.clone() }.open()?.fingerprints()?
        } else {
            self.known("")?.fingerprints
        };
        shared["subject_encoder"] = Value::Null;
        Ok(shared)
    }

    /// The model that renders a character, as far as it is known without its tensors.
    pub fn known(&mut self, name: &str) -> Result<Known> {
        let key = self.key(name);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let weights = self.weights(name).open()?;
        let known =
            Known { fingerprints: weights.fingerprints()?, subject: weights.subject_phrase().cloned() };
        self.known.insert(key, known.clone());
        Ok(known)
    }

    /// The model that renders a character.
    pub fn load(&mut self, name: &str, device: &DeviceSettings) -> Result<&Pipeline> {
        let (key, weights) = (self.key(name), self.weights(name));
        self.loaded.get(&key, || weights.open()?.load(device, &mut |_| {}))
    }

    /// The files of the model that renders a character.
    pub fn weights(&self, name: &str) -> WeightFiles {
        let mut weights = self.weights.clone();
        if let Some(folder) = self.subjects {
            weights.subject = Some(folder.join(format!("{name}.subject")));
        }
        weights
    }

    /// The character, if it has a model of its own.
    fn key(&self, name: &str) -> Option<String> {
        self.subjects.map(|_| name.to_owned())
    }
}
