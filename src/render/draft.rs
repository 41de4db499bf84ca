//! What frames take from their drafts: pictures of the same pose that geometry alone has made.

use candle_core::{Device, Tensor};
use image::{GrayImage, RgbImage, RgbaImage};
use serde::{Deserialize, Serialize};

use crate::diffusion::KeptLatent;
use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::model::StableDiffusion;
use crate::model::weights::DraftDefaults;
use crate::picture::over_picture;

/// The draft of a frame.
#[derive(Debug, Clone)]
pub struct DraftFrame {
    /// The picture, of the frames' size.
    pub image: RgbImage,
    /// How sure each of its pixels is, 0 to 255.
    pub confidence: GrayImage,
}

/// Less sure pixels are painted anew, of 255.
const SURE: u8 = 128;

impl DraftFrame {
    /// A figure before a background, all of the same size. The background is sure where it is `known`: 255 surely, 0 not at all.
    pub fn before(
        figure: &RgbaImage,
        mut confidence: GrayImage,
        background: &RgbImage,
        known: &GrayImage,
    ) -> Self {
        for ((sure, figure), known) in confidence.pixels_mut().zip(figure.pixels()).zip(known.pixels()) {
            let (alpha, known) = (u32::from(figure.0[3]), u32::from(known.0[0]));
            sure.0[0] = (u32::from(sure.0[0]) * (alpha * 255 + (255 - alpha) * known) / (255 * 255)) as u8;
        }
        Self { image: over_picture(figure, background), confidence }
    }

    /// How sure each pixel is, `(1, 1, height, width)`, 0 to 1.
    pub(super) fn confidence_tensor(&self, device: &Device) -> Result<Tensor> {
        let (width, height) = self.confidence.dimensions();
        let shares: Vec<f32> = self.confidence.as_raw().iter().map(|sure| f32::from(*sure) / 255.0).collect();
        Ok(Tensor::from_vec(shares, (1, 1, height as usize, width as usize), device)?)
    }

    /// The draft's pixels `(1, 3, height, width)`, −1 where it is not sure.
    pub(super) fn without_unsure(&self, pixels: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = pixels.dims4()?;
        let unsure = self.confidence.as_raw().iter().map(|sure| u8::from(*sure < SURE)).collect::<Vec<_>>();
        let unsure = Tensor::from_vec(unsure, (1, 1, height, width), pixels.device())?;
        let nothing = (pixels.zeros_like()? - 1.0)?;
        Ok(unsure.broadcast_as(pixels.shape())?.where_cond(&nothing, pixels)?)
    }
}

/// How frames use their drafts; without any of it there need be none, and frames are as DreamTuner is published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftSettings {
    /// Frames begin from their drafts, of which so much may change, 0 to 1 ([`crate::render::sampling::SamplingPlan`]); from noise
    /// where absent.
    pub strength: Option<f64>,
    /// ω of the draft as a reference in the frame's own pose, of which only sure places are looked at; 0 leaves it out.
    pub weight: f64,
    /// Where drafts are sure their pixels stay; between sure and unsure both are mixed.
    pub keep_sure: bool,
    /// Scale of classifier-free guidance where there are drafts, in place of the render's own guidance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_scale: Option<f64>,
    /// Where no draft can be made, frames are made without.
    #[serde(default, skip_serializing_if = "is_false")]
    pub if_possible: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What a model asks for, where it is possible.
impl From<DraftDefaults> for DraftSettings {
    fn from(defaults: DraftDefaults) -> Self {
        let DraftDefaults { strength, weight, keep_sure, guidance_scale } = defaults;
        let if_possible = defaults != DraftDefaults::default();
        Self { strength, weight, keep_sure, guidance_scale, if_possible }
    }
}

impl DraftSettings {
    /// Whether frames need drafts. ControlNets may, too.
    pub fn are_used(&self) -> bool {
        self.strength.is_some() || self.weight != 0.0 || self.keep_sure
    }

    /// Whether frames are made without drafts where this came of making them.
    pub fn can_do_without(&self, error: &Error) -> bool {
        self.if_possible && matches!(error, Error::Input { .. } | Error::Setting { .. })
    }

    pub(super) fn are_unused(&self) -> bool {
        !self.are_used()
    }
}

/// A draft as a frame's denoiser sees it.
#[derive(Debug)]
pub(super) struct EncodedDraft {
    /// Its latent, `(1, channels, height, width)`.
    pub latent: Tensor,
    /// Where it is sure.
    pub mask: Mask,
}

impl EncodedDraft {
    /// Encodes a draft.
    pub fn new(draft: &DraftFrame, model: &StableDiffusion, vae_tile: Option<usize>) -> Result<Self> {
        if draft.image.dimensions() != draft.confidence.dimensions() {
            return Err(Error::setting("draft", "its picture and its map differ in size"));
        }
        let latent = model.encode_image(&draft.image, vae_tile)?;
        Ok(Self { latent, mask: Mask::from_image(&draft.confidence)? })
    }

    /// What keeps the draft where it is sure.
    pub fn keep(&self, noise: &Tensor) -> Result<KeptLatent> {
        let (_, _, height, width) = self.latent.dims4()?;
        let shares = self.mask.pool(height, width);
        let share = Tensor::from_vec(shares, (1, 1, height, width), self.latent.device())?;
        let latent = self.latent.to_dtype(noise.dtype())?;
        Ok(KeptLatent::new(latent, noise.clone(), share.to_dtype(noise.dtype())?))
    }
}

/// The draft where it is sure, the frame elsewhere.
pub(super) fn composited(frame: &RgbImage, draft: &DraftFrame) -> RgbImage {
    let mut mixed = frame.clone();
    let drafted = draft.image.pixels().zip(draft.confidence.pixels());
    for (pixel, (draft, sure)) in mixed.pixels_mut().zip(drafted) {
        let sure = u32::from(sure.0[0]);
        for (value, draft) in pixel.0.iter_mut().zip(draft.0) {
            *value = ((u32::from(draft) * sure + u32::from(*value) * (255 - sure) + 127) / 255) as u8;
        }
    }
    mixed
}
