//! Pre-training of the subject encoder (DreamTuner, section 3.2): the U-Net with subject-encoder-attention (S-E-A) learns to tell
//! pictures from noise where the encoder shows it who is in them. ResBlocks and S-E-A train; everything else is frozen. A frozen
//! ControlNet gives the layout, so that the encoder learns content. Some pictures may also look at their reference through S-S-A, as
//! they do in a render: the encoder then learns what S-S-A leaves open.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use image::RgbImage;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::adamw::{AdamW, AdamWSettings, Parameter};
use super::augment::{augment, shrink};
use super::curve::Curve;
use super::data::{DataFolder, Example, Pictures, too_many};
use super::gradients;
use super::memory::Remembered;
use super::networks::{Batch, Frozen, Passed, References, Texts};
use super::samples;
use super::state::{StateFile, check_finite, save_tensors};
use crate::error::{Error, Result};
use crate::files::{write_atomically, write_png};
use crate::mask::Mask;
use crate::model::config::{ImageEncoderConfig, TextConfig, UNetConfig};
use crate::model::subject_config::SubjectEncoderConfig;
use crate::model::subject_encoder::{SubjectEncoder, SubjectEyes, View};
use crate::model::text::TextEncoder;
use crate::model::unet::UNet;
use crate::model::weights::{
    ATTENTION_PREFIX, ModelDefaults, ModelFiles, PartFiles, SubjectEncoderFiles, Trained, Variables,
    build_new,
};
use crate::picture::cut_out;
use crate::random::Random;
use crate::render::interrupt::Interrupt;
use crate::threads::in_pool;

/// How a subject encoder is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectEncoderSettings {
    /// Steps of the optimiser, at least 1.
    pub steps: u64,
    /// Pictures of a step, at least 1.
    pub batch: usize,
    /// Pictures that pass the networks together, 1 to `batch`: more are faster, and take more memory.
    pub at_once: usize,
    /// Learning rate, above 0.
    pub learning_rate: f64,
    /// Steps over which the learning rate grows from 0.
    pub warm_up: u64,
    /// Share of the steps at whose end the learning rate falls to 0, 0 to 1.
    pub cool_down: f64,
    /// γ of min-SNR weighting; every picture counts the same where absent.
    pub min_snr: Option<f64>,
    /// Share of pictures whose caption is left out, 0 to 1.
    pub without_text: f64,
    /// Share of pictures that look at their reference through S-S-A too, 0 to 1.
    pub with_references: f64,
    /// Side in pixels of the pictures; the model's native one where absent.
    pub size: Option<u32>,
    /// ResBlocks of a new encoder.
    pub res_blocks: usize,
    /// The last subjects of the folder, so many, are not trained on; at least 1.
    pub held_out: usize,
    /// Steps between two looks at held-out pictures, at least 1.
    pub check_every: u64,
    /// Steps between two savings, at least 1.
    pub save_every: u64,
    /// Steps between two sheets of samples, which are saved before; 0 for none.
    pub sample_every: u64,
    /// Seed of everything.
    pub seed: u64,
    /// Column of the captions; `caption`, else `text` where absent.
    pub caption: Option<String>,
}

/// What trains, and from what.
#[derive(Debug)]
pub struct SubjectEncoderJob {
    /// The model.
    pub model: ModelFiles,
    /// An encoder to go on from, in place of a new one.
    pub from: Option<SubjectEncoderFiles>,
    /// The folder with pictures.
    pub data: PathBuf,
    /// The folder of the encoder.
    pub output: PathBuf,
    /// Settings that suit the model, for samples and for S-S-A.
    pub defaults: ModelDefaults,
    /// How.
    pub settings: SubjectEncoderSettings,
    /// Where the networks run.
    pub device: Device,
}

/// How far a training is.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something that the user should know.
    Note(String),
    /// A step is done.
    Step {
        /// Steps done.
        done: u64,
        /// Steps in all.
        of: u64,
        /// Loss of its batch.
        loss: f64,
    },
    /// Held-out pictures were looked at.
    HeldOut {
        /// Steps done.
        done: u64,
        /// The loss with the encoder, β = 1.
        with: f64,
        /// The loss without it.
        without: f64,
    },
}

