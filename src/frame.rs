//! A picture with its presentation time, and the one conversion between pixels and tensors.

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use crate::error::{Error, Result};

/// Longest side in pixels of any picture that is read or written.
pub const MAX_SIDE: u32 = 8192;

/// One picture of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The picture, 8 bits a channel, sRGB.
    pub image: RgbImage,
    /// Presentation time in seconds from the start of the clip.
    pub time: f64,
}

/// The picture as a tensor `(1, 3, height, width)`, 32-bit floats in [0, 1].
pub fn image_to_tensor(image: &RgbImage, device: &Device) -> Result<Tensor> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let bytes = Tensor::from_slice(image.as_raw(), (height, width, 3), device)?;
    let unit = (bytes.to_dtype(DType::F32)? / 255.0)?;
    Ok(unit.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()?)
}

/// The tensor `(1, 3, height, width)` with values in [0, 1] as a picture. Values outside are clamped,
/// the rest rounded to the nearest of 256 steps.
///
/// # Errors
/// A tensor of another shape, or one that holds NaN or infinity: a model that overflows must not pass for a black frame.
pub fn tensor_to_image(tensor: &Tensor) -> Result<RgbImage> {
    let (batch, channels, height, width) = tensor.dims4()?;
    if (batch, channels) != (1, 3) {
        let problem = format!("not one picture of three channels: {:?}", tensor.dims());
        return Err(Error::Compute(candle_core::Error::Msg(problem)));
    }
    let values: Vec<f32> =
        tensor.squeeze(0)?.permute((1, 2, 0))?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        let problem = format!("the decoder gave {value}: numbers overflowed (in 16 bits, 32 bits help)");
        return Err(Error::Compute(candle_core::Error::Msg(problem)));
    }
    let bytes = values.iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    RgbImage::from_raw(width as u32, height as u32, bytes)
        .ok_or_else(|| Error::Compute(candle_core::Error::Msg(format!("not a picture: {height}×{width}"))))
}
