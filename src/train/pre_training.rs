//! Pre-training of the subject encoder, step by step.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Tensor};
use image::RgbImage;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::adamw::{AdamW, AdamWSettings, Parameter};
use super::augment::{augment, shrink};
use super::curve::Curve;
use super::data::{DataFolder, Example, Pictures, too_many};
use super::gradients;
use super::memory::Remembered;
use super::networks::{Batch, BatchPicture, Passed, References};
use super::samples;
use super::state::{StateFile, check_finite, save_tensors};
use super::subject_encoder::{SubjectEncoderJob, TrainEvent, training_folder};
use super::subject_networks::Networks;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::mask::Mask;
use crate::model::weights::{ATTENTION_PREFIX, SubjectEncoderFiles, Variables};
use crate::outputs::{Reservation, disk, key_of, remove_parts, write_png, write_whole};
use crate::picture::cut_out;
use dreamtuner_kernels::in_pool;
use dreamtuner_random::Random;

/// Held-out pictures that are looked at.
const CHECKED: usize = 64;
/// Pictures that are drawn for a place in a batch before the training is given up.
const TRIES: usize = 100;
/// Purpose of the numbers that held-out pictures are checked with: none of a step's.
const CHECK: u64 = u64::MAX;

/// Trains until all steps are done, going on from what `job.output` holds of the same training. That folder is `reserved`, as one
/// that is worked on again.
///
/// # Errors
/// A folder with other things in it; files and settings that cannot be used; [`Error::Plan`] for a folder with another training; [`Error::Interrupted`], after what was
/// done is saved; a loss that is not finite, after which the last saved state is kept.
pub fn train(
    job: &SubjectEncoderJob,
    reserved: &mut Reservation,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(TrainEvent),
) -> Result<Curve> {
    job.settings.check()?;
    let mut training = Training::new(job, reserved, on_event)?;
    let settings = &job.settings;
    if training.curve.without.is_none() {
        training.curve.without = Some(in_pool(|| training.held_out(0.0))?);
    }
    while training.optimizer.steps() < settings.steps {
        let done = training.optimizer.steps();
        if done.is_multiple_of(settings.check_every) {
            training.look(on_event)?;
        }
        let (loss, gradients) = in_pool(|| training.gradients(done))?;
        training.tell_of_broken(on_event);
        // Saved is what has given a finite loss.
        let sampled = done > 0 && settings.sample_every > 0 && done.is_multiple_of(settings.sample_every);
        if interrupt.requested() || sampled || done.is_multiple_of(settings.save_every) {
            training.save(job)?;
        }
        interrupt.check()?;
        if sampled {
            training.sample(done, interrupt)?;
        }
        training.optimizer.step(&gradients, settings.rate(done))?;
        training.curve.training.push((done + 1, loss));
        on_event(TrainEvent::Step { done: done + 1, of: settings.steps, loss });
    }
    training.look(on_event)?;
    training.save(job)?;
    if settings.sample_every > 0 {
        training.sample(settings.steps, interrupt)?;
    }
    Ok(training.curve)
}

/// A training in progress.
struct Training<'a> {
    job: &'a SubjectEncoderJob,
    networks: Networks,
    data: DataFolder,
    optimizer: AdamW,
    curve: Curve,
    state: StateFile,
    encoder: Variables,
    attention: Variables,
    latents: Remembered,
    contexts: Remembered,
    /// Pictures that turned out to be broken, and those of them that were not spoken of yet.
    broken: Mutex<(BTreeSet<String>, Vec<String>)>,
}

/// One picture of a batch, ready for the networks.
struct Prepared {
    picture: Noised,
    /// The subject of the reference, augmented.
    subject: RgbImage,
    /// The reference itself and where its subject is, where S-S-A looks at it.
    reference: Option<(Noised, Mask)>,
}

/// A picture of the folder with what it takes to make it noisy.
struct Noised {
    /// Its place in the folder.
    place: usize,
    pictures: Pictures,
    caption: String,
    timestep: f64,
    noise: Vec<f32>,
}

