//! References for self-subject-attention: what each self-attention layer of the U-Net attends to besides itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Tensor};

use crate::diffusion::Step;
use crate::error::Result;
use crate::mask::Mask;
use crate::model::transformer::{LayerFeatures, ReferencePass};
use crate::render::attention_maps::AttentionSource;
use crate::render::feature_store::{FeatureKey, FeatureStore};
use crate::render::networks::{Networks, TextKeysValues};

/// Features without the bits that nobody sees: they are the results of norms, which 16 bits hold well.
fn in_16_bits(features: &Tensor) -> Result<Tensor> {
    Ok(match features.dtype() {
        DType::F32 => features.to_dtype(DType::F16)?,
        _ => features.clone(),
    })
}

/// One reference: a picture that the render keeps looking at.
#[derive(Debug)]
pub struct Reference {
    /// What it is.
    pub source: AttentionSource,
    /// Its latent without noise, `(1, channels, height, width)`.
    pub latent: Tensor,
    /// The noise that is added to it, of the latent's shape. Drawn once a clip, so that its features depend on the
    /// time alone.
    pub noise: Tensor,
    /// Where its subject is; `None` for the whole picture.
    pub mask: Option<Mask>,
    /// Its own text.
    pub text: Arc<TextKeysValues>,
    /// Its own control image for each ControlNet, as [`crate::model::controlnet::ControlNet::embed`] gives it; `None` where
    /// that ControlNet has nothing to say about it.
    pub controls: Vec<Option<Tensor>>,
    /// ω: how much its keys count against the picture's own; 0 leaves it out.
    pub weight: f64,
}

impl Reference {
    /// What every self-attention layer attends to when this reference is noised to `time`, for the sampler's `step`.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] and failures of the networks.
    pub fn pass(&self, networks: &Networks, step: &Step, time: f64) -> Result<ReferencePass> {
        let noised = networks.schedule.add_noise(&self.latent, &self.noise, time)?;
        let control = networks.control(&noised, step, time, &self.text, &self.controls)?;
        let mut context = self.text.context();
        context.captured = Some(BTreeMap::new());
        networks.unet(&noised, time, &mut context, control.as_ref(), None)?;
        let layers = context.captured.unwrap_or_default();
        let tokens = |(layer, entered): (usize, LayerFeatures)| {
            let features = LayerFeatures { features: in_16_bits(&entered.features)?, ..entered };
            Ok(features.as_reference(self.mask.as_ref(), self.weight)?.map(|tokens| (layer, tokens)))
        };
        layers.into_iter().filter_map(|layer| tokens(layer).transpose()).collect()
    }
}

/// A reference together with what is kept of its features between frames.
#[derive(Debug)]
pub struct CachedReference {
    reference: Reference,
    store: FeatureStore,
}

impl CachedReference {
    /// Keeps the features of `reference` in `store`.
    pub fn new(reference: Reference, store: FeatureStore) -> Self {
        Self { reference, store }
    }

    /// What the reference is.
    pub fn source(&self) -> AttentionSource {
        self.reference.source
    }

    /// [`Reference::pass`], from the store where it is there already; `None` where the weight is zero.
    pub fn pass(
        &mut self,
        networks: &Networks,
        step: &Step,
        key: FeatureKey,
        time: f64,
    ) -> Result<Option<Arc<ReferencePass>>> {
        if self.reference.weight == 0.0 {
            return Ok(None);
        }
        let reference = &self.reference;
        self.store.get_or_compute(key, || reference.pass(networks, step, time)).map(Some)
    }
}
