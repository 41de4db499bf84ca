//! U²-Net-p, whose published weights are inside the program: how likely it is that a pixel belongs to what a picture is
//! of. See Qin et al., "U²-Net: Going Deeper with Nested U-Structure for Salient Object Detection", 2020.

mod network;

use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use image::imageops::FilterType;
use image::{ImageBuffer, Luma, RgbImage, imageops};

use crate::detect::normalized::normalized;
use crate::error::Result;
use network::Network;

const WEIGHTS: &[u8] = include_bytes!("../../../../models/u2netp/u2netp.safetensors");
/// Pixels of a side of what the network sees.
const SIDE: u32 = 320;

/// A picture of probabilities.
pub type Probabilities = ImageBuffer<Luma<f32>, Vec<f32>>;

/// The network.
pub struct U2Net(Network);

impl U2Net {
    /// The network with its published weights, which are read once.
    ///
    /// # Errors
    /// Failures of memory.
    pub fn published() -> Result<&'static Self> {
        static NETWORK: OnceLock<U2Net> = OnceLock::new();
        if let Some(network) = NETWORK.get() {
            return Ok(network);
        }
        let network = Network::load(WEIGHTS)?;
        Ok(NETWORK.get_or_init(|| Self(network)))
    }

    /// 0 to 1 for each pixel: the mean of what is seen in the picture and in its mirror image.
    ///
    /// # Errors
    /// Failures of memory.
    pub fn look(&self, picture: &RgbImage) -> Result<Probabilities> {
        let small = imageops::resize(picture, SIDE, SIDE, FilterType::Lanczos3);
        let mirrored = imageops::flip_horizontal(&small);
        // One after the other: each takes a quarter of a gigabyte.
        let (mut mean, other) = (self.view(&small)?, imageops::flip_horizontal(&self.view(&mirrored)?));
        for (mean, other) in mean.pixels_mut().zip(other.pixels()) {
            mean[0] = (mean[0] + other[0]) / 2.0;
        }
        Ok(imageops::resize(&mean, picture.width(), picture.height(), FilterType::Triangle))
    }

    /// What the network sees in a picture of its own size.
    fn view(&self, picture: &RgbImage) -> Result<Probabilities> {
        let brightest = f32::from(picture.as_raw().iter().copied().max().unwrap_or(0).max(1));
        let side = SIDE as usize;
        let picture = Tensor::from_vec(normalized(picture, brightest), (1, 3, side, side), &Device::Cpu)?;
        Ok(stretched(&self.0.forward(&picture)?.flatten_all()?.to_vec1::<f32>()?))
    }
}

/// The map with its least value at 0 and its largest at 1, as its authors use it.
fn stretched(values: &[f32]) -> Probabilities {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = (most - least).max(f32::MIN_POSITIVE);
    Probabilities::from_fn(SIDE, SIDE, |x, y| Luma([(values[(y * SIDE + x) as usize] - least) / range]))
}