impl<'a> Training<'a> {
    fn new(
        job: &'a SubjectEncoderJob,
        reserved: &mut Reservation,
        on_event: &mut dyn FnMut(TrainEvent),
    ) -> Result<Self> {
        let settings = &job.settings;
        let data = DataFolder::open(&job.data, settings.caption.as_deref())?;
        for broken in &data.broken {
            on_event(TrainEvent::Note(format!("left out: {broken}")));
        }
        if data.subjects.len() <= settings.held_out {
            let problem = format!("{}; the folder has {} subjects", settings.held_out, data.subjects.len());
            return Err(Error::setting("held-out", problem));
        }
        let (networks, encoder, attention) = Networks::load(job)?;
        let mut parameters = Parameter::of_variables("", &encoder, settings.learning_rate);
        parameters.extend(Parameter::of_variables(ATTENTION_PREFIX, &attention, settings.learning_rate));
        let mut optimizer = AdamW::new(parameters, AdamWSettings::default())?;
        let folder = training_folder(&job.output);
        let plan = plan(job, &data, &networks);
        reserved.resume(&key_of(&plan.to_string()))?;
        reserved.begin_folder(&job.output)?;
        disk::create_folder(&folder).map_err(|error| Error::io(&folder, error))?;
        let state = StateFile::new(folder.join("state.safetensors"), plan);
        let mut curve = Curve::default();
        state.restore(&mut optimizer, &mut curve)?;
        remove_parts(&folder)?;
        let (latents, contexts) = (Remembered::default(), Remembered::default());
        let broken = Mutex::default();
        Ok(Self {
            job,
            networks,
            data,
            optimizer,
            curve,
            state,
            encoder,
            attention,
            latents,
            contexts,
            broken,
        })
    }

    /// The mean loss of a step's batch, and its gradients.
    ///
    /// # Errors
    /// A loss or gradient that is not finite.
    fn gradients(&self, done: u64) -> Result<(f64, Vec<Tensor>)> {
        let settings = &self.job.settings;
        let training = self.data.subjects.len() - settings.held_out;
        let prepared = (0..settings.batch)
            .into_par_iter()
            .map(|index| {
                let random = &mut Random::new(settings.seed, (done << 16) | index as u64);
                // A broken picture gives its place to the next one; too many of them end the training.
                for _ in 0..TRIES {
                    let subject = random.below(training);
                    match self.prepare(subject, None, true, random) {
                        Err(error @ Error::Input { .. }) => self.leave_out(error)?,
                        other => return other,
                    }
                }
                Err(Error::setting("data", "hardly a picture of it can be used"))
            })
            .collect::<Result<Vec<_>>>()?;
        let parts = prepared.chunks(settings.at_once);
        let (loss, gradients, norm) = gradients::of_parts(parts, self.optimizer.parameters(), |part| {
            let share = part.len() as f64 / settings.batch as f64;
            Ok((self.loss(part, 1.0)? * share)?)
        })?;
        check_finite(loss + norm, settings.learning_rate, done)?;
        Ok((loss, gradients))
    }

    /// Notes a broken picture.
    ///
    /// # Errors
    /// The last one that is too many.
    fn leave_out(&self, error: Error) -> Result<()> {
        let (known, new) = &mut *self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = error.to_string();
        if known.insert(problem.clone()) {
            new.push(problem);
        }
        let broken = known.len() + self.data.broken.len();
        match too_many(broken, self.data.all(), &error.to_string()) {
            Some(problem) => Err(Error::setting("data", problem)),
            None => Ok(()),
        }
    }

    /// Tells of broken pictures that were met.
    fn tell_of_broken(&self, on_event: &mut dyn FnMut(TrainEvent)) {
        let new = std::mem::take(&mut self.broken.lock().unwrap_or_else(PoisonError::into_inner).1);
        new.into_iter().for_each(|problem| on_event(TrainEvent::Note(format!("left out: {problem}"))));
    }

