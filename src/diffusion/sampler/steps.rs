//! Which time steps each sampler visits, as its scheduler in diffusers 0.42 lists them.

use super::Sampler;
use crate::diffusion::schedule::in_range;
use crate::diffusion::{BetaSchedule, NoiseLevel, Schedule, Step, TimestepSpacing};
use crate::error::{Error, Result};

/// Exponent of the noise levels of Karras et al. 2022, equation 5.
const KARRAS_RHO: f64 = 7.0;

/// How the time steps of a sampler are chosen.
#[derive(Debug, Clone, Copy)]
pub(super) enum StepList {
    /// Whole time steps, as DDIM's.
    Spaced,
    /// As Euler's samplers: fractions of time steps are allowed.
    Euler,
    /// As the multistep solvers'.
    Multistep,
    /// By the noise levels of Karras et al. 2022.
    Karras,
    /// Some of the steps that a consistency model was distilled for.
    Consistency,
}

/// See [`Sampler::steps`].
pub(super) fn list_steps(sampler: Sampler, schedule: &Schedule, count: usize) -> Result<Vec<Step>> {
    let config = schedule.config();
    let train = config.num_train_timesteps;
    let list = sampler.step_list();
    let most = match list {
        StepList::Consistency => {
            in_range("original_inference_steps", config.original_inference_steps, 1, train)?;
            config.original_inference_steps
        }
        _ => train,
    };
    if !(1..=most).contains(&count) {
        return Err(Error::setting("steps", format!("found {count}; allowed 1 to {most} ({sampler})")));
    }
    let spacing = sampler.spacing(schedule);
    let timed_levels: Vec<(f64, NoiseLevel)> = match list {
        StepList::Spaced => with_levels(spaced(schedule, spacing, count), |t| schedule.level(t)),
        StepList::Euler => {
            with_levels(euler_timesteps(schedule, spacing, count), |t| schedule.finite_level(t))
        }
        StepList::Multistep => {
            with_levels(multistep_timesteps(schedule, spacing, count), |t| schedule.finite_level(t))
        }
        StepList::Karras => karras_levels(schedule, count),
        StepList::Consistency => with_levels(lcm_timesteps(schedule, count), |t| schedule.level(t)),
    };
    let last = schedule.last_timestep() as f64;
    let descending = timed_levels.is_sorted_by(|(_, noisier), (_, cleaner)| noisier.alpha < cleaner.alpha);
    if !descending || timed_levels.iter().any(|(timestep, _)| !(0.0..=last).contains(timestep)) {
        let problem = format!(
            "{count} steps of {sampler} with this timestep_spacing and steps_offset {} coincide or leave the \
             schedule's time steps, 0 to {last}; take fewer",
            config.steps_offset
        );
        return Err(Error::setting("steps", problem));
    }
    let step = |(index, (timestep, level)): (usize, (f64, NoiseLevel))| Step {
        index,
        count,
        timestep,
        alpha: level.alpha,
        sigma: level.sigma,
    };
    Ok(timed_levels.into_iter().enumerate().map(step).collect())
}

fn with_levels(timesteps: Vec<f64>, level: impl Fn(f64) -> NoiseLevel) -> Vec<(f64, NoiseLevel)> {
    timesteps.into_iter().map(|timestep| (timestep, level(timestep))).collect()
}

/// DDIM: whole time steps.
fn spaced(schedule: &Schedule, spacing: TimestepSpacing, count: usize) -> Vec<f64> {
    let train = schedule.config().num_train_timesteps;
    match spacing {
        TimestepSpacing::Leading => leading(train / count, schedule.config().steps_offset, 0..count),
        TimestepSpacing::Trailing => trailing(train, count),
        TimestepSpacing::Linspace => linspace(train, count).map(f64::round_ties_even).rev().collect(),
    }
}

/// The Euler samplers: as DDIM, but linspace keeps fractions (in single precision, as diffusers stores them).
fn euler_timesteps(schedule: &Schedule, spacing: TimestepSpacing, count: usize) -> Vec<f64> {
    match spacing {
        TimestepSpacing::Linspace => {
            let train = schedule.config().num_train_timesteps;
            linspace(train, count).map(|timestep| f64::from(timestep as f32)).rev().collect()
        }
        _ => spaced(schedule, spacing, count),
    }
}

