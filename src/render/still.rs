//! Single pictures, one after the other, by one pipeline.

use image::RgbImage;

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::render::animator::{Animator, ClipInputs, FrameInputs, ReferencePicture};
use crate::render::attention_maps::{Watch, Watched};
use crate::render::draft::DraftFrame;
use crate::render::feature_store::FeatureCache;
use crate::render::pipeline::Pipeline;
use crate::render::sampling::InitialLatent;
use crate::render::settings::RenderSettings;

/// What a single picture is made from, besides its settings; all pictures are of the size that those say.
#[derive(Debug, Clone)]
pub struct StillInputs {
    /// The reference.
    pub reference: ReferencePicture,
    /// What each ControlNet is shown; `None` where it has nothing to say.
    pub controls: Vec<Option<RgbImage>>,
    /// A picture to begin from in place of noise, and how much of it may change: 0 to 1.
    pub init: Option<(RgbImage, f64)>,
    /// Its draft, where [`RenderSettings::draft`] or a ControlNet asks for one.
    pub draft: Option<DraftFrame>,
}

impl Pipeline {
    /// One picture. `after_step` is called with the number of steps done, and of all.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`]; settings out of range, pictures of other sizes, failures of the networks.
    pub fn picture(
        &self,
        inputs: StillInputs,
        settings: RenderSettings,
        interrupt: &Interrupt,
        after_step: &mut dyn FnMut(usize, usize),
    ) -> Result<RgbImage> {
        Ok(self.watched(inputs, settings, None, interrupt, after_step)?.0)
    }

    /// One picture, and what attention saw meanwhile, if it is to be watched.
    ///
    /// # Errors
    /// Those of [`Self::picture`].
    pub fn watched(
        &self,
        inputs: StillInputs,
        settings: RenderSettings,
        watch: Option<Watch>,
        interrupt: &Interrupt,
        after_step: &mut dyn FnMut(usize, usize),
    ) -> Result<(RgbImage, Watched)> {
        let StillInputs { reference, controls, init, draft } = inputs;
        let init = init.map(|(picture, strength)| -> Result<_> {
            Ok(InitialLatent { latent: self.model.encode_image(&picture, settings.vae_tile)?, strength })
        });
        let inputs =
            ClipInputs { init: init.transpose()?, ..ClipInputs::encode(self, reference, &settings)? };
        let mut animator = Animator::new(self, inputs, settings, FeatureCache::Recompute, interrupt.clone())?;
        if let Some(watch) = watch {
            animator.watch(watch);
        }
        let steps = animator.steps();
        let frame = FrameInputs { controls: &controls, draft: draft.as_ref() };
        let picture = animator.render(frame, &mut |done| after_step(done, steps))?.image;
        Ok((picture, animator.take_watched()))
    }
}
