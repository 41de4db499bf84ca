//! DreamTuner's subject encoder: who a picture shows, as tokens that a U-Net's subject-encoder-attention (S-E-A) reads.
//!
//! Features of several layers of CLIP's image encoder, concatenated in channels, pass ResBlocks that bring them to the width of
//! the text context (DreamTuner, section 3.2). The layer norm at the end, which the paper does not speak of, brings the tokens to
//! the scale of a text's.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use image::RgbImage;
use image::imageops::FilterType;

use super::blocks::{ResnetBlock, ResnetSettings};
use super::colours::ColourStatistics;
use super::config::ImageEncoderConfig;
use super::image_encoder::ImageEncoder;
use super::ip_adapter::ImageProjection;
use super::scaling::scaled;
use super::subject_config::{SubjectConfig, SubjectEncoderConfig};
use super::weights::{LoadReport, NetworkFiles, SubjectEncoderFiles};
use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::picture::cut_out;
use dreamtuner_kernels::{LayerNorm, Passes};

/// The ResBlocks: what is trained of the encoder.
#[derive(Debug)]
pub struct SubjectEncoder {
    blocks: Vec<ResnetBlock>,
    norm: LayerNorm,
}

impl SubjectEncoder {
    /// Builds the network that `config` describes with the weights under `vb`.
    pub fn new(config: &SubjectEncoderConfig, vb: VarBuilder) -> candle_core::Result<Self> {
        let settings = ResnetSettings {
            groups: config.norm_num_groups,
            epsilon: 1e-5,
            time_width: None,
            passes: Passes::Few,
        };
        let block = |index: usize| {
            let inputs =
                if index == 0 { config.layers.len() * config.image_width } else { config.context_width };
            ResnetBlock::new(inputs, config.context_width, settings, vb.pp(format!("blocks.{index}")))
        };
        Ok(Self {
            blocks: (0..config.res_blocks).map(block).collect::<candle_core::Result<_>>()?,
            norm: LayerNorm::new(config.context_width, 1e-5, vb.pp("norm"))?,
        })
    }

    /// Tokens `(batch, patches, context width)` of features `(batch, patches, width)`, one tensor for each layer, of a square grid
    /// of patches.
    pub fn forward(&self, features: &[Tensor]) -> candle_core::Result<Tensor> {
        let features = Tensor::cat(features, 2)?;
        let (batch, patches, channels) = features.dims3()?;
        let side = patches.isqrt();
        let mut hidden = features.transpose(1, 2)?.contiguous()?.reshape((batch, channels, side, side))?;
        for block in &self.blocks {
            hidden = block.forward(&hidden, None)?;
        }
        self.norm.forward(&hidden.flatten_from(2)?.transpose(1, 2)?.contiguous()?)
    }
}

/// CLIP's image encoder and the preparation of pictures for it: what is frozen of the encoder.
#[derive(Debug)]
pub struct SubjectEyes {
    image_encoder: ImageEncoder,
    side: u32,
    colours: ColourStatistics,
    view: View,
    device: Device,
}

/// What of the image encoder is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// The patches as some layers see them.
    Layers(Vec<usize>),
    /// The vector of the whole picture.
    Whole,
    /// All tokens as the last layer but one sees them.
    Penultimate,
}

impl SubjectEyes {
    /// Loads the image encoder, of which `view` is looked at.
    ///
    /// # Errors
    /// A configuration that cannot be used, missing or mis-shaped tensors, layers that there are not.
    pub fn load(
        files: &NetworkFiles<ImageEncoderConfig>,
        colours: ColourStatistics,
        view: View,
        device: &Device,
    ) -> Result<Self> {
        let config = &files.config;
        let depth = config.encoder.num_hidden_layers;
        if let View::Layers(layers) = &view
            && let Some(layer) = layers.iter().find(|layer| **layer > depth)
        {
            let problem = format!("has {depth} layers, the subject encoder looks at layer {layer}");
            return Err(Error::weights(files.path(), problem));
        }
        let (image_encoder, _) = files.build(DType::F32, device, &[], |vb| ImageEncoder::new(config, vb))?;
        let side = config.image_size as u32;
        Ok(Self { image_encoder, side, colours, view, device: device.clone() })
    }

    /// Side in pixels of the pictures that it looks at.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Features of pictures, of any size but square: for each layer `(pictures, patches, width)`, or one tensor for other views.
    pub fn look(&self, pictures: &[RgbImage]) -> Result<Vec<Tensor>> {
        let pixels = pictures.iter().map(|picture| {
            let scaled = scaled(picture, self.side, self.side, FilterType::CatmullRom);
            self.colours.normalized(&scaled, &self.device)
        });
        let pixels = Tensor::cat(&pixels.collect::<Result<Vec<_>>>()?, 0)?;
        Ok(match &self.view {
            View::Layers(layers) => self.image_encoder.hidden_states(&pixels, layers)?,
            View::Whole => vec![self.image_encoder.forward(&pixels)?],
            View::Penultimate => vec![self.image_encoder.penultimate(&pixels)?],
        })
    }
}

/// The whole encoder, loaded: from a picture to tokens.
#[derive(Debug)]
pub struct SubjectReader {
    eyes: SubjectEyes,
    encoder: Encoder,
}

#[derive(Debug)]
enum Encoder {
    Own(SubjectEncoder),
    IpAdapter(ImageProjection),
}

impl SubjectReader {
    /// Loads the encoder.
    ///
    /// # Errors
    /// Those of [`SubjectEyes::load`], and ResBlocks that do not fit their configuration.
    pub fn load(files: &SubjectEncoderFiles, device: &Device) -> Result<(Self, LoadReport)> {
        let view = match &files.encoder.config {
            SubjectConfig::Own(config) => View::Layers(config.layers.clone()),
            SubjectConfig::IpAdapter(config) if config.layers == 0 => View::Whole,
            SubjectConfig::IpAdapter(_) => View::Penultimate,
        };
        let eyes = SubjectEyes::load(&files.image_encoder, files.preprocessor.colours, view, device)?;
        let make = |vb: VarBuilder| match &files.encoder.config {
            SubjectConfig::Own(config) => SubjectEncoder::new(config, vb).map(Encoder::Own),
            SubjectConfig::IpAdapter(config) => ImageProjection::new(config, vb).map(Encoder::IpAdapter),
        };
        let (encoder, report) = files.encoder.build(DType::F32, device, &[], make)?;
        Ok((Self { eyes, encoder }, report))
    }

    /// Tokens `(1, tokens, context width)` of the subject of a picture, 32 bits.
    ///
    /// # Errors
    /// A mask without a subject.
    pub fn read(&self, image: &RgbImage, mask: Option<&Mask>) -> Result<Tensor> {
        let whole = Mask::whole(image.height() as usize, image.width() as usize);
        let picture = cut_out(image, mask.unwrap_or(&whole))?;
        let features = self.eyes.look(&[picture])?;
        Ok(match &self.encoder {
            Encoder::Own(encoder) => encoder.forward(&features)?,
            Encoder::IpAdapter(projection) => projection.forward(&features[0])?,
        })
    }
}