/// DPM++ and UniPC: the interval is cut in `count` parts, whose lower end (time step 0) is not visited.
fn multistep_timesteps(schedule: &Schedule, spacing: TimestepSpacing, count: usize) -> Vec<f64> {
    let train = schedule.config().num_train_timesteps;
    match spacing {
        TimestepSpacing::Leading => {
            leading(train / (count + 1), schedule.config().steps_offset, 1..count + 1)
        }
        TimestepSpacing::Trailing => trailing(train, count),
        TimestepSpacing::Linspace => {
            linspace(train, count + 1).skip(1).map(f64::round_ties_even).rev().collect()
        }
    }
}

/// LCM: evenly spaced positions in the schedule of `original_inference_steps` it was distilled on.
fn lcm_timesteps(schedule: &Schedule, count: usize) -> Vec<f64> {
    let original = schedule.config().original_inference_steps;
    let stride = schedule.config().num_train_timesteps / original;
    let skip = original as f64 / count as f64;
    let timestep = |index: usize| {
        let position = (index as f64 * skip).floor() as usize;
        (original.saturating_sub(position) * stride) as f64 - 1.0
    };
    (0..count).map(timestep).collect()
}

fn leading(stride: usize, offset: usize, multiples: std::ops::Range<usize>) -> Vec<f64> {
    multiples.rev().map(|multiple| (multiple * stride + offset) as f64).collect()
}

/// `np.arange(train, 0, −train/count).round() − 1`, whose rounding of halves hangs on how numpy fills it. For some
/// counts (61, 103…) numpy's has one element too many, −1, which is left out here.
fn trailing(train: usize, count: usize) -> Vec<f64> {
    let train = train as f64;
    let stride = (train - train / count as f64) - train;
    (0..count).map(|index| (train + index as f64 * stride).round_ties_even() - 1.0).collect()
}

/// `np.linspace(0, train − 1, count)`.
fn linspace(train: usize, count: usize) -> impl DoubleEndedIterator<Item = f64> + ExactSizeIterator {
    let last = train.saturating_sub(1) as f64;
    let stride = last / count.saturating_sub(1).max(1) as f64;
    (0..count).map(move |index| if index > 0 && index + 1 == count { last } else { index as f64 * stride })
}

/// DPM++ on the noise levels of Karras et al. 2022, from the schedule's noisiest to its cleanest.
fn karras_levels(schedule: &Schedule, count: usize) -> Vec<(f64, NoiseLevel)> {
    let ratios: Vec<f64> = (0..=schedule.last_timestep())
        .map(|timestep| schedule.finite_level(timestep as f64).ratio())
        .collect();
    let (Some(&least), Some(&most)) = (ratios.first(), ratios.last()) else { return Vec::new() };
    let (low, high) = (least.powf(KARRAS_RHO.recip()), most.powf(KARRAS_RHO.recip()));
    let level = |index: usize| {
        let position = index as f64 / count.saturating_sub(1).max(1) as f64;
        let ratio = (high + position * (low - high)).powf(KARRAS_RHO);
        let timestep = timestep_of(ratio, &ratios);
        let whole = match schedule.config().beta_schedule {
            // diffusers truncates here; single precision puts the ends just below whole numbers.
            BetaSchedule::SquaredCosine => (timestep - 1e-6).floor().max(0.0),
            _ => timestep.round_ties_even(),
        };
        (whole, NoiseLevel::from_ratio(ratio))
    };
    (0..count).map(level).collect()
}

/// The fractional time step at which `sigma / alpha` is `ratio`, linear in its logarithm between whole ones.
fn timestep_of(ratio: f64, ratios: &[f64]) -> f64 {
    let above =
        ratios.partition_point(|&known| known <= ratio).clamp(1, ratios.len().saturating_sub(1).max(1));
    let (Some(low), Some(high)) = (ratios.get(above - 1), ratios.get(above)) else { return 0.0 };
    let weight = ((ratio.ln() - low.ln()) / (high.ln() - low.ln())).clamp(0.0, 1.0);
    (above - 1) as f64 + weight
}
