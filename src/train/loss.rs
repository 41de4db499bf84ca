//! What a denoising network is trained to predict, and how far off it is.

use candle_core::Tensor;

use crate::diffusion::{NoiseLevel, PredictionType};
use crate::error::Result;

/// What the network should answer for noisy latents `(batch, channels, height, width)`: one level for each picture.
pub fn target(
    prediction: PredictionType,
    clean: &Tensor,
    noise: &Tensor,
    levels: &[NoiseLevel],
) -> Result<Tensor> {
    match prediction {
        PredictionType::Epsilon => Ok(noise.clone()),
        PredictionType::Sample => Ok(clean.clone()),
        PredictionType::Velocity => {
            let alphas = per_picture(levels.iter().map(|level| level.alpha), clean)?;
            let sigmas = per_picture(levels.iter().map(|level| level.sigma), clean)?;
            Ok((noise.broadcast_mul(&alphas)? - clean.broadcast_mul(&sigmas)?)?)
        }
    }
}

/// Latents with noise, `alpha·clean + sigma·noise`.
pub fn noisy(clean: &Tensor, noise: &Tensor, levels: &[NoiseLevel]) -> Result<Tensor> {
    let alphas = per_picture(levels.iter().map(|level| level.alpha), clean)?;
    let sigmas = per_picture(levels.iter().map(|level| level.sigma), clean)?;
    Ok((clean.broadcast_mul(&alphas)? + noise.broadcast_mul(&sigmas)?)?)
}

/// The mean squared error of each picture, `(batch)`.
pub fn errors(output: &Tensor, target: &Tensor) -> Result<Tensor> {
    Ok((output - target)?.sqr()?.flatten_from(1)?.mean(1)?)
}

/// How much each picture counts: 1, or with `min_snr` (γ, about 5) less where there is little noise
/// (Hang et al. 2023, <https://arxiv.org/abs/2303.09556>).
pub fn weights(prediction: PredictionType, levels: &[NoiseLevel], min_snr: Option<f64>) -> Vec<f64> {
    let weight = |level: &NoiseLevel| {
        let Some(gamma) = min_snr else { return 1.0 };
        let snr = level.ratio().powi(-2);
        let least = snr.min(gamma);
        match prediction {
            PredictionType::Sample => least,
            PredictionType::Epsilon => least / snr,
            PredictionType::Velocity => least / (snr + 1.0),
        }
    };
    levels.iter().map(weight).collect()
}

fn per_picture(values: impl Iterator<Item = f64>, like: &Tensor) -> Result<Tensor> {
    let values: Vec<f64> = values.collect();
    Ok(Tensor::from_vec(values, (like.dim(0)?, 1, 1, 1), like.device())?.to_dtype(like.dtype())?)
}
