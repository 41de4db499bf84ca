//! Subject-driven fine-tuning, step by step.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use candle_core::Tensor;
use image::{Rgb, RgbImage, imageops};
use serde_json::json;

use super::adamw::{AdamW, AdamWSettings};
use super::curve::Curve;
use super::gradients;
use super::learner::Learner;
use super::networks::{Batch, BatchPicture, Frozen, Passed, References};
use super::previews;
use super::regular;
use super::state::{StateFile, check_finite, tensors_to_bytes};
use super::tune::{TuneEvent, TuneJob, beside, folder_beside, plan};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::mask::Mask;
use crate::model::weights::SubjectFile;
use crate::outputs::{Reservation, key_of, write_png, write_whole};
use crate::picture::{BLACK, WHITE, on_white};
use dreamtuner_kernels::in_pool;
use dreamtuner_random::Random;

/// Side of the largest latents that pass the networks as a pair.
const LARGEST_TOGETHER: usize = 32;
/// A reference that looks at itself is moved by at most this part of its side: further, feet leave the picture.
const FARTHEST: usize = 16;
/// Steps between two savings of the state.
const SAVED_EVERY: u64 = 50;

/// Tunes until all steps are done, going on from what lies beside `job.output`. Among the outputs that are `reserved` are the file
/// of the subject and, as a folder that is worked on again, [`folder_beside`] it.
///
/// # Errors
/// Outputs that would replace something; settings that cannot be used; a class that is no word of the vocabulary; a reference
/// without a foreground; [`crate::Error::Interrupted`]; a loss that is not finite, after which the last good state is kept.
pub fn tune(
    job: &TuneJob,
    reserved: &mut Reservation,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(TuneEvent),
) -> Result<()> {
    job.settings.check()?;
    let mut tuning = Tuning::new(job, reserved, interrupt, on_event)?;
    let settings = &job.settings;
    while tuning.optimizer.steps() < settings.steps {
        let done = tuning.optimizer.steps();
        let (loss, gradients) = in_pool(|| tuning.gradients(done))?;
        if settings.save_at.contains(&done) {
            let path = beside(&job.output, &format!("{done:06}.subject"));
            write_whole(&path, &tuning.subject(&path, done)?)?;
            tuning.preview(&path, done, interrupt)?;
        }
        if interrupt.requested() || done.is_multiple_of(SAVED_EVERY) {
            tuning.state.save(&tuning.optimizer, &tuning.curve)?;
        }
        interrupt.check()?;
        tuning.optimizer.step(&gradients, 1.0)?;
        tuning.curve.training.push((done + 1, loss));
        on_event(TuneEvent::Step { done: done + 1, of: settings.steps, loss });
    }
    let (loss, _) = in_pool(|| tuning.gradients(settings.steps))?;
    check_finite(loss, settings.learning_rate, settings.steps)?;
    tuning.state.save(&tuning.optimizer, &tuning.curve)?;
    tuning.curve.write(&folder_beside(&job.output))?;
    reserved.file(&job.output)?.write_bytes(&tuning.subject(&job.output, settings.steps)?)?;
    tuning.preview(&job.output, settings.steps, interrupt)
}

/// A tuning in progress.
struct Tuning<'a> {
    job: &'a TuneJob,
    learner: Learner,
    frozen: Frozen,
    optimizer: AdamW,
    curve: Curve,
    state: StateFile,
    reference: EncodedPicture,
    /// Where the subject is in the reference.
    masks: [Mask; 2],
    regular: Vec<EncodedPicture>,
}

/// A picture as one step sees it.
struct Drawn<'a> {
    latent: Tensor,
    control: Option<Cow<'a, RgbImage>>,
    text: String,
    timestep: f64,
    noise: Vec<f32>,
    /// What it looks at through S-S-A, and where the subject is in that.
    reference: Option<(Box<Drawn<'a>>, &'a Mask)>,
}

/// A picture that is trained on: as it is, and mirrored.
struct EncodedPicture {
    pictures: [RgbImage; 2],
    latents: [Tensor; 2],
    /// What the ControlNet is shown of both.
    controls: Option<[RgbImage; 2]>,
}

