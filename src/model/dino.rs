//! DINO: pictures in a space in which the cosine says how alike their subjects are (Caron et al. 2021, arXiv 2104.14294).
//! Unlike CLIP's, it was not taught to overlook what subjects of one class differ in, so DreamBooth measures likeness by it.

use std::path::Path;

use candle_core::{DType, Device, IndexOp};
use image::RgbImage;
use image::imageops::FilterType;
use serde::Deserialize;
use serde_json::Value;

use super::clip::unit;
use super::colours::ColourStatistics;
use super::config::VisionTransformerConfig;
use super::load::in_file;
use super::scaling::scaled;
use super::vision_transformer::VisionTransformer;
use super::weights::{Part, PartFiles, read_preprocessor};
use crate::error::{Error, Result};

/// The files of a DINO model. Nothing but headers and configurations has been read.
#[derive(Debug, Clone)]
pub struct DinoFiles {
    files: PartFiles,
    colours: ColourStatistics,
    filter: FilterType,
}

/// How pictures are scaled, as Pillow numbers it.
#[derive(Deserialize)]
struct Scaling {
    #[serde(default = "bilinear")]
    resample: u8,
}

fn bilinear() -> u8 {
    2
}

impl DinoFiles {
    /// Opens a `ViTModel` folder as transformers writes it, with `preprocessor_config.json`.
    ///
    /// # Errors
    /// Missing or malformed files, another network.
    pub fn open(folder: &Path) -> Result<Self> {
        let files = PartFiles::open(folder, Part::VisionTransformer)?;
        let fail = |problem: String| Error::weights(folder, format!("preprocessor_config.json: {problem}"));
        let extractor = read_preprocessor(folder)?;
        let extractor =
            extractor.ok_or_else(|| fail("not found; it says how pictures are prepared".into()))?;
        let colours =
            ColourStatistics::new(Some(&extractor)).map_err(|problem| Error::weights(folder, problem))?;
        let scaling: Scaling = serde_json::from_value(extractor).map_err(|error| fail(error.to_string()))?;
        let filter = match scaling.resample {
            2 => FilterType::Triangle,
            3 => FilterType::CatmullRom,
            other => return Err(fail(format!("resample {other}; 2 (bilinear) and 3 (bicubic) are known"))),
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
        let config = VisionTransformerConfig::from_json(&files.config).map_err(in_file(files))?;
        let (network, _) = files.build(DType::F32, device, &[], |vb| VisionTransformer::new(&config, vb))?;
        let side = config.image_size as u32;
        Ok(Self { network, side, colours: *colours, filter: *filter, device: device.clone() })
    }

    /// The vector of a picture, of length 1. The picture is scaled to the square that the network reads.
    pub fn image(&self, picture: &RgbImage) -> Result<Vec<f32>> {
        let side = self.side;
        let pixels = self.colours.normalized(&scaled(picture, side, side, self.filter), &self.device)?;
        unit(&self.network.forward(&pixels)?.i(0)?)
    }
}
