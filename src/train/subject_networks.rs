//! The networks of a subject encoder's pre-training.

use candle_core::DType;
use candle_nn::VarBuilder;

use super::networks::{CaptionEncoder, Frozen};
use super::subject_encoder::SubjectEncoderJob;
use crate::error::{Error, Result};
use crate::model::subject_config::SubjectEncoderConfig;
use crate::model::subject_encoder::{SubjectEncoder, SubjectEyes, View};
use crate::model::text::TextEncoder;
use crate::model::unet::UNet;
use crate::model::weights::{Trained, Variables, build_new};

/// All networks of a training.
pub struct Networks {
    /// The denoising network, whose S-E-A trains.
    pub unet: UNet,
    /// Captions.
    pub texts: CaptionEncoder,
    /// What looks at the subject.
    pub eyes: SubjectEyes,
    /// The ResBlocks, which train.
    pub encoder: SubjectEncoder,
    /// Their configuration.
    pub encoder_config: SubjectEncoderConfig,
    /// What is frozen.
    pub frozen: Frozen,
}

impl Networks {
    /// The networks, and the variables of ResBlocks and S-E-A.
    pub fn load(job: &SubjectEncoderJob) -> Result<(Self, Variables, Variables)> {
        let (files, device, settings) = (&job.model, &job.device, &job.settings);
        let image_encoder = files.image_encoder.as_ref().ok_or_else(|| {
            let problem =
                "has no image encoder (a folder image_encoder) for the subject encoder to look with";
            Error::setting("model", problem)
        })?;
        let unet_config = &files.unet.config;
        let encoder_config = match &job.from {
            Some(from) => from.trainable()?.clone(),
            None => SubjectEncoderConfig {
                res_blocks: settings.res_blocks,
                ..SubjectEncoderConfig::for_networks(&image_encoder.config, unet_config.context_width(0)?)
            },
        };
        let make = |vb: VarBuilder| UNet::new(unet_config, vb);
        let unet_files = files.unet_with(job.from.as_ref());
        let (unet, attention) = unet_files.build_trained(device, Trained::SubjectAttention, make)?;
        let make = |vb: VarBuilder| SubjectEncoder::new(&encoder_config, vb);
        let (encoder, variables) = match &job.from {
            Some(from) => from.encoder.build_trained(device, Trained::Everything, make)?,
            None => build_new(settings.seed, device, make)?,
        };
        let make = |vb: VarBuilder| TextEncoder::new(&files.text_encoder.config, None, vb);
        let (text_encoder, _) = files.text_encoder.build(DType::F32, device, &[], make)?;
        let networks = Self {
            unet,
            texts: CaptionEncoder::new(files, text_encoder)?,
            eyes: SubjectEyes::load(
                image_encoder,
                files.preprocessor.colours,
                View::Layers(encoder_config.layers.clone()),
                device,
            )?,
            encoder,
            encoder_config,
            frozen: Frozen::load(files, settings.size, device)?,
        };
        Ok((networks, variables, attention))
    }
}