    /// A picture of a subject, with another one, if there is one, as the reference.
    fn prepare(
        &self,
        subject: usize,
        picture: Option<usize>,
        change: bool,
        random: &mut Random,
    ) -> Result<Prepared> {
        let settings = &self.job.settings;
        let places = &self.data.subjects[subject];
        let chosen = picture.unwrap_or_else(|| random.below(places.len()));
        let other = (chosen + 1 + random.below(places.len().max(2) - 1)) % places.len();
        let (place, other) = (places[chosen], places[other]);
        let side = self.networks.frozen.side;
        let pictures = self.data.examples[place].read(side, side)?;
        let reference = self.data.examples[other].read(side, side)?;
        let mask = Mask::from_image(&reference.mask)?;
        let subject = subject_of(&self.data.examples[other], &reference, &mask)?;
        let subject = shrink(subject, self.networks.eyes.side());
        let subject = if change { augment(&subject, random) } else { subject };
        let without_text = change && random.chance(settings.without_text as f32);
        let last = self.networks.frozen.last_timestep();
        let timestep = random.below(last + 1) as f64;
        let picture = self.noised(place, pictures, timestep, random);
        let reference = random.chance(settings.with_references as f32).then(|| {
            let timestep = self.networks.frozen.reference_timestep(&self.job.defaults, timestep);
            (self.noised(other, reference, timestep, random), mask)
        });
        let mut prepared = Prepared { picture, subject, reference };
        if without_text {
            prepared.picture.caption.clear();
        }
        Ok(prepared)
    }

    fn noised(&self, place: usize, pictures: Pictures, timestep: f64, random: &mut Random) -> Noised {
        let caption = self.data.examples[place].caption.clone();
        let noise = random.normals(self.networks.frozen.latent_values());
        Noised { place, pictures, caption, timestep, noise }
    }

    /// The mean loss of some pictures.
    fn loss(&self, part: &[Prepared], beta: f64) -> Result<Tensor> {
        let Networks { unet, eyes, encoder, frozen, .. } = &self.networks;
        let subject = if beta == 0.0 {
            None
        } else {
            let pictures: Vec<_> = part.iter().map(|prepared| prepared.subject.clone()).collect();
            Some((encoder.forward(&eyes.look(&pictures)?)?, beta))
        };
        let seen = self.references(part, subject.as_ref())?;
        let batch = self.batch(part.iter().map(|prepared| &prepared.picture), subject)?;
        let passed = Passed { unet, frozen, min_snr: self.job.settings.min_snr };
        Ok(passed.losses(&batch, seen.as_ref())?.mean_all()?)
    }

