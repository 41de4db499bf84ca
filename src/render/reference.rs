//! References for self-subject-attention: what each self-attention layer of the U-Net attends to besides itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::diffusion::Step;
use crate::error::Result;
use crate::mask::Mask;
use crate::model::attention::ReferenceTokens;
use crate::model::transformer::{LayerFeatures, ReferencePass};
use crate::render::feature_store::{FeatureKey, FeatureStore};
use crate::render::networks::{Networks, TextReadings};

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
    /// Its latent without noise, `(1, channels, height, width)`.
    pub latent: Tensor,
    /// The noise that is added to it, of the latent's shape. Drawn once a clip, so that its features depend on the
    /// time alone.
    pub noise: Tensor,
    /// Where its subject is; `None` for the whole picture.
    pub mask: Option<Mask>,
    /// Its own text.
    pub text: Arc<TextReadings>,
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
        let tokens = |(layer, features)| Ok(self.tokens(features)?.map(|tokens| (layer, tokens)));
        layers.into_iter().filter_map(|layer| tokens(layer).transpose()).collect()
    }

    /// The tokens of a layer that the mask leaves, with `log(ω·m)` for each. They are kept in 16 bits.
    fn tokens(&self, layer: LayerFeatures) -> Result<Option<ReferenceTokens>> {
        let layer = LayerFeatures { features: in_16_bits(&layer.features)?, ..layer };
        let device = layer.features.device();
        let Some(mask) = &self.mask else {
            let log_weights = self.log_weights(&vec![1.0; layer.height * layer.width], device)?;
            return Ok(Some(ReferenceTokens { features: layer.features, log_weights }));
        };
        let pooled = mask.pool(layer.height, layer.width);
        let kept: Vec<u32> = (0..pooled.len() as u32).filter(|&token| pooled[token as usize] > 0.0).collect();
        if kept.is_empty() {
            return Ok(None);
        }
        let weights: Vec<f32> = kept.iter().map(|&token| pooled[token as usize]).collect();
        let features = layer.features.index_select(&Tensor::new(kept, device)?, 1)?;
        Ok(Some(ReferenceTokens { features, log_weights: self.log_weights(&weights, device)? }))
    }

    fn log_weights(&self, mask: &[f32], device: &Device) -> Result<Option<Tensor>> {
        if self.weight == 1.0 && mask.iter().all(|&value| value == 1.0) {
            return Ok(None);
        }
        let logs: Vec<f32> = mask.iter().map(|&value| (self.weight * f64::from(value)).ln() as f32).collect();
        Ok(Some(Tensor::new(logs, device)?))
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