impl<'a> Tuning<'a> {
    /// Loads the networks, makes the regular pictures, and goes on from what is kept.
    fn new(
        job: &'a TuneJob,
        reserved: &mut Reservation,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(TuneEvent),
    ) -> Result<Self> {
        let frozen = Frozen::load(&job.model, job.settings.size, &job.device)?;
        let (learner, parameters) = Learner::load(job)?;
        let plan = plan(job, &frozen);
        reserved.resume(&key_of(&plan.to_string()))?;
        let folder = folder_beside(&job.output);
        reserved.begin_folder(&folder)?;
        let state = StateFile::new(folder.join("state.safetensors"), plan);
        let mut optimizer = AdamW::new(parameters, AdamWSettings::default())?;
        let mut curve = Curve::default();
        state.restore(&mut optimizer, &mut curve)?;
        let regular = regular::pictures(job, frozen.side, &folder, interrupt, on_event)?;
        let image = &job.reference.image;
        let mask = job.reference.mask.clone();
        let mask = mask.unwrap_or_else(|| Mask::whole(image.height() as usize, image.width() as usize));
        let reference =
            EncodedPicture::new(&frozen, &on_white(image, &mask)?, job.reference_controls.as_ref())?;
        let masks = [mask.clone(), mask.mirrored()];
        let controls = (0..regular.len()).map(|index| job.controls.get(index % job.controls.len().max(1)));
        let regular = regular
            .iter()
            .zip(controls)
            .map(|(picture, controls)| EncodedPicture::new(&frozen, picture, controls));
        let regular = regular.collect::<Result<Vec<_>>>()?;
        Ok(Self { job, learner, frozen, optimizer, curve, state, reference, masks, regular })
    }

    /// The loss of a step's pair, and its gradients.
    fn gradients(&self, done: u64) -> Result<(f64, Vec<Tensor>)> {
        let settings = &self.job.settings;
        let random = &mut Random::new(settings.seed, done);
        let side = usize::from(random.chance(settings.flip as f32));
        let timestep = self.timestep(random);
        let mut drawn = vec![draw(&self.reference, side, settings.subject_text(), timestep, random)];
        if !self.regular.is_empty() {
            let regular = &self.regular[random.below(self.regular.len())];
            let side = usize::from(random.chance(settings.flip as f32));
            let timestep = self.timestep(random);
            drawn.push(draw(regular, side, settings.class_text(), timestep, random));
        }
        if random.chance(settings.with_references as f32) {
            self.let_look(&mut drawn[0], side, random)?;
        }
        // Large pictures pass one after the other, which halves the memory; the gradients are the same.
        let together = if self.frozen.latent_side() > LARGEST_TOGETHER { 1 } else { drawn.len() };
        let parts = drawn.chunks(together);
        let (loss, gradients, norm) = gradients::of_parts(parts, self.optimizer.parameters(), |part| {
            Ok((self.losses(part)?.sum_all()? / drawn.len() as f64)?)
        })?;
        check_finite(loss + norm, settings.learning_rate, done)?;
        Ok((loss, gradients))
    }