/// Held-out pictures that are looked at.
const CHECKED: usize = 64;
/// Pictures that are drawn for a place in a batch before the training is given up.
const TRIES: usize = 100;
/// Purpose of the numbers that held-out pictures are checked with: none of a step's.
const CHECK: u64 = u64::MAX;

/// Trains until all steps are done, going on from what `job.output` holds of the same training.
///
/// # Errors
/// Files and settings that cannot be used; [`Error::Plan`] for a folder with another training; [`Error::Interrupted`], after what was
/// done is saved; a loss that is not finite, after which the last saved state is kept.
pub fn train(
    job: &SubjectEncoderJob,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(Event),
) -> Result<Curve> {
    job.settings.check()?;
    let mut training = Training::new(job, on_event)?;
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
        on_event(Event::Step { done: done + 1, of: settings.steps, loss });
    }
    training.look(on_event)?;
    training.save(job)?;
    if settings.sample_every > 0 {
        training.sample(settings.steps, interrupt)?;
    }
    Ok(training.curve)
}

impl SubjectEncoderSettings {
    fn check(&self) -> Result<()> {
        let fail = |name: &str, problem: String| Err(Error::setting(name, problem));
        for (name, value) in [
            ("steps", self.steps),
            ("batch", self.batch as u64),
            ("held-out", self.held_out as u64),
            ("check-every", self.check_every),
            ("save-every", self.save_every),
        ] {
            if value == 0 {
                return fail(name, "0; 1 or more is allowed".into());
            }
        }
        if !(1..=self.batch).contains(&self.at_once) {
            return fail("at-once", format!("{}; 1 to the batch, {}, is allowed", self.at_once, self.batch));
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return fail("learning-rate", format!("{}; above 0 is allowed", self.learning_rate));
        }
        for (name, share) in [
            ("without-text", self.without_text),
            ("with-references", self.with_references),
            ("cool-down", self.cool_down),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return fail(name, format!("{share}; 0 to 1 is allowed"));
            }
        }
        match self.min_snr {
            Some(gamma) if !(gamma.is_finite() && gamma > 0.0) => {
                fail("min-snr", format!("{gamma}; above 0 is allowed"))
            }
            _ => Ok(()),
        }
    }

    /// What the learning rate is multiplied by, in the step after `done` steps.
    fn rate(&self, done: u64) -> f64 {
        let (now, all) = (done as f64, self.steps as f64);
        let rising = if self.warm_up == 0 { 1.0 } else { (now + 1.0) / self.warm_up as f64 };
        let falling = if self.cool_down == 0.0 { 1.0 } else { (all - now) / (all * self.cool_down) };
        rising.min(falling).min(1.0)
    }
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
    fn new(job: &'a SubjectEncoderJob, on_event: &mut dyn FnMut(Event)) -> Result<Self> {
        let settings = &job.settings;
        let data = DataFolder::open(&job.data, settings.caption.as_deref())?;
        for broken in &data.broken {
            on_event(Event::Note(format!("left out: {broken}")));
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
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
        let state = StateFile::new(folder.join("state.safetensors"), plan(job, &data, &networks));
        let mut curve = Curve::default();
        state.restore(&mut optimizer, &mut curve)?;
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
    fn tell_of_broken(&self, on_event: &mut dyn FnMut(Event)) {
        let new = std::mem::take(&mut self.broken.lock().unwrap_or_else(PoisonError::into_inner).1);
        new.into_iter().for_each(|problem| on_event(Event::Note(format!("left out: {problem}"))));
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
            // As much less noise as the unguided pass of a render shows of its reference.
            let timestep = (timestep - self.job.defaults.less_noise).max(0.0);
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
        let mut next = 0..;
        Ok(Some(References {
            pictures: self.batch(references.clone().map(|(picture, _)| picture), subject.transpose()?)?,
            masks: references.map(|(_, mask)| mask).collect(),
            weight: self.job.defaults.reference_weight,
            of: part.iter().map(|prepared| prepared.reference.as_ref().and_then(|_| next.next())).collect(),
        }))
    }

    fn batch<'b>(
        &self,
        pictures: impl Iterator<Item = &'b Noised> + Clone,
        subject: Option<(Tensor, f64)>,
    ) -> Result<Batch<'b>> {
        let Networks { texts, frozen, .. } = &self.networks;
        let latent = |picture: &Noised| {
            self.latents.get(&picture.place.to_string(), || frozen.latent(&picture.pictures.image))
        };
        let text = |picture: &Noised| self.contexts.get(&picture.caption, || texts.context(&picture.caption));
        let clean = Tensor::cat(&pictures.clone().map(latent).collect::<Result<Vec<_>>>()?, 0)?;
        let noise: Vec<f32> = pictures.clone().flat_map(|picture| picture.noise.iter().copied()).collect();
        Ok(Batch {
            noise: Tensor::from_vec(noise, clean.shape(), &self.job.device)?,
            clean,
            timesteps: pictures.clone().map(|picture| picture.timestep).collect(),
            text: Tensor::cat(&pictures.clone().map(text).collect::<Result<Vec<_>>>()?, 0)?,
            controls: pictures.map(|picture| picture.pictures.control.as_ref()).collect(),
            subject,
        })
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

    fn look(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        let done = self.optimizer.steps();
        if self.curve.held_out.last().is_some_and(|(step, _)| *step == done) {
            return Ok(());
        }
        let with = in_pool(|| self.held_out(1.0))?;
        check_finite(with, self.job.settings.learning_rate, done)?;
        self.curve.held_out.push((done, with));
        on_event(Event::HeldOut { done, with, without: self.curve.without.unwrap_or(f64::NAN) });
        Ok(())
    }

    /// Writes a sheet of samples.
    fn sample(&self, done: u64, interrupt: &Interrupt) -> Result<()> {
        let folder = training_folder(&self.job.output).join("samples");
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
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
        write_atomically(&job.output.join("config.json"), config.as_bytes())?;
        self.state.save(&self.optimizer, &self.curve)?;
        self.curve.write(&training_folder(&job.output))
    }
}