    /// What some pictures look at through S-S-A; `None` where none of them does.
    fn references<'b>(
        &self,
        part: &'b [Prepared],
        subject: Option<&(Tensor, f64)>,
    ) -> Result<Option<References<'b>>> {
        let looking = |place: &u32| part[*place as usize].reference.is_some();
        let looking: Vec<u32> = (0..part.len() as u32).filter(looking).collect();
        if looking.is_empty() {
            return Ok(None);
        }
        let subject = subject.map(|(tokens, beta)| {
            let places = Tensor::new(looking.as_slice(), tokens.device())?;
            Ok::<_, Error>((tokens.detach().index_select(&places, 0)?, *beta))
        });
        let references = part.iter().filter_map(|prepared| prepared.reference.as_ref());
        Ok(Some(References {
            pictures: self.batch(references.clone().map(|(picture, _)| picture), subject.transpose()?)?,
            masks: references.map(|(_, mask)| mask).collect(),
            weight: self.job.defaults.reference_weight,
            looking: part.iter().map(|prepared| prepared.reference.is_some()).collect(),
        }))
    }

    fn batch<'b>(
        &self,
        pictures: impl Iterator<Item = &'b Noised>,
        subject: Option<(Tensor, f64)>,
    ) -> Result<Batch<'b>> {
        let Networks { texts, frozen, .. } = &self.networks;
        let picture = |noised: &'b Noised| {
            let latent = || frozen.latent(&noised.pictures.image);
            Ok(BatchPicture {
                latent: self.latents.get(&noised.place.to_string(), latent)?,
                text: self.contexts.get(&noised.caption, || texts.context(&noised.caption))?,
                control: noised.pictures.control.as_ref(),
                timestep: noised.timestep,
                noise: &noised.noise,
            })
        };
        Batch::of(&pictures.map(picture).collect::<Result<Vec<_>>>()?, subject)
    }

    /// The mean loss of held-out pictures, always the same ones with the same noise.
    fn held_out(&self, beta: f64) -> Result<f64> {
        let settings = &self.job.settings;
        let first = self.data.subjects.len() - settings.held_out;
        let pictures: Vec<(usize, usize)> = (first..self.data.subjects.len())
            .flat_map(|subject| (0..self.data.subjects[subject].len()).map(move |picture| (subject, picture)))
            .collect();
        let step = pictures.len().div_ceil(CHECKED);
        let chosen: Vec<_> = pictures.into_iter().step_by(step).collect();
        let prepared = chosen
            .par_iter()
            .enumerate()
            .filter_map(|(index, &(subject, picture))| {
                let random = &mut Random::new(settings.seed, CHECK - index as u64);
                match self.prepare(subject, Some(picture), false, random) {
                    Err(error @ Error::Input { .. }) => self.leave_out(error).err().map(Err),
                    other => Some(other),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let mut sum = 0.0;
        for part in prepared.chunks(settings.at_once) {
            let loss = self.loss(part, beta)?.to_dtype(DType::F32)?.to_scalar::<f32>()?;
            sum += f64::from(loss) * part.len() as f64;
        }
        Ok(sum / prepared.len() as f64)
    }

    fn look(&mut self, on_event: &mut dyn FnMut(TrainEvent)) -> Result<()> {
        let done = self.optimizer.steps();
        if self.curve.held_out.last().is_some_and(|(step, _)| *step == done) {
            return Ok(());
        }
        let with = in_pool(|| self.held_out(1.0))?;
        check_finite(with, self.job.settings.learning_rate, done)?;
        self.curve.held_out.push((done, with));
        on_event(TrainEvent::HeldOut { done, with, without: self.curve.without.unwrap_or(f64::NAN) });
        Ok(())
    }

    /// Writes a sheet of samples.
    fn sample(&self, done: u64, interrupt: &Interrupt) -> Result<()> {
        let folder = training_folder(&self.job.output).join("samples");
        disk::create_folder(&folder).map_err(|error| Error::io(&folder, error))?;
        let sheet = samples::sheet(self.job, &self.data, self.networks.frozen.side, interrupt)?;
        write_png(&folder.join(format!("{done:06}.png")), &sheet)
    }

    /// The encoder, the state, and the curve. The state comes last: it never runs ahead of the encoder.
    fn save(&self, job: &SubjectEncoderJob) -> Result<()> {
        let mut tensors = HashMap::new();
        for (prefix, variables) in [("", &self.encoder), (ATTENTION_PREFIX, &self.attention)] {
            for (name, variable) in variables {
                tensors.insert(format!("{prefix}{name}"), variable.as_detached_tensor());
            }
        }
        save_tensors(&job.output.join("diffusion_pytorch_model.safetensors"), tensors, None)?;
        let mut config = json!(self.networks.encoder_config);
        config["_class_name"] = "SubjectEncoder".into();
        let config = format!("{config:#}\n");
        write_whole(&job.output.join("config.json"), config.as_bytes())?;
        self.state.save(&self.optimizer, &self.curve)?;
        self.curve.write(&training_folder(&job.output))
    }
}

/// The subject of a picture, cut out.
fn subject_of(example: &Example, pictures: &Pictures, mask: &Mask) -> Result<RgbImage> {
    cut_out(&pictures.image, mask).map_err(|error| match error {
        Error::Setting { problem, .. } => Error::input(&example.mask, problem),
        other => other,
    })
}

fn plan(job: &SubjectEncoderJob, data: &DataFolder, networks: &Networks) -> Value {
    let settings = &job.settings;
    let model = &job.model;
    json!({
        "dreamtuner": env!("CARGO_PKG_VERSION"),
        "steps": settings.steps,
        "batch": settings.batch,
        "at_once": settings.at_once,
        "learning_rate": settings.learning_rate,
        "warm_up": settings.warm_up,
        "cool_down": settings.cool_down,
        "min_snr": settings.min_snr,
        "without_text": settings.without_text,
        "with_references": (settings.with_references > 0.0).then(|| {
            let defaults = &job.defaults;
            json!([settings.with_references, defaults.reference_weight, defaults.less_noise])
        }),
        "size": networks.frozen.side,
        "held_out": settings.held_out,
        "check_every": settings.check_every,
        "seed": settings.seed,
        "caption": settings.caption,
        "encoder": networks.encoder_config,
        "from": job.from.as_ref().map(SubjectEncoderFiles::fingerprint),
        "data": data.fingerprint,
        "unet": model.unet.fingerprint(),
        "vae": model.vae.fingerprint(),
        "text_encoder": model.text_encoder.fingerprint(),
        "image_encoder": model.image_encoder.as_ref().map(|part| part.fingerprint()),
        "controlnet": model.controlnet.as_ref().map(|part| part.fingerprint()),
    })
}