    /// Moves the reference and lets it look at itself, where and as it was or mirrored, through S-S-A.
    fn let_look<'b>(&'b self, drawn: &mut Drawn<'b>, side: usize, random: &mut Random) -> Result<()> {
        let farthest = self.frozen.side as usize / FARTHEST;
        let mut by = || random.below(2 * farthest + 1) as i64 - farthest as i64;
        let by = (by(), by());
        drawn.latent = self.frozen.latent(&moved(&self.reference.pictures[side], by, WHITE))?;
        drawn.control = drawn.control.as_ref().map(|control| Cow::Owned(moved(control, by, BLACK)));
        let timestep = self.frozen.reference_timestep(&self.job.defaults, drawn.timestep);
        let side = usize::from(random.chance(0.5));
        let reference = draw(&self.reference, side, drawn.text.clone(), timestep, random);
        drawn.reference = Some((Box::new(reference), &self.masks[side]));
        Ok(())
    }

    fn timestep(&self, random: &mut Random) -> f64 {
        random.below(self.frozen.last_timestep() + 1) as f64
    }

    /// The loss of each of some pictures.
    fn losses(&self, part: &[Drawn]) -> Result<Tensor> {
        let looked_at = part.iter().filter_map(|drawn| drawn.reference.as_ref());
        let (pictures, masks): (Vec<&Drawn>, Vec<&Mask>) =
            looked_at.map(|(reference, mask)| (&**reference, *mask)).unzip();
        let references = match pictures.is_empty() {
            true => None,
            false => Some(References {
                pictures: self.batch(&pictures)?,
                masks,
                weight: self.job.defaults.reference_weight,
                looking: part.iter().map(|drawn| drawn.reference.is_some()).collect(),
            }),
        };
        let batch = self.batch(&part.iter().collect::<Vec<_>>())?;
        let passed = Passed { unet: &self.learner.unet, frozen: &self.frozen, min_snr: None };
        passed.losses(&batch, references.as_ref())
    }

    fn batch<'b>(&self, pictures: &[&'b Drawn<'b>]) -> Result<Batch<'b>> {
        let picture = |drawn: &&'b Drawn<'b>| {
            Ok(BatchPicture {
                latent: drawn.latent.clone(),
                text: self.learner.texts.context(&drawn.text)?,
                control: drawn.control.as_deref(),
                timestep: drawn.timestep,
                noise: &drawn.noise,
            })
        };
        let pictures = pictures.iter().map(picture).collect::<Result<Vec<_>>>()?;
        Batch::of(&pictures, self.learner.subject()?.map(|tokens| (tokens, self.job.defaults.beta)))
    }

    /// Writes the sheet of a subject as it was written after `steps` steps.
    fn preview(&self, subject: &Path, steps: u64, interrupt: &Interrupt) -> Result<()> {
        let sheet = previews::sheet(self.job, SubjectFile::open(subject)?, self.frozen.side, interrupt)?;
        write_png(&beside(&self.job.output, &format!("{steps:06}.png")), &sheet)
    }

    /// The subject as it is now, as the file `path`.
    fn subject(&self, path: &Path, steps: u64) -> Result<Vec<u8>> {
        let settings = &self.job.settings;
        let tensors: HashMap<String, Tensor> = self
            .optimizer
            .parameters()
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.variable.as_detached_tensor()))
            .collect();
        let notes = json!({
            "word": settings.word,
            "class": settings.class,
            "template": settings.template,
            "steps": steps,
            "training": plan(self.job, &self.frozen),
        });
        let header = HashMap::from([(SubjectFile::NOTES.to_owned(), notes.to_string())]);
        tensors_to_bytes(path, tensors, Some(header))
    }
}

/// A picture moved by whole pixels, with `around` where it was.
fn moved(picture: &RgbImage, (right, down): (i64, i64), around: Rgb<u8>) -> RgbImage {
    let mut moved = RgbImage::from_pixel(picture.width(), picture.height(), around);
    imageops::replace(&mut moved, picture, right, down);
    moved
}

/// One side of a picture with noise.
fn draw<'a>(
    seen: &'a EncodedPicture,
    side: usize,
    text: String,
    timestep: f64,
    random: &mut Random,
) -> Drawn<'a> {
    let latent = seen.latents[side].clone();
    Drawn {
        control: seen.controls.as_ref().map(|controls| Cow::Borrowed(&controls[side])),
        text,
        timestep,
        noise: random.normals(latent.elem_count()),
        latent,
        reference: None,
    }
}

impl EncodedPicture {
    fn new(frozen: &Frozen, picture: &RgbImage, controls: Option<&[RgbImage; 2]>) -> Result<Self> {
        let mirrored = imageops::flip_horizontal(picture);
        Ok(Self {
            latents: [frozen.latent(picture)?, frozen.latent(&mirrored)?],
            controls: controls.cloned(),
            pictures: [picture.clone(), mirrored],
        })
    }
}
