//! Deep features of the U-Net that serve the steps after them as well: they change slowly from one step to the next
//! (DeepCache: Ma, Fang and Wang 2023, arXiv 2312.00858).

use std::collections::HashMap;

use crate::diffusion::{Pass, PassText, ReferenceNoise};
use crate::model::unet::{ControlResiduals, DeepFeatures};

/// Passes made together that differ in nothing but the step.
type Kind = Vec<(PassText, Option<ReferenceNoise>)>;

/// What the latest whole passes of each kind left.
#[derive(Debug)]
pub struct DeepCache {
    every: usize,
    kept: HashMap<Kind, (usize, Kept)>,
}

/// What whole passes leave to shallow ones.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub deep: DeepFeatures,
    pub control: Option<ControlResiduals>,
}

impl DeepCache {
    /// Of `every` steps one has whole passes; 1 for all of them.
    pub fn new(every: usize) -> Self {
        Self { every, kept: HashMap::new() }
    }

    /// What is left for `passes` at `step`, if they need not be whole ones.
    pub(super) fn at(&self, passes: &[Pass], step: usize) -> Option<Kept> {
        let (since, kept) = self.kept.get(&kind(passes))?;
        (step < since + self.every).then(|| kept.clone())
    }

    /// Keeps what the whole `passes` at `step` left.
    pub(super) fn keep(&mut self, passes: &[Pass], step: usize, kept: Kept) {
        if self.every > 1 {
            self.kept.insert(kind(passes), (step, kept));
        }
    }
}

fn kind(passes: &[Pass]) -> Kind {
    passes.iter().map(|pass| (pass.text, pass.references)).collect()
}
