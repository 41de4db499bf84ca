//! Sample sheets: what a subject encoder in training has come to.

use candle_core::DType;
use image::RgbImage;

use super::data::DataFolder;
use super::subject_encoder::SubjectEncoderJob;
use crate::diffusion::{Guidance, NoiseSource};
use crate::error::Result;
use crate::mask::Mask;
use crate::model::weights::SubjectEncoderFiles;
use crate::model::{LoadOptions, StableDiffusion};
use crate::picture::contact_sheet;
use crate::render::animator::{Animator, ClipInputs, ReferencePicture};
use crate::render::feature_store::FeatureCache;
use crate::render::interrupt::Interrupt;
use crate::render::networks::ControlUnit;
use crate::render::settings::RenderSettings;
use crate::render::texts::Texts;

/// Held-out subjects on a sheet.
const SUBJECTS: usize = 6;
/// Strengths of the encoder that are shown.
const BETAS: [f64; 3] = [0.0, 0.2, 1.0];

/// For some held-out subjects a line each: the reference, the truth, and what the model makes of the truth's pose and caption with
/// the encoder that `job.output` holds, at β 0, 0.2 and 1, without S-S-A. `side` is that of the pictures in pixels.
///
/// # Errors
/// Files that cannot be read, failures of the networks, [`crate::Error::Interrupted`].
pub fn sheet(
    job: &SubjectEncoderJob,
    data: &DataFolder,
    side: u32,
    interrupt: &Interrupt,
) -> Result<RgbImage> {
    let mut files = job.model.clone();
    let own = files.image_encoder.as_ref().map(|encoder| (encoder, files.feature_extractor.as_ref()));
    files.subject_encoder = Some(SubjectEncoderFiles::open(&job.output, &files.unet, own)?);
    let options = LoadOptions {
        device: job.device.clone(),
        dtype: DType::F32,
        loras: Vec::new(),
        textual_inversions: Vec::new(),
    };
    let model = StableDiffusion::load(&files, &options, |_, _| {})?;
    let controlnet = files.controlnet.as_ref().map(|part| model.load_controlnet(part)).transpose()?;
    let controls: Vec<ControlUnit> =
        controlnet.into_iter().map(|(network, _)| ControlUnit::new(network, 1.0)).collect();
    let mut cells = Vec::new();
    for subject in data.subjects.iter().rev().take(job.settings.held_out.min(SUBJECTS)) {
        let example = &data.examples[subject[subject.len() - 1]];
        let truth = example.read(side, side)?;
        let reference = data.examples[subject[0]].read(side, side)?;
        cells.extend([reference.image.clone(), truth.image]);
        for beta in BETAS {
            let settings = settings(job, side, &example.caption, beta);
            let picture = ReferencePicture {
                image: reference.image.clone(),
                mask: Some(Mask::from_image(&reference.mask)?),
                controls: vec![reference.control.clone(); controls.len()],
            };
            let texts = Texts::encode(&model, &settings)?;
            let (reference, noise) = (picture.encode(&model, &settings)?, NoiseSource::new(0));
            let inputs = ClipInputs { reference, texts, noise };
            let (cache, interrupt) = (FeatureCache::Recompute, interrupt.clone());
            let mut animator = Animator::new(&model, &controls, inputs, settings, cache, interrupt)?;
            let control = vec![truth.control.clone(); controls.len()];
            cells.push(animator.render(&control, &mut |_| {})?.image);
        }
    }
    Ok(contact_sheet(&cells, 2 + BETAS.len(), side))
}

/// As renders are by default, without S-S-A.
fn settings(job: &SubjectEncoderJob, side: u32, prompt: &str, beta: f64) -> RenderSettings {
    RenderSettings {
        prompt: prompt.to_owned(),
        guidance: Guidance::ClassifierFree { scale: job.defaults.guidance_scale },
        beta,
        reference_weight: 0.0,
        previous_weight: 0.0,
        ..RenderSettings::square(&job.defaults, side)
    }
}
