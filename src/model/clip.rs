//! CLIP: pictures and texts in one space, where the cosine says how well they go together
//! (Radford et al. 2021, arXiv 2103.00020).

use std::path::Path;

use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::{Linear, Module, linear_no_bias};
use image::RgbImage;
use image::imageops::{self, FilterType};
use serde_json::{Value, json};

use super::colours::ColourStatistics;
use super::config::{ImageEncoderConfig, TextConfig};
use super::image_encoder::ImageEncoder;
use super::scaling::scaled;
use super::text::TextEncoder;
use super::tokenizer::Tokenizer;
use super::weights::{ModelFiles, NetworkFiles, Part, Preprocessor, TokenizerFiles};
use crate::error::{Error, Result};

/// The tensor that brings the text encoder's output into the common space.
const TEXT_PROJECTION: &str = "text_projection.weight";

/// The files of a CLIP model. Nothing but headers and configurations has been read.
#[derive(Debug, Clone)]
pub struct ClipFiles {
    image_encoder: NetworkFiles<ImageEncoderConfig>,
    text_encoder: NetworkFiles<TextConfig>,
    tokenizer: TokenizerFiles,
    colours: ColourStatistics,
}

impl ClipFiles {
    /// The CLIP of a Stable Diffusion model: its own image encoder, text encoder with `text_projection.weight`, and
    /// tokenizer. `None` where it lacks one of these.
    pub fn of_model(model: &ModelFiles) -> Option<Self> {
        model.text_encoder.shape(TEXT_PROJECTION)?;
        Some(Self {
            image_encoder: model.image_encoder.clone()?,
            text_encoder: model.text_encoder.clone(),
            tokenizer: model.tokenizer.clone(),
            colours: model.preprocessor.colours,
        })
    }

    /// Opens a `CLIPModel` folder as transformers writes it, or a folder with the subfolders `image_encoder`,
    /// `text_encoder` (with its projection) and `tokenizer`.
    ///
    /// # Errors
    /// Missing or malformed files; a text encoder without projection.
    pub fn open(folder: &Path) -> Result<Self> {
        let image_encoder = NetworkFiles::open(folder, Part::ImageEncoder)?;
        let text_encoder: NetworkFiles<TextConfig> = NetworkFiles::open(folder, Part::TextEncoder)?;
        if text_encoder.shape(TEXT_PROJECTION).is_none() {
            return Err(Error::weights(text_encoder.path(), format!("has no {TEXT_PROJECTION}")));
        }
        let subfolder = folder.join("tokenizer");
        let has_tokenizer = ["tokenizer.json", "vocab.json"].iter().any(|name| folder.join(name).is_file());
        let tokenizer = if subfolder.is_dir() {
            TokenizerFiles::Folder(subfolder)
        } else if has_tokenizer {
            TokenizerFiles::Folder(folder.to_path_buf())
        } else {
            TokenizerFiles::Clip { pad_with_exclamation: false }
        };
        let preprocessor = match Preprocessor::in_folder(&folder.join("feature_extractor"))? {
            Some(preprocessor) => Some(preprocessor),
            None => Preprocessor::in_folder(folder)?,
        };
        let colours = preprocessor.unwrap_or_default().colours;
        Ok(Self { image_encoder, text_encoder, tokenizer, colours })
    }

    /// What it is known by: hashes of its weights.
    pub fn fingerprint(&self) -> Value {
        json!({"image_encoder": self.image_encoder.fingerprint(), "text_encoder": self.text_encoder.fingerprint()})
    }
}

/// A loaded CLIP model, 32 bits.
#[derive(Debug)]
pub struct Clip {
    image_encoder: ImageEncoder,
    side: u32,
    colours: ColourStatistics,
    text_encoder: TextEncoder,
    text_projection: Linear,
    tokenizer: Tokenizer,
    device: Device,
}

impl Clip {
    /// Loads both encoders.
    ///
    /// # Errors
    /// Configurations that cannot be used, missing or mis-shaped tensors.
    pub fn load(files: &ClipFiles, device: &Device) -> Result<Self> {
        let (image_config, text_config) = (&files.image_encoder.config, &files.text_encoder.config);
        let (image_encoder, _) =
            files.image_encoder.build(DType::F32, device, &[], |vb| ImageEncoder::new(image_config, vb))?;
        let ((text_encoder, text_projection), _) =
            files.text_encoder.build(DType::F32, device, &[], |vb| {
                let projection = linear_no_bias(
                    text_config.encoder.hidden_size,
                    image_config.projection_dim,
                    vb.pp("text_projection"),
                )?;
                Ok((TextEncoder::new(text_config, None, vb)?, projection))
            })?;
        Ok(Self {
            image_encoder,
            side: image_config.image_size as u32,
            colours: files.colours,
            text_encoder,
            text_projection,
            tokenizer: Tokenizer::open(&files.tokenizer)?,
            device: device.clone(),
        })
    }

    /// The vector of a picture, of length 1. Its shorter side is scaled (bicubic) to what the network reads, the middle
    /// of the longer one is kept.
    pub fn image(&self, picture: &RgbImage) -> Result<Vec<f32>> {
        let pixels = self.colours.normalized(&self.cropped(picture), &self.device)?;
        unit(&self.image_encoder.forward(&pixels)?.i(0)?)
    }

    fn cropped(&self, picture: &RgbImage) -> RgbImage {
        let (width, height) = picture.dimensions();
        let shorter = f64::from(width.min(height).max(1));
        let longer = |side: u32| ((f64::from(side) * f64::from(self.side) / shorter) as u32).max(self.side);
        let (width, height) = (longer(width), longer(height));
        let resized = scaled(picture, width, height, FilterType::CatmullRom);
        let (left, top) = ((width - self.side) / 2, (height - self.side) / 2);
        imageops::crop_imm(&resized, left, top, self.side, self.side).to_image()
    }

    /// The vector of a text, of length 1. Of a text too long for one chunk (77 tokens) only the first chunk counts.
    ///
    /// # Errors
    /// A text that cannot be tokenized.
    pub fn text(&self, text: &str) -> Result<Vec<f32>> {
        let chunks = self.tokenizer.chunks(text)?;
        let Some(chunk) = chunks.first() else { return Err(Error::setting("text", "gives no tokens")) };
        let ids = Tensor::new(chunk.tokens.as_slice(), &self.device)?.unsqueeze(0)?;
        let hidden = self.text_encoder.forward(&ids, 1)?;
        let end = hidden.i((.., chunk.end))?.contiguous()?;
        unit(&self.text_projection.forward(&end)?.i(0)?)
    }
}

/// The cosine between two vectors of length 1.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// A vector, brought to length 1.
pub(super) fn unit(vector: &Tensor) -> Result<Vec<f32>> {
    let values = vector.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    Ok(values.into_iter().map(|value| value / length).collect())
}
