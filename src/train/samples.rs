//! Sample sheets: what a subject encoder in training has come to.

use image::RgbImage;

use super::data::DataFolder;
use super::subject_encoder::SubjectEncoderJob;
use crate::diffusion::Guidance;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::mask::Mask;
use crate::model::DeviceSettings;
use crate::picture::contact_sheet;
use crate::render::animator::ReferencePicture;
use crate::render::settings::RenderSettings;
use crate::render::still::StillInputs;
use crate::render::weights::OpenWeights;

/// Held-out subjects on a sheet.
const SUBJECTS: usize = 6;
/// Strengths of the encoder that are shown.
const BETAS: [f64; 3] = [0.0, 0.2, 1.0];

/// For some held-out subjects a line each: the reference, the truth, and what the model makes of the truth's pose and caption.
/// It does so with the encoder that `job.output` holds, at β 0, 0.2 and 1, without S-S-A.
/// `side` is that of the pictures in pixels.
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
    files.subject_encoder = Some(files.open_subject_encoder(&job.output)?);
    let device = DeviceSettings::in_32_bits(job.device.clone());
    let pipeline = OpenWeights::of_model(files).load(&device, &mut |_| {})?;
    let mut cells = Vec::new();
    for subject in data.subjects.iter().rev().take(job.settings.held_out.min(SUBJECTS)) {
        let example = &data.examples[subject[subject.len() - 1]];
        let truth = example.read(side, side)?;
        let reference = data.examples[subject[0]].read(side, side)?;
        cells.extend([reference.image.clone(), truth.image]);
        for beta in BETAS {
            let for_each =
                |control: &Option<RgbImage>| pipeline.controls.iter().map(|_| control.clone()).collect();
            let inputs = StillInputs {
                reference: ReferencePicture {
                    image: reference.image.clone(),
                    mask: Some(Mask::from_image(&reference.mask)?),
                    controls: for_each(&reference.control),
                },
                controls: for_each(&truth.control),
                init: None,
                draft: None,
            };
            let settings = settings(job, side, &example.caption, beta);
            cells.push(pipeline.picture(inputs, settings, interrupt, &mut |_, _| {})?);
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
