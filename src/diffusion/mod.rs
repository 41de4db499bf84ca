//! Diffusion: noise schedules, denoisers, samplers and the noise itself.
//!
//! Everything here works in variance-preserving coordinates, `latent = alpha·clean + sigma·noise` with
//! `alpha² + sigma² = 1`, on latents of shape `(batch, channels, height, width)`. Scalars are computed in `f64`
//! on the host; tensors keep their type.
//!
//! 1. [`Schedule`] (from `scheduler_config.json`) says how noisy each training time step is.
//! 2. [`Sampler::steps`] lists the [`Step`]s that a sampler will take, before it runs.
//! 3. [`NoiseSource`] gives the initial noise, keyed by (seed, purpose, step), or reads it from a file.
//! 4. [`Guidance`] says which passes through the network make one prediction.
//! 5. [`sample`] asks a [`Denoiser`] for one [`Prediction`] per step; [`PredictionType::interpret`] turns what
//!    the network says (noise, velocity or clean latent) into it.

mod arithmetic;
mod denoiser;
mod guidance;
mod guidance_interval;
mod kept_latent;
mod noise;
mod noise_level;
mod sampler;
mod schedule;

pub use denoiser::{Denoiser, Prediction, PredictionType, Step};
pub use guidance::{Guidance, Pass, PassText, ReferenceNoise};
pub use guidance_interval::GuidanceInterval;
pub use kept_latent::KeptLatent;
pub use noise::{NoiseSource, Purpose};
pub use noise_level::NoiseLevel;
pub use sampler::{Sampler, sample, sample_from};
pub use schedule::{BetaSchedule, Schedule, ScheduleConfig, TimestepSpacing};
