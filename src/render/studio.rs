//! Single pictures, one after the other, by one model.

use image::RgbImage;

use crate::diffusion::NoiseSource;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::StableDiffusion;
use crate::render::animator::{Animator, ClipInputs, ReferencePicture};
use crate::render::attention_maps::{Watch, Watched};
use crate::render::feature_store::FeatureCache;
use crate::render::networks::ControlUnit;
use crate::render::settings::RenderSettings;
use crate::render::texts::Texts;

/// A model with its ControlNets.
#[derive(Debug)]
pub struct Studio {
    /// The model.
    pub model: StableDiffusion,
    /// Its ControlNets.
    pub controls: Vec<ControlUnit>,
}

/// What a picture is made from, besides its settings; all pictures are of the size that those say.
#[derive(Debug, Clone)]
pub struct Sitting {
    /// The reference.
    pub reference: ReferencePicture,
    /// What each ControlNet is shown; `None` where it has nothing to say.
    pub controls: Vec<Option<RgbImage>>,
    /// A picture to begin from in place of noise, and how much of it may change: 0 to 1.
    pub init: Option<(RgbImage, f64)>,
}

impl Studio {
    /// One picture. `after_step` is called with the number of steps done, and of all.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`]; settings out of range, pictures of other sizes, failures of the networks.
    pub fn picture(
        &self,
        sitting: Sitting,
        settings: RenderSettings,
        interrupt: &Interrupt,
        after_step: &mut dyn FnMut(usize, usize),
    ) -> Result<RgbImage> {
        Ok(self.watched(sitting, settings, None, interrupt, after_step)?.0)
    }

    /// One picture, and what attention saw meanwhile, if it is to be watched.
    ///
    /// # Errors
    /// Those of [`Self::picture`].
    pub fn watched(
        &self,
        sitting: Sitting,
        settings: RenderSettings,
        watch: Option<Watch>,
        interrupt: &Interrupt,
        after_step: &mut dyn FnMut(usize, usize),
    ) -> Result<(RgbImage, Watched)> {
        let Sitting { reference, controls, init } = sitting;
        let inputs = ClipInputs {
            reference: reference.encode(&self.model, &settings)?,
            texts: Texts::encode(&self.model, &settings)?,
            noise: NoiseSource::new(settings.seed),
        };
        let tile = settings.vae_tile;
        let (cache, interrupt) = (FeatureCache::Recompute, interrupt.clone());
        let mut animator = Animator::new(&self.model, &self.controls, inputs, settings, cache, interrupt)?;
        if let Some((picture, strength)) = init {
            animator.begin_from(&self.model.encode_image(&picture, tile)?, strength)?;
        }
        if let Some(watch) = watch {
            animator.watch(watch);
        }
        let steps = animator.steps();
        let picture = animator.render(&controls, &mut |done| after_step(done, steps))?.image;
        Ok((picture, animator.seen()))
    }
}
