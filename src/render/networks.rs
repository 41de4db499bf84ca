//! The networks of one render, as the denoiser calls them.

use std::sync::Arc;

use candle_core::Tensor;
use serde::Serialize;

use crate::diffusion::{PassText, Schedule, Step};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Conditioning;
use crate::model::controlnet::ControlNet;
use crate::model::transformer::{AttentionContext, KeysValues};
use crate::model::unet::{ControlResiduals, DeepFeatures, UNet};
use dreamtuner_kernels::in_pool;

/// A ControlNet with its share in the render.
#[derive(Debug)]
pub struct ControlUnit {
    /// The network.
    pub network: ControlNet,
    /// Its residuals are multiplied by this; 0 to 2 make sense, 0 switches it off.
    pub strength: f64,
    /// It acts from this fraction of the steps on, 0 to 1.
    pub start: f64,
    /// It acts up to this fraction of the steps, 0 to 1.
    pub end: f64,
    /// What it is shown.
    pub source: ControlSource,
}

/// What a ControlNet is shown of each frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlSource {
    /// The dance: skeletons, or a video of its own.
    #[default]
    Dance,
    /// The frame's draft, as it is: for tiles, edges that are found by the network itself, and the like.
    Draft,
    /// The frame's draft, −1 where it is not sure, as the inpainting ControlNet of Stable Diffusion 1.5 is shown what it is to paint.
    DraftInpaint,
}

impl ControlSource {
    /// Whether it is a frame's draft.
    pub fn is_draft(self) -> bool {
        self != Self::Dance
    }
}

impl ControlUnit {
    /// A ControlNet that acts in every step.
    pub fn new(network: ControlNet, strength: f64) -> Self {
        Self { network, strength, start: 0.0, end: 1.0, source: ControlSource::Dance }
    }

    /// Whether the ControlNet acts in `step`.
    fn acts(&self, step: &Step) -> bool {
        self.strength != 0.0 && step.lies_within(self.start, self.end)
    }
}

/// Keys and values of a text in each network.
#[derive(Debug, Clone)]
pub struct TextKeysValues {
    unet: KeysValues,
    controls: Vec<KeysValues>,
}

impl TextKeysValues {
    /// Those of `text`, whose context is `(1, tokens, context width)`.
    pub fn new(text: &Conditioning, unet: &UNet, controls: &[ControlUnit]) -> Result<Self> {
        in_pool(|| {
            let unet = unet.keys_values(&text.context)?;
            let controls = controls.iter().map(|unit| unit.network.keys_values(&text.context));
            Ok(Self { unet, controls: controls.collect::<candle_core::Result<_>>()? })
        })
    }

    /// Where a pass of the U-Net begins.
    pub fn context(&self) -> AttentionContext<'_> {
        AttentionContext::new(&self.unet)
    }
}

/// The texts that passes are made with.
#[derive(Debug)]
pub struct GuidanceTexts {
    /// The prompt.
    pub prompt: Arc<TextKeysValues>,
    /// The negative prompt.
    pub negative: TextKeysValues,
}

impl GuidanceTexts {
    /// The text of a pass.
    pub fn of_pass(&self, text: PassText) -> &TextKeysValues {
        match text {
            PassText::Prompt => &self.prompt,
            PassText::Negative => &self.negative,
        }
    }
}

/// U-Net, ControlNets and noise schedule.
#[derive(Debug, Clone, Copy)]
pub struct Networks<'a> {
    /// The denoising network.
    pub unet: &'a UNet,
    /// The ControlNets, in the order of the control images.
    pub controls: &'a [ControlUnit],
    /// The schedule that they were trained on.
    pub schedule: &'a Schedule,
    /// Keys and values of the subject in the U-Net, and β, for passes that see it; `None` for no S-E-A.
    pub subject: Option<(&'a KeysValues, f64)>,
    /// Asked before each pass.
    pub interrupt: &'a Interrupt,
}

impl<'a> Networks<'a> {
    /// One pass through the U-Net, as [`UNet::forward_from`]. It computes in the text's type, whatever the latent's.
    ///
    /// # Errors
    /// [`Error::Interrupted`] instead of a pass once the user has asked to stop.
    pub fn unet<'b>(
        &self,
        latent: &Tensor,
        time: f64,
        context: &mut AttentionContext<'b>,
        control: Option<&ControlResiduals>,
        deep: Option<&DeepFeatures>,
    ) -> Result<(Tensor, DeepFeatures)>
    where
        'a: 'b,
    {
        self.interrupt.check()?;
        context.subject = self.subject;
        let input = latent.to_dtype(context.text.dtype())?;
        let (output, deep) = in_pool(|| self.unet.forward_from(deep, &input, &[time], context, control))?;
        Ok((output.to_dtype(latent.dtype())?, deep))
    }

    /// What the ControlNets that act in `step` add, all together; `None` if there are none. `embedded` has one entry
    /// for each ControlNet.
    pub fn control(
        &self,
        latent: &Tensor,
        step: &Step,
        time: f64,
        text: &TextKeysValues,
        embedded: &[Option<Tensor>],
    ) -> Result<Option<ControlResiduals>> {
        if embedded.len() != self.controls.len() {
            let problem =
                format!("{} control images for {} ControlNets", embedded.len(), self.controls.len());
            return Err(Error::setting("control images", problem));
        }
        let latent = latent.to_dtype(text.unet.dtype())?;
        let mut sum: Option<ControlResiduals> = None;
        for ((unit, text), embedded) in self.controls.iter().zip(&text.controls).zip(embedded) {
            let Some(embedded) = embedded.as_ref().filter(|_| unit.acts(step)) else { continue };
            self.interrupt.check()?;
            let residuals = in_pool(|| unit.network.forward(&latent, &[time], text, embedded))?;
            let residuals = if unit.strength == 1.0 { residuals } else { residuals.scale(unit.strength)? };
            sum = Some(match sum {
                None => residuals,
                Some(others) => others.add(&residuals)?,
            });
        }
        Ok(sum)
    }
}