/// Where state, curve and samples lie.
fn training_folder(output: &Path) -> PathBuf {
    output.join("training")
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
    let print = |part: &Option<PartFiles>| part.as_ref().map(PartFiles::fingerprint);
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
        "image_encoder": print(&model.image_encoder),
        "controlnet": print(&model.controlnet),
    })
}

/// All networks of a training.
struct Networks {
    unet: UNet,
    texts: Texts,
    eyes: SubjectEyes,
    encoder: SubjectEncoder,
    encoder_config: SubjectEncoderConfig,
    frozen: Frozen,
}

impl Networks {
    /// The networks, and the variables of ResBlocks and S-E-A.
    fn load(job: &SubjectEncoderJob) -> Result<(Self, Variables, Variables)> {
        let (files, device, settings) = (&job.model, &job.device, &job.settings);
        let image_encoder = files.image_encoder.as_ref().ok_or_else(|| {
            let problem =
                "has no image encoder (a folder image_encoder) for the subject encoder to look with";
            Error::setting("model", problem)
        })?;
        let unet_config = UNetConfig::from_json(&files.unet.config)?;
        let image_config = ImageEncoderConfig::from_json(&image_encoder.config)?;
        let encoder_config = match &job.from {
            Some(from) => SubjectEncoderConfig::from_json(&from.encoder.config)?,
            None => SubjectEncoderConfig {
                res_blocks: settings.res_blocks,
                ..SubjectEncoderConfig::for_networks(&image_config, unet_config.context_width(0)?)
            },
        };
        let make = |vb: VarBuilder| UNet::new(&unet_config, vb);
        let unet_files = files.unet_with(job.from.as_ref());
        let (unet, attention) = unet_files.build_trained(device, Trained::SubjectAttention, make)?;
        let make = |vb: VarBuilder| SubjectEncoder::new(&encoder_config, vb);
        let (encoder, variables) = match &job.from {
            Some(from) => from.encoder.build_trained(device, Trained::Everything, make)?,
            None => build_new(settings.seed, device, make)?,
        };
        let text_config = TextConfig::from_json(&files.text_encoder.config)?;
        let make = |vb: VarBuilder| TextEncoder::new(&text_config, None, vb);
        let (text_encoder, _) = files.text_encoder.build(DType::F32, device, &[], make)?;
        let extractor = files.feature_extractor.as_ref();
        let networks = Self {
            unet,
            texts: Texts::new(files, text_encoder)?,
            eyes: SubjectEyes::load(
                image_encoder,
                extractor,
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
