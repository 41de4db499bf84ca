//! One picture's denoiser: U-Net, ControlNets, references and guidance behind the samplers' [`Denoiser`] trait.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::Tensor;

use crate::diffusion::{
    Denoiser, Guidance, GuidanceInterval, Pass, PassText, Prediction, PredictionType, Step,
};
use crate::error::{Error, Result};
use crate::model::transformer::ReferencePass;
use crate::model::unet::ControlResiduals;
use crate::render::attention_maps::{Seen, Watch};
use crate::render::deep_cache::{DeepCache, Kept};
use crate::render::networks::{Networks, TextReadings};
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
    /// What whole passes leave to shallow ones.
    pub deep_cache: DeepCache,
    /// λ of each step, for interleaved guidance.
    pub lambdas: &'a [f64],
    /// The prompt.
    pub prompt: &'a TextReadings,
    /// The negative prompt.
    pub negative: &'a TextReadings,
    /// The picture's control image for each ControlNet, embedded.
    pub controls: &'a [Option<Tensor>],
    /// The references.
    pub references: Vec<&'a mut CachedReference>,
    /// The previous frame's features, where they are those of its own steps.
    pub trajectory: Option<&'a mut Trajectory>,
    /// Keeps what attention saw, if it is to be shown.
    pub watch: Option<&'a mut Watch>,
    /// Called after each step with its number, from 1.
    pub after_step: Option<&'a mut dyn FnMut(usize)>,
}

impl<'a> SubjectDenoiser<'a> {
    /// The weighted sum of the step's passes (Eq. 4-6).
    fn guided(&mut self, latent: &Tensor, step: &Step) -> Result<Tensor> {
        let lambda = *self.lambdas.get(step.index).ok_or_else(|| {
            Error::setting("lambda", format!("{} values for {} steps", self.lambdas.len(), step.count))
        })?;
        let passes = match self.guidance_interval.contains(step) {
            true => self.guidance.passes(lambda),
            false => vec![self.guidance.unguided()],
        };
        let mut residuals = HashMap::new();
        let mut sum: Option<Tensor> = None;
        for passes in made_together(passes, latent) {
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

    /// What the U-Net says, `(passes, channels, height, width)`, to passes with the same text. They share what the ControlNets say
    /// about the picture: `residuals`.
    fn outputs(
        &mut self,
        latent: &Tensor,
        step: &Step,
        passes: &[Pass],
        residuals: &mut HashMap<PassText, Option<ControlResiduals>>,
    ) -> Result<Tensor> {
        let (text, time) = (self.text(passes[0].text), step.timestep);
        let (deep, control) = match self.deep_cache.at(passes, step.index) {
            Some(Kept { deep, control }) => (Some(deep), control),
            None => match residuals.entry(passes[0].text) {
                Entry::Occupied(known) => (None, known.get().clone()),
                Entry::Vacant(unknown) => {
                    let control = self.networks.control(latent, step, time, text, self.controls)?;
                    (None, unknown.insert(control).clone())
                }
            },
        };
        let references =
            passes.iter().map(|pass| self.reference_passes(step, *pass)).collect::<Result<Vec<_>>>()?;
        let seen = &references;
        let references: Vec<Vec<&ReferencePass>> =
            seen.iter().map(|passes| passes.iter().map(|(_, pass)| pass.as_ref()).collect()).collect();
        // The subject belongs to the reference: a pass that is guided away from the one is guided away from the other.
        let without_subject: Vec<bool> = passes.iter().map(|pass| pass.references.is_none()).collect();
        let mut context = text.context();
        context.references = &references;
        context.without_subject = &without_subject;
        // What the next frame looks back at is what the pass towards prompt and references saw.
        let kept = passes.iter().position(|pass| pass.text == PassText::Prompt && pass.references.is_some());
        let watched = self.watch.as_ref().is_some_and(|watch| watch.wants(step.index));
        let kept = kept.filter(|_| watched || self.trajectory.is_some());
        context.captured = kept.map(|_| BTreeMap::new());
        let latents = Tensor::cat(&vec![latent; passes.len()], 0)?;
        let (output, left) =
            self.networks.unet(&latents, time, &mut context, control.as_ref(), deep.as_ref())?;
        if let (Some(layers), Some(pass)) = (context.captured, kept) {
            if let Some(watch) = self.watch.as_mut().filter(|_| watched) {
                let seen = seen[pass].iter().map(|(seen, pass)| (*seen, pass.as_ref())).collect::<Vec<_>>();
                watch.keep(step.index, pass, &layers, &seen, self.networks.unet)?;
            }
            if let Some(trajectory) = &mut self.trajectory {
                trajectory.keep(step.index, pass, layers)?;
            }
        }
        if deep.is_none() {
            self.deep_cache.keep(passes, step.index, Kept { deep: left, control });
        }
        Ok(output)
    }

    fn reference_passes(&mut self, step: &Step, pass: Pass) -> Result<Vec<(Seen, Arc<ReferencePass>)>> {
        let Some(noise) = pass.references else { return Ok(Vec::new()) };
        let time = self.guidance.reference_time(noise, step.timestep, self.networks.schedule.last_timestep());
        let mut passes = Vec::new();
        for reference in &mut self.references {
            let pass = reference.pass(&self.networks, step, (step.index, noise), time)?;
            passes.extend(pass.map(|pass| (reference.seen(), pass)));
        }
        if let Some(trajectory) = &self.trajectory {
            passes.extend(trajectory.at(step.index)?.map(|pass| (Seen::Previous, Arc::new(pass))));
        }
        Ok(passes)
    }

    fn text(&self, text: PassText) -> &'a TextReadings {
        match text {
            PassText::Prompt => self.prompt,
            PassText::Negative => self.negative,
        }
    }
}

/// The largest latent, in pixels, whose passes are made together: weights are then read once for all of them, and that is
/// what takes time where there is little else to be computed.
const LARGEST_TOGETHER: usize = 32 * 32;

/// Passes of a step that go through the U-Net together, on the CPU: those with the same text.
fn made_together(passes: Vec<Pass>, latent: &Tensor) -> Vec<Vec<Pass>> {
    let pixels: usize = latent.dims()[2..].iter().product();
    let alike = passes.windows(2).all(|pair| pair[0].text == pair[1].text);
    if latent.device().is_cpu() && pixels <= LARGEST_TOGETHER && alike && passes.len() > 1 {
        return vec![passes];
    }
    passes.into_iter().map(|pass| vec![pass]).collect()
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
