//! One picture's denoiser: U-Net, ControlNets, references and guidance behind the samplers' [`Denoiser`] trait.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use candle_core::Tensor;

use crate::diffusion::{
    Denoiser, Guidance, GuidanceInterval, Pass, PassText, Prediction, PredictionType, Step,
};
use crate::error::{Error, Result};
use crate::model::transformer::{AttentionContext, ReferencePass};
use crate::model::unet::ControlResiduals;
use crate::render::networks::Networks;
use crate::render::reference::CachedReference;
use crate::render::trajectory::Trajectory;

/// Everything that one picture is made from.
pub struct SubjectDenoiser<'a> {
    /// The networks.
    pub networks: Networks<'a>,
    /// What the U-Net predicts.
    pub prediction: PredictionType,
    /// How passes are combined.
    pub guidance: Guidance,
    /// In which steps they are.
    pub guidance_interval: GuidanceInterval,
    /// λ of each step, for interleaved guidance.
    pub lambdas: &'a [f64],
    /// The prompt, `(1, tokens, context width)`.
    pub prompt: &'a Tensor,
    /// The negative prompt, `(1, tokens, context width)`.
    pub negative: &'a Tensor,
    /// The picture's control image for each ControlNet, embedded.
    pub controls: &'a [Option<Tensor>],
    /// The references.
    pub references: Vec<&'a mut CachedReference>,
    /// The previous frame's features, where they are those of its own steps.
    pub trajectory: Option<&'a mut Trajectory>,
    /// Called after each step with its number, from 1.
    pub after_step: Option<&'a mut dyn FnMut(usize)>,
}

impl SubjectDenoiser<'_> {
    /// The weighted sum of the step's passes (Eq. 4-6).
    fn guided(&mut self, latent: &Tensor, step: &Step) -> Result<Tensor> {
        let lambda = *self.lambdas.get(step.index).ok_or_else(|| {
            Error::setting("lambda", format!("{} values for {} steps", self.lambdas.len(), step.count))
        })?;
        // Passes with the same text share what the ControlNets say about the picture.
        let mut residuals: HashMap<PassText, Option<ControlResiduals>> = HashMap::new();
        let mut sum: Option<Tensor> = None;
        let passes = match self.guidance_interval.contains(step) {
            true => self.guidance.passes(lambda),
            false => vec![self.guidance.unguided()],
        };
        for pass in passes {
            let control = match residuals.entry(pass.text) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let text = self.text(pass.text);
                    unknown.insert(self.networks.control(latent, step, step.timestep, text, self.controls)?)
                }
            };
            let weighted = (self.pass(latent, step, pass, control.as_ref())? * pass.weight)?;
            sum = Some(match sum {
                None => weighted,
                Some(others) => (others + weighted)?,
            });
        }
        sum.ok_or_else(|| Error::setting("guidance", "leaves no pass through the network"))
    }

    fn pass(
        &mut self,
        latent: &Tensor,
        step: &Step,
        pass: Pass,
        control: Option<&ControlResiduals>,
    ) -> Result<Tensor> {
        let references = self.reference_passes(step, pass)?;
        let references: Vec<&ReferencePass> = references.iter().map(Arc::as_ref).collect();
        let mut context = AttentionContext::new(self.text(pass.text));
        context.references = &references;
        // What the next frame looks back at is what the pass towards prompt and references saw.
        let kept = self.trajectory.is_some() && pass.text == PassText::Prompt && pass.references.is_some();
        context.captured = kept.then(Vec::new);
        let output = self.networks.unet(latent, step.timestep, &mut context, control)?;
        if let (Some(layers), Some(trajectory)) = (context.captured, &mut self.trajectory) {
            trajectory.keep(step.index, layers)?;
        }
        Ok(output)
    }

    fn reference_passes(&mut self, step: &Step, pass: Pass) -> Result<Vec<Arc<ReferencePass>>> {
        let Some(noise) = pass.references else { return Ok(Vec::new()) };
        let time = self.guidance.reference_time(noise, step.timestep, self.networks.schedule.last_timestep());
        let mut passes = Vec::new();
        for reference in &mut self.references {
            passes.extend(reference.pass(&self.networks, step, (step.index, noise), time)?);
        }
        if let Some(trajectory) = &self.trajectory {
            passes.extend(trajectory.at(step.index)?.map(Arc::new));
        }
        Ok(passes)
    }

    fn text(&self, text: PassText) -> &Tensor {
        match text {
            PassText::Prompt => self.prompt,
            PassText::Negative => self.negative,
        }
    }
}

impl Denoiser for SubjectDenoiser<'_> {
    fn predict(&mut self, latent: &Tensor, step: &Step) -> Result<Prediction> {
        let output = self.guided(latent, step)?;
        let prediction = self.prediction.interpret(&output, latent, step)?;
        if let Some(after_step) = &mut self.after_step {
            after_step(step.index + 1);
        }
        Ok(prediction)
    }
}
