//! How pictures are prepared for CLIP's image encoder.

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde::Deserialize;

use crate::error::Result;
use crate::frame::image_to_tensor;

/// Mean and standard deviation of each colour in the pictures that the network was trained on, 0 to 1.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ColourStatistics {
    #[serde(rename = "image_mean")]
    mean: [f32; 3],
    #[serde(rename = "image_std")]
    deviation: [f32; 3],
}

/// Those of OpenAI's and OpenCLIP's models.
impl Default for ColourStatistics {
    fn default() -> Self {
        Self {
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            deviation: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        }
    }
}

impl ColourStatistics {
    /// Whether colours can be divided by the deviation; what is wrong, in words, where they cannot.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        match self.deviation.iter().find(|deviation| **deviation <= 0.0) {
            Some(deviation) => Err(format!("image_std {deviation}; above 0 is allowed")),
            None => Ok(()),
        }
    }

    /// A picture as the network wants it, `(1, 3, height, width)`.
    pub fn normalized(&self, picture: &RgbImage, device: &Device) -> Result<Tensor> {
        let colour = |values: [f32; 3]| Tensor::new(&values, device)?.reshape((1, 3, 1, 1));
        let pixels = image_to_tensor(picture, device)?;
        Ok(pixels.broadcast_sub(&colour(self.mean)?)?.broadcast_div(&colour(self.deviation)?)?)
    }
}
