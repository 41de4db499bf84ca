//! DINO: pictures in a space in which the cosine says how alike their subjects are (Caron et al. 2021, arXiv 2104.14294).
//! Unlike CLIP's, it was not taught to overlook what subjects of one class differ in, so DreamBooth measures likeness by it.

use std::path::Path;

use candle_core::{DType, Device, IndexOp};
use candle_nn::VarBuilder;
use image::RgbImage;
use image::imageops::FilterType;
use serde_json::Value;

use super::clip::unit;
use super::colours::ColourStatistics;
use super::config::VisionTransformerConfig;
use super::scaling::scaled;
use super::vision_transformer::VisionTransformer;
use super::weights::{NetworkFiles, Part, Preprocessor};
use crate::error::{Error, Result};

/// The files of a DINO model. Nothing but headers and configurations has been read.
#[derive(Debug, Clone)]
pub struct DinoFiles {
    files: NetworkFiles<VisionTransformerConfig>,
    colours: ColourStatistics,
    filter: FilterType,
}

impl DinoFiles {
    /// Opens a `ViTModel` folder as transformers writes it, with `preprocessor_config.json`.
    ///
    /// # Errors
    /// Missing or malformed files, another network.
    pub fn open(folder: &Path) -> Result<Self> {
        let files = NetworkFiles::open(folder, Part::VisionTransformer)?;
        let fail = |problem: String| Error::weights(folder, format!("preprocessor_config.json: {problem}"));
        let Preprocessor { colours, resample, .. } = Preprocessor::in_folder(folder)?
            .ok_or_else(|| fail("not found; it says how pictures are prepared".into()))?;
        let filter = match resample {
            None | Some(2) => FilterType::Triangle,
            Some(3) => FilterType::CatmullRom,
            Some(other) => {
                return Err(fail(format!("resample {other}; 2 (bilinear) and 3 (bicubic) are known")));
            }
        };
        Ok(Self { files, colours, filter })
    }

    /// What it is known by: a hash of its weights.
    pub fn fingerprint(&self) -> Value {
        self.files.fingerprint().into()
    }
}

/// A loaded DINO model, 32 bits.
#[derive(Debug)]
pub struct Dino {
    network: VisionTransformer,
    side: u32,
    colours: ColourStatistics,
    filter: FilterType,
    device: Device,
}

impl Dino {
    /// Loads the network.
    ///
    /// # Errors
    /// A configuration that cannot be used, missing or mis-shaped tensors.
    pub fn load(files: &DinoFiles, device: &Device) -> Result<Self> {
        let DinoFiles { files, colours, filter } = files;
        let make = |vb: VarBuilder| VisionTransformer::new(&files.config, vb);
        let (network, _) = files.build(DType::F32, device, &[], make)?;
        let side = files.config.image_size as u32;
        Ok(Self { network, side, colours: *colours, filter: *filter, device: device.clone() })
    }

    /// The vector of a picture, of length 1. The picture is scaled to the square that the network reads.
    pub fn image(&self, picture: &RgbImage) -> Result<Vec<f32>> {
        let side = self.side;
        let pixels = self.colours.normalized(&scaled(picture, side, side, self.filter), &self.device)?;
        unit(&self.network.forward(&pixels)?.i(0)?)
    }
}
