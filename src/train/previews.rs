//! Preview sheets: what a tuned subject has come to, so that training too long is seen early.

use image::RgbImage;

use super::tune::TuneJob;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::DeviceSettings;
use crate::model::weights::SubjectFile;
use crate::picture::contact_sheet;
use crate::render::settings::RenderSettings;
use crate::render::weights::OpenWeights;

/// Poses on a sheet.
const POSES: usize = 5;

/// The reference, and what the model makes of the subject's word in some poses: above as a render does, below without S-S-A.
/// The pictures below show what the word itself has learned. `side` is that of the pictures in pixels.
///
/// # Errors
/// Files that cannot be read, failures of the networks, [`crate::Error::Interrupted`].
pub fn sheet(job: &TuneJob, subject: SubjectFile, side: u32, interrupt: &Interrupt) -> Result<RgbImage> {
    let weights = OpenWeights::of_model(job.model.clone()).with_subject(subject)?;
    let pipeline = weights.load(&DeviceSettings::in_32_bits(job.device.clone()), &mut |_| {})?;
    let poses = job.controls.len().clamp(1, POSES);
    let mut cells = Vec::new();
    for reference_weight in [job.defaults.reference_weight, 0.0] {
        cells.push(job.reference.image.clone());
        for pose in 0..poses {
            let inputs = job.still_inputs(pose * job.controls.len() / poses, true);
            let settings = RenderSettings {
                prompt: job.settings.subject_text(),
                seed: job.settings.seed,
                reference_weight,
                previous_weight: 0.0,
                ..RenderSettings::square(&job.defaults, side)
            };
            cells.push(pipeline.picture(inputs, settings, interrupt, &mut |_, _| {})?);
        }
    }
    Ok(contact_sheet(&cells, 1 + poses, side))
}
