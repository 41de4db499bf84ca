//! Regular pictures: what the model makes of the reference in words and with S-S-A, without a mask. They keep fine-tuning from
//! forgetting what the class looks like.

use std::path::Path;

use candle_core::DType;
use image::RgbImage;

use super::tune::{Event, TuneJob};
use crate::diffusion::NoiseSource;
use crate::error::{Error, Result};
use crate::files::write_png;
use crate::model::{LoadOptions, StableDiffusion};
use crate::render::animator::{Animator, ClipInputs, ReferencePicture};
use crate::render::feature_store::FeatureCache;
use crate::render::interrupt::Interrupt;
use crate::render::networks::ControlUnit;
use crate::render::settings::RenderSettings;
use crate::render::texts::Texts;

/// The regular pictures, from `folder` where they are there already.
///
/// # Errors
/// [`Error::Interrupted`]; failures of the networks; a picture in the folder that cannot be read.
pub fn pictures(
    job: &TuneJob,
    side: u32,
    folder: &Path,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(Event),
) -> Result<Vec<RgbImage>> {
    let count = job.settings.regular;
    let folder = folder.join(format!("regular-{}", fingerprint(job, side)));
    std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
    let mut studio = None;
    let mut pictures = Vec::with_capacity(count);
    for index in 0..count {
        let path = folder.join(format!("{index:03}.png"));
        if !path.exists() {
            let (model, controls) = match &studio {
                Some(studio) => studio,
                None => studio.insert(load(job)?),
            };
            let control = job.controls.get(index % job.controls.len().max(1)).map(|[control, _]| control);
            let picture = picture(job, model, controls, index, side, control, interrupt)?;
            write_png(&path, &picture)?;
        }
        let picture = image::open(&path).map_err(|error| Error::input(&path, error.to_string()))?.to_rgb8();
        if picture.dimensions() != (side, side) {
            let problem = format!("{}×{}, {side}×{side} was expected", picture.width(), picture.height());
            return Err(Error::input(&path, problem));
        }
        pictures.push(picture);
        on_event(Event::Regular { done: index + 1, of: count });
    }
    Ok(pictures)
}

/// What the pictures depend on.
fn fingerprint(job: &TuneJob, side: u32) -> String {
    let model = &job.model;
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{:?}", settings(job, 0, side)).as_bytes());
    let parts = [Some(&model.unet), Some(&model.vae), Some(&model.text_encoder), model.controlnet.as_ref()];
    parts.into_iter().flatten().for_each(|part| _ = hasher.update(part.fingerprint().as_bytes()));
    let subject = model.subject_encoder.as_ref().map(|subject| subject.fingerprint());
    hasher.update(subject.unwrap_or_default().as_bytes()).update(job.reference.image.as_raw());
    let controls = job.reference_controls.iter().chain(&job.controls);
    controls.for_each(|[control, _]| _ = hasher.update(control.as_raw()));
    hasher.finalize().to_hex()[..8].to_string()
}

fn load(job: &TuneJob) -> Result<(StableDiffusion, Vec<ControlUnit>)> {
    let options = LoadOptions {
        device: job.device.clone(),
        dtype: DType::F32,
        loras: Vec::new(),
        textual_inversions: Vec::new(),
    };
    let model = StableDiffusion::load(&job.model, &options, |_, _| {})?;
    let controlnet = job.model.controlnet.as_ref().map(|part| model.load_controlnet(part)).transpose()?;
    let controls = controlnet.into_iter().map(|(network, _)| ControlUnit::new(network, 1.0)).collect();
    Ok((model, controls))
}

fn picture(
    job: &TuneJob,
    model: &StableDiffusion,
    controls: &[ControlUnit],
    index: usize,
    side: u32,
    control: Option<&RgbImage>,
    interrupt: &Interrupt,
) -> Result<RgbImage> {
    let settings = settings(job, index, side);
    let own = job.reference_controls.as_ref().map(|[control, _]| control.clone());
    let reference = ReferencePicture {
        image: job.reference.image.clone(),
        mask: None,
        controls: vec![own; controls.len()],
    };
    let noise = NoiseSource::new(settings.seed);
    let texts = Texts::encode(model, &settings)?;
    let inputs = ClipInputs { reference: reference.encode(model, &settings)?, texts, noise };
    let (cache, interrupt) = (FeatureCache::Recompute, interrupt.clone());
    let mut animator = Animator::new(model, controls, inputs, settings, cache, interrupt)?;
    let shown = vec![control.cloned(); controls.len()];
    Ok(animator.render(&shown, &mut |_| {})?.image)
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
