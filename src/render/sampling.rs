//! How the frames of a clip are sampled: its steps, its noise, and the passes of each step, planned once at its beginning.

use candle_core::{DType, Device, Tensor};

use crate::diffusion::{
    Denoiser, Guidance, GuidanceInterval, NoiseSource, Pass, Purpose, ReferenceNoise, Sampler, Schedule,
    Step, sample, sample_from,
};
use crate::error::{Error, Result};
use crate::render::settings::RenderSettings;

/// A picture to begin from in place of noise (Meng et al. 2022, SDEdit; diffusers' image-to-image pipeline).
#[derive(Debug, Clone)]
pub struct InitialLatent {
    /// Its latent, `(1, channels, height, width)`.
    pub latent: Tensor,
    /// How much of it may change, 0 to 1, as [`SamplingPlan::new`] says.
    pub strength: f64,
}

/// What every frame of a clip is sampled by. All randomness is drawn once a clip.
#[derive(Debug)]
pub struct SamplingPlan {
    sampler: Sampler,
    schedule: Schedule,
    steps: Vec<Step>,
    guidance: Guidance,
    guidance_interval: GuidanceInterval,
    /// λ of each step, for interleaved guidance.
    lambdas: Vec<f64>,
    noise: NoiseSource,
    /// The noise that latents begin from, or that pictures are given to begin from.
    start: Tensor,
    /// Steps that are left out where frames begin from pictures; `None` where they begin from noise.
    skipped: Option<usize>,
}

impl SamplingPlan {
    /// Plans the sampling of latents of a `shape` `(1, channels, height, width)`, and draws λ and noise. With a `strength`, frames begin
    /// from pictures, of which so much may change, 0 to 1: so large a share of the steps is taken, from the picture's latent with as
    /// much noise as belongs to the first of them.
    ///
    /// # Errors
    /// Steps that the schedule does not have; noise files without λ or noise of this shape. A strength out of range or so small
    /// that no step is left.
    pub fn new(
        settings: &RenderSettings,
        schedule: Schedule,
        noise: NoiseSource,
        (shape, device): (&[usize], &Device),
        strength: Option<f64>,
    ) -> Result<Self> {
        let steps = settings.sampler.steps(&schedule, settings.steps)?;
        let lambdas = match settings.guidance {
            Guidance::ClassifierFree { .. } => vec![0.0; steps.len()],
            Guidance::Interleaved { .. } => noise.uniform(Purpose::Guidance, 0, steps.len())?,
        };
        let start = noise.normal(Purpose::Latent, 0, shape, DType::F32, device)?;
        let plan = Self {
            sampler: settings.sampler,
            schedule,
            steps,
            guidance: settings.guidance,
            guidance_interval: settings.guidance_interval,
            lambdas,
            noise,
            start,
            skipped: None,
        };
        match strength {
            Some(strength) => plan.beginning_later(strength),
            None => Ok(plan),
        }
    }

    fn beginning_later(mut self, strength: f64) -> Result<Self> {
        let count = self.steps.len();
        if !(0.0..=1.0).contains(&strength) {
            return Err(Error::setting("strength", format!("{strength}; 0 to 1 is allowed")));
        }
        let skipped = count - (count as f64 * strength) as usize;
        if skipped >= count {
            let least = 1.0 / count as f64;
            let problem = format!("{strength} leaves none of {count} steps; {least:.3} or more is needed");
            return Err(Error::setting("strength", problem));
        }
        self.steps.drain(..skipped);
        self.skipped = Some(skipped);
        Ok(self)
    }

    /// Steps that a frame takes.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// How many of a frame's steps are done after `step`.
    pub(super) fn done(&self, step: &Step) -> usize {
        step.index + 1 - self.skipped.unwrap_or(0)
    }

    /// The noise that sampling begins with.
    pub(super) fn start(&self) -> &Tensor {
        &self.start
    }

    /// The noise schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The time of references that carry `noise` in `step`.
    pub(super) fn reference_time(&self, noise: ReferenceNoise, step: &Step) -> f64 {
        self.guidance.reference_time(noise, step.timestep, self.schedule.last_timestep())
    }

    /// The passes of a step (Eq. 4-6), in groups that go through the U-Net together.
    pub(super) fn passes(&self, latent: &Tensor, step: &Step) -> Result<Vec<Vec<Pass>>> {
        let lambda = *self.lambdas.get(step.index).ok_or_else(|| {
            Error::setting("lambda", format!("{} values for {} steps", self.lambdas.len(), step.count))
        })?;
        let passes = match self.guidance_interval.contains(step) {
            true => self.guidance.passes(lambda),
            false => vec![self.guidance.unguided()],
        };
        Ok(made_together(passes, latent))
    }

    /// Samples the clean latent of a frame; from the latent of a picture, where the plan has a strength.
    ///
    /// # Errors
    /// Those of `denoiser`; no picture where one is needed, or one of another shape.
    pub fn sample(&self, picture: Option<&Tensor>, denoiser: &mut dyn Denoiser) -> Result<Tensor> {
        let Self { sampler, schedule, steps, noise, start, .. } = self;
        if self.skipped.is_none() {
            return sample(*sampler, schedule, steps, start, noise, denoiser);
        }
        let picture = picture.ok_or_else(|| Error::setting("init", "there is no picture to begin from"))?;
        let noised = steps[0].level().mix(&picture.to_dtype(DType::F32)?, start)?;
        sample_from(*sampler, schedule, steps, &noised, noise, denoiser)
    }
}

/// The largest latent, in pixels, whose passes are made together. Weights are then read once for all of them: reading is
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
