//! Regular pictures: what the model makes of the reference in words and with S-S-A, without a mask. They keep fine-tuning from
//! forgetting what the class looks like.

use std::path::Path;

use image::RgbImage;

use super::tune::{TuneEvent, TuneJob};
use crate::error::{Error, Result};
use crate::files::read_picture;
use crate::interrupt::Interrupt;
use crate::model::DeviceSettings;
use crate::outputs::{disk, write_png};
use crate::render::settings::RenderSettings;
use crate::render::weights::OpenWeights;

/// The regular pictures, from `folder` where they are there already.
///
/// # Errors
/// [`Error::Interrupted`]; failures of the networks; a picture in the folder that cannot be read.
pub fn pictures(
    job: &TuneJob,
    side: u32,
    folder: &Path,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(TuneEvent),
) -> Result<Vec<RgbImage>> {
    let count = job.settings.regular;
    let folder = folder.join(format!("regular-{}", fingerprint(job, side)));
    disk::create_folder(&folder).map_err(|error| Error::io(&folder, error))?;
    let device = DeviceSettings::in_32_bits(job.device.clone());
    let mut pipeline = None;
    let mut pictures = Vec::with_capacity(count);
    for index in 0..count {
        let path = folder.join(format!("{index:03}.png"));
        if !path.exists() {
            let pipeline = match &pipeline {
                Some(pipeline) => pipeline,
                None => pipeline.insert(OpenWeights::of_model(job.model.clone()).load(&device, &mut |_| {})?),
            };
            let inputs = job.still_inputs(index, false);
            let picture = pipeline.picture(inputs, settings(job, index, side), interrupt, &mut |_, _| {})?;
            write_png(&path, &picture)?;
        }
        let picture = read_picture(&path)?.into_rgb8();
        if picture.dimensions() != (side, side) {
            let problem = format!("{}×{}, {side}×{side} was expected", picture.width(), picture.height());
            return Err(Error::input(&path, problem));
        }
        pictures.push(picture);
        on_event(TuneEvent::Regular { done: index + 1, of: count });
    }
    Ok(pictures)
}

/// What the pictures depend on.
fn fingerprint(job: &TuneJob, side: u32) -> String {
    let model = &job.model;
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{:?}", settings(job, 0, side)).as_bytes());
    let parts =
        [Some(&*model.unet), Some(&model.vae), Some(&model.text_encoder), model.controlnet.as_deref()];
    parts.into_iter().flatten().for_each(|part| _ = hasher.update(part.fingerprint().as_bytes()));
    let subject = model.subject_encoder.as_ref().map(|subject| subject.fingerprint());
    hasher.update(subject.unwrap_or_default().as_bytes()).update(job.reference.image.as_raw());
    let controls = job.reference_controls.iter().chain(&job.controls);
    controls.for_each(|[control, _]| _ = hasher.update(control.as_raw()));
    hasher.finalize().to_hex()[..8].to_string()
}

fn settings(job: &TuneJob, index: usize, side: u32) -> RenderSettings {
    let settings = &job.settings;
    RenderSettings {
        prompt: settings.caption.clone().unwrap_or_else(|| settings.class_text()),
        seed: settings.seed.wrapping_add(index as u64),
        previous_weight: 0.0,
        ..RenderSettings::square(&job.defaults, side)
    }
}
