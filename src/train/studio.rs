//! Pictures that a model makes while another training goes on.

use candle_core::{DType, Device};
use image::RgbImage;

use crate::diffusion::NoiseSource;
use crate::error::Result;
use crate::mask::Mask;
use crate::model::weights::ModelFiles;
use crate::model::{LoadOptions, StableDiffusion};
use crate::render::animator::{Animator, ClipInputs, ReferencePicture};
use crate::render::feature_store::FeatureCache;
use crate::render::interrupt::Interrupt;
use crate::render::networks::ControlUnit;
use crate::render::settings::RenderSettings;
use crate::render::texts::Texts;

/// A model as it was before training, with its own ControlNet.
pub struct Studio {
    model: StableDiffusion,
    controls: Vec<ControlUnit>,
}

/// What a picture is made from.
pub struct Sitting<'a> {
    /// The reference.
    pub reference: &'a RgbImage,
    /// Where its subject is; `None` for the whole picture.
    pub mask: Option<Mask>,
    /// What the ControlNet is shown of it.
    pub reference_control: Option<&'a RgbImage>,
    /// What it is shown for the picture.
    pub control: Option<&'a RgbImage>,
}

impl Studio {
    /// Loads the model in 32 bits.
    ///
    /// # Errors
    /// Those of [`StableDiffusion::load`].
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self> {
        let options = LoadOptions {
            device: device.clone(),
            dtype: DType::F32,
            loras: Vec::new(),
            textual_inversions: Vec::new(),
        };
        let model = StableDiffusion::load(files, &options, |_, _| {})?;
        let controlnet = files.controlnet.as_ref().map(|part| model.load_controlnet(part)).transpose()?;
        let controls = controlnet.into_iter().map(|(network, _)| ControlUnit::new(network, 1.0)).collect();
        Ok(Self { model, controls })
    }

    /// One picture.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`]; failures of the networks.
    pub fn picture(
        &self,
        sitting: Sitting,
        settings: RenderSettings,
        interrupt: &Interrupt,
    ) -> Result<RgbImage> {
        let for_each = |control: Option<&RgbImage>| vec![control.cloned(); self.controls.len()];
        let reference = ReferencePicture {
            image: sitting.reference.clone(),
            mask: sitting.mask,
            controls: for_each(sitting.reference_control),
        };
        let inputs = ClipInputs {
            reference: reference.encode(&self.model, &settings)?,
            texts: Texts::encode(&self.model, &settings)?,
            noise: NoiseSource::new(settings.seed),
        };
        let (cache, interrupt) = (FeatureCache::Recompute, interrupt.clone());
        let mut animator = Animator::new(&self.model, &self.controls, inputs, settings, cache, interrupt)?;
        Ok(animator.render(&for_each(sitting.control), &mut |_| {})?.image)
    }
}
