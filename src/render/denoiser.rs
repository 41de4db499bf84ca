//! One frame's denoiser: U-Net, ControlNets, references and guidance behind the samplers' [`Denoiser`] trait.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use candle_core::Tensor;

use crate::diffusion::{Denoiser, KeptLatent, Pass, PassText, Prediction, Step};
use crate::error::{Error, Result};
use crate::model::transformer::{LayerFeatures, PassPicture};
use crate::model::unet::ControlResiduals;
use crate::render::attention_maps::Watch;
use crate::render::deep_cache::{DeepCache, Kept};
use crate::render::networks::{GuidanceTexts, Networks};
use crate::render::references::{AttendedPasses, References};
use crate::render::sampling::SamplingPlan;

/// Everything that one frame is made from.
pub struct SubjectDenoiser<'a> {
    /// The networks.
    pub networks: Networks<'a>,
    /// Which passes each step has.
    pub plan: &'a SamplingPlan,
    /// What leaves deep layers out of some steps.
    pub deep_cache: DeepCache,
    /// The texts.
    pub texts: &'a GuidanceTexts,
    /// The frame.
    pub frame: FrameControls<'a>,
    /// What the frame looks at; what the next one looks back at is kept there.
    pub references: &'a mut References,
    /// What of the frame is known and stays.
    pub kept: Option<KeptLatent>,
    /// Keeps what attention saw, if it is to be shown.
    pub watch: Option<&'a mut Watch>,
    /// Called after each step with the number of steps done.
    pub after_step: Option<&'a mut dyn FnMut(usize)>,
}

/// A frame, and what ControlNets are shown for it.
#[derive(Debug, Clone, Copy)]
pub struct FrameControls<'a> {
    /// Number of the frame in its clip, from 0.
    pub index: usize,
    /// Its control image for each ControlNet, embedded.
    pub controls: &'a [Option<Tensor>],
}

/// What ControlNets add to passes with each text.
type Residuals = HashMap<PassText, Option<ControlResiduals>>;

impl SubjectDenoiser<'_> {
    /// The weighted sum of the step's passes (Eq. 4-6).
    fn guided(&mut self, latent: &Tensor, step: &Step) -> Result<Tensor> {
        let mut residuals = Residuals::new();
        let mut sum: Option<Tensor> = None;
        for passes in self.plan.passes(latent, step)? {
            let outputs = self.outputs(latent, step, &passes, &mut residuals)?;
            for (index, pass) in passes.iter().enumerate() {
                let weighted = (outputs.narrow(0, index, 1)? * pass.weight)?;
                sum = Some(match sum {
                    None => weighted,
                    Some(others) => (others + weighted)?,
                });
            }
        }
        sum.ok_or_else(|| Error::setting("guidance", "leaves no pass through the network"))
    }

    /// What the U-Net says, `(passes, channels, height, width)`, to passes with the same text.
    fn outputs(
        &mut self,
        latent: &Tensor,
        step: &Step,
        passes: &[Pass],
        residuals: &mut Residuals,
    ) -> Result<Tensor> {
        let (deep, control) = match self.deep_cache.at(passes, step.index) {
            Some(Kept { deep, control }) => (Some(deep), control),
            None => (None, self.control(latent, step, passes[0].text, residuals)?),
        };
        let attended = passes
            .iter()
            .map(|pass| self.references.attended(&self.networks, self.plan, step, *pass))
            .collect::<Result<Vec<_>>>()?;
        let pictures = self.pictures(passes, &attended);
        let recorded = self.recorded(passes, step);
        let mut context = self.texts.of_pass(passes[0].text).context();
        context.pictures = &pictures;
        context.captured = recorded.map(|_| BTreeMap::new());
        let latents = Tensor::cat(&vec![latent; passes.len()], 0)?;
        let time = step.timestep;
        let (output, left) =
            self.networks.unet(&latents, time, &mut context, control.as_ref(), deep.as_ref())?;
        if let (Some(layers), Some(pass)) = (context.captured, recorded) {
            self.record(step, pass, layers, &attended[pass])?;
        }
        if deep.is_none() {
            self.deep_cache.keep(passes, step.index, Kept { deep: left, control });
        }
        Ok(output)
    }

    /// What the ControlNets add to passes with `text`: once a step.
    fn control(
        &self,
        latent: &Tensor,
        step: &Step,
        text: PassText,
        residuals: &mut Residuals,
    ) -> Result<Option<ControlResiduals>> {
        Ok(match residuals.entry(text) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                let (texts, controls) = (self.texts.of_pass(text), self.frame.controls);
                let control = self.networks.control(latent, step, step.timestep, texts, controls)?;
                unknown.insert(control).clone()
            }
        })
    }

    /// The batch of `passes`. The subject belongs to the reference: a pass that is guided away from the one is guided away from the
    /// other.
    fn pictures<'b>(&self, passes: &[Pass], attended: &'b [AttendedPasses]) -> Vec<PassPicture<'b>> {
        let picture = |(pass, attended): (&Pass, &'b AttendedPasses)| PassPicture {
            frame: self.frame.index,
            without_subject: pass.references.is_none(),
            references: attended.iter().map(|(_, reference)| reference.as_ref()).collect(),
        };
        passes.iter().zip(attended).map(picture).collect()
    }

    /// The place of the pass that is looked back at, which is that towards prompt and references, if anything of it is kept.
    fn recorded(&self, passes: &[Pass], step: &Step) -> Option<usize> {
        let wanted = self.references.keeps_features() || self.is_watched(step);
        let place = passes.iter().position(|pass| pass.text == PassText::Prompt && pass.references.is_some());
        place.filter(|_| wanted)
    }

    fn is_watched(&self, step: &Step) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.wants(step.index))
    }

    /// Keeps what entered the layers of the pass in place `pass`, and what it attended to.
    fn record(
        &mut self,
        step: &Step,
        pass: usize,
        layers: BTreeMap<usize, LayerFeatures>,
        attended: &AttendedPasses,
    ) -> Result<()> {
        if self.is_watched(step)
            && let Some(watch) = &mut self.watch
        {
            let attended: Vec<_> = attended.iter().map(|(source, pass)| (*source, pass.as_ref())).collect();
            watch.keep(step.index, pass, &layers, &attended, self.networks.unet)?;
        }
        self.references.keep(step, pass, layers)
    }
}

impl Denoiser for SubjectDenoiser<'_> {
    fn predict(&mut self, latent: &Tensor, step: &Step) -> Result<Prediction> {
        let output = self.guided(latent, step)?;
        let prediction = self.networks.schedule.config().prediction_type.interpret(&output, latent, step)?;
        if let Some(after_step) = &mut self.after_step {
            after_step(self.plan.done(step));
        }
        match &self.kept {
            Some(kept) => kept.apply(&prediction),
            None => Ok(prediction),
        }
    }
}
