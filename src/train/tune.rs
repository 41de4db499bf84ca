//! Subject-driven fine-tuning (DreamTuner, section 3.4): a picture becomes a word of the prompt.
//!
//! Every step sees a pair: the reference on white with "a CLASS [S*]", and one of some regular pictures with "a CLASS", which keep
//! the model from forgetting what the class looks like. The regular ones are made by the model itself, with subject encoder and
//! S-S-A but without mask. The word's embedding, changes of U-Net and text encoder, and the subject encoder's ResBlocks train.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage, imageops};
use serde_json::{Value, json};

use super::adamw::{AdamW, AdamWSettings};
use super::curve::Curve;
use super::gradients;
use super::learner::Learner;
use super::networks::{Batch, Frozen, Passed, References};
use super::previews;
use super::regular;
use super::state::{StateFile, check_finite, save_tensors};
use crate::error::{Error, Result};
use crate::files::write_png;
use crate::mask::Mask;
use crate::model::weights::{ModelDefaults, ModelFiles, SubjectFile};
use crate::picture::on_white;
use crate::random::Random;
use crate::render::animator::ReferencePicture;
use crate::render::interrupt::Interrupt;
use crate::threads::in_pool;

/// What of U-Net and text encoder trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Low-rank changes of this rank.
    LowRank(usize),
    /// Everything.
    Full,
}

/// How a subject is tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneSettings {
    /// What the subject is, as a word of the vocabulary.
    pub class: String,
    /// The new word, as prompts write it: `<hero>`.
    pub word: String,
    /// What the regular pictures are made from: the reference in words; "a CLASS" where absent.
    pub caption: Option<String>,
    /// What stands around the words in the training texts, with `{}` in their place. Default: `a {}`.
    pub template: String,
    /// Steps, at least 1.
    pub steps: u64,
    /// Steps after which the subject is also saved as it is then, with a sheet of what it renders.
    pub save_at: Vec<u64>,
    /// What trains besides the word and the ResBlocks.
    pub method: Method,
    /// Learning rate of all but the word, above 0.
    pub learning_rate: f64,
    /// Learning rate of the word, above 0.
    pub word_learning_rate: f64,
    /// Regular pictures.
    pub regular: usize,
    /// How often pictures are mirrored, 0 to 1.
    pub flip: f64,
    /// How often the reference, while it is trained on, also looks at itself through S-S-A, as a render looks at the reference: 0 to 1.
    /// It is then moved, and what it looks at is its mirror image half of the time, so that nothing can be copied where it lies.
    pub with_references: f64,
    /// Side of the pictures in pixels; the model's native one where absent.
    pub size: Option<u32>,
    /// Seed of everything.
    pub seed: u64,
}

/// What is tuned, and from what.
#[derive(Debug)]
pub struct TuneJob {
    /// The model.
    pub model: ModelFiles,
    /// The reference, of the pictures' size.
    pub reference: ReferencePicture,
    /// What the ControlNet is shown of the reference, and of its mirror image.
    pub reference_controls: Option<[RgbImage; 2]>,
    /// What it is shown for the regular pictures, in turn, and for their mirror images.
    pub controls: Vec<[RgbImage; 2]>,
    /// The file of the subject.
    pub output: PathBuf,
    /// Settings that suit the model, for regular pictures.
    pub defaults: ModelDefaults,
    /// How.
    pub settings: TuneSettings,
    /// Where the networks run.
    pub device: Device,
}

/// How far a tuning is.
#[derive(Debug, Clone)]
pub enum Event {
    /// A regular picture is made.
    Regular {
        /// Pictures made.
        done: usize,
        /// Pictures in all.
        of: usize,
    },
    /// A step is done.
    Step {
        /// Steps done.
        done: u64,
        /// Steps in all.
        of: u64,
        /// Loss of the pair.
        loss: f64,
    },
}

/// Side of the largest latents that pass the networks as a pair.
const LARGEST_TOGETHER: usize = 32;
/// A reference that looks at itself is moved by at most this part of its side: further, feet leave the picture.
const FARTHEST: usize = 16;
/// What is around pictures and control images.
const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);
/// Steps between two savings of the state.
const SAVED_EVERY: u64 = 50;

/// Tunes until all steps are done, going on from what lies beside `job.output`.
///
/// # Errors
/// Settings that cannot be used; a class that is no word of the vocabulary; a reference without a foreground; [`Error::Interrupted`];
/// a loss that is not finite, after which the last good state is kept.
pub fn tune(job: &TuneJob, interrupt: &Interrupt, on_event: &mut dyn FnMut(Event)) -> Result<()> {
    job.settings.check()?;
    let mut tuning = Tuning::new(job, interrupt, on_event)?;
    let settings = &job.settings;
    while tuning.optimizer.steps() < settings.steps {
        let done = tuning.optimizer.steps();
        let (loss, gradients) = in_pool(|| tuning.gradients(done))?;
        if settings.save_at.contains(&done) {
            let path = beside(&job.output, &format!("{done:06}.subject"));
            tuning.publish(&path, done)?;
            tuning.preview(&path, done, interrupt)?;
        }
        if interrupt.requested() || done.is_multiple_of(SAVED_EVERY) {
            tuning.state.save(&tuning.optimizer, &tuning.curve)?;
        }
        interrupt.check()?;
        tuning.optimizer.step(&gradients, 1.0)?;
        tuning.curve.training.push((done + 1, loss));
        on_event(Event::Step { done: done + 1, of: settings.steps, loss });
    }
    let (loss, _) = in_pool(|| tuning.gradients(settings.steps))?;
    check_finite(loss, settings.learning_rate, settings.steps)?;
    tuning.state.save(&tuning.optimizer, &tuning.curve)?;
    tuning.curve.write(&folder_beside(&job.output))?;
    tuning.publish(&job.output, settings.steps)?;
    tuning.preview(&job.output, settings.steps, interrupt)
}

/// The folder where a tuning keeps what it needs to go on: `hero.subject.tune`.
pub fn folder_beside(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push(".tune");
    output.with_file_name(name)
}

fn beside(output: &Path, name: &str) -> PathBuf {
    folder_beside(output).join(name)
}

impl TuneJob {
    /// The reference as a render takes it, for the model's own ControlNet.
    pub(super) fn reference_picture(&self, masked: bool) -> ReferencePicture {
        let control = self.reference_controls.as_ref().map(|[control, _]| control.clone());
        ReferencePicture {
            image: self.reference.image.clone(),
            mask: self.reference.mask.clone().filter(|_| masked),
            controls: self.model.controlnet.iter().map(|_| control.clone()).collect(),
        }
    }
}

impl TuneSettings {
    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] with the value and the allowed range.
    pub fn check(&self) -> Result<()> {
        let fail = |name: &str, problem: String| Err(Error::setting(name, problem));
        for (name, rate) in
            [("learning-rate", self.learning_rate), ("word-learning-rate", self.word_learning_rate)]
        {
            if !(rate.is_finite() && rate > 0.0) {
                return fail(name, format!("{rate}; above 0 is allowed"));
            }
        }
        if self.steps == 0 {
            return fail("steps", "0; 1 or more is allowed".into());
        }
        if self.method == Method::LowRank(0) {
            return fail("rank", "0; 1 or more is allowed".into());
        }
        for (name, share) in [("flip", self.flip), ("with-references", self.with_references)] {
            if !(0.0..=1.0).contains(&share) {
                return fail(name, format!("{share}; 0 to 1 is allowed"));
            }
        }
        if self.template.matches("{}").count() != 1 {
            return fail("template", format!("\"{}\"; {{}} has to stand in it once", self.template));
        }
        match self.word.chars().all(|letter| letter.is_alphanumeric() || "<>-_*".contains(letter)) {
            true if !self.word.is_empty() => Ok(()),
            _ => fail("word", format!("\"{}\"; letters, digits, < > - _ and * are allowed", self.word)),
        }
    }

    /// The text of the reference.
    pub fn subject_text(&self) -> String {
        self.template.replace("{}", &self.phrase())
    }

    /// The text of regular pictures.
    pub fn class_text(&self) -> String {
        self.template.replace("{}", &self.class)
    }

    /// What stands for the subject in prompts: class and word.
    pub fn phrase(&self) -> String {
        format!("{} {}", self.class, self.word)
    }
}

/// A tuning in progress.
struct Tuning<'a> {
    job: &'a TuneJob,
    learner: Learner,
    frozen: Frozen,
    optimizer: AdamW,
    curve: Curve,
    state: StateFile,
    reference: Seen,
    /// Where the subject is in the reference.
    masks: [Mask; 2],
    regular: Vec<Seen>,
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
struct Seen {
    pictures: [RgbImage; 2],
    latents: [Tensor; 2],
    /// What the ControlNet is shown of both.
    controls: Option<[RgbImage; 2]>,
}

impl<'a> Tuning<'a> {
    fn new(job: &'a TuneJob, interrupt: &Interrupt, on_event: &mut dyn FnMut(Event)) -> Result<Self> {
        let frozen = Frozen::load(&job.model, job.settings.size, &job.device)?;
        let (learner, parameters) = Learner::load(job)?;
        let folder = folder_beside(&job.output);
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
        let state = StateFile::new(folder.join("state.safetensors"), plan(job, &frozen));
        let mut optimizer = AdamW::new(parameters, AdamWSettings::default())?;
        let mut curve = Curve::default();
        state.restore(&mut optimizer, &mut curve)?;
        let regular = regular::pictures(job, frozen.side, &folder, interrupt, on_event)?;
        let image = &job.reference.image;
        let mask = job.reference.mask.clone();
        let mask = mask.unwrap_or_else(|| Mask::whole(image.height() as usize, image.width() as usize));
        let reference = Seen::new(&frozen, &on_white(image, &mask)?, job.reference_controls.as_ref())?;
        let masks = [mask.clone(), mask.mirrored()];
        let controls = (0..regular.len()).map(|index| job.controls.get(index % job.controls.len().max(1)));
        let regular =
            regular.iter().zip(controls).map(|(picture, controls)| Seen::new(&frozen, picture, controls));
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
        // As much less noise as the unguided pass of a render shows of its reference.
        let timestep = (drawn.timestep - self.job.defaults.less_noise).max(0.0);
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
        let mut next = 0..;
        let references = match pictures.is_empty() {
            true => None,
            false => Some(References {
                pictures: self.batch(&pictures)?,
                masks,
                weight: self.job.defaults.reference_weight,
                of: part.iter().map(|drawn| drawn.reference.as_ref().and_then(|_| next.next())).collect(),
            }),
        };
        let batch = self.batch(&part.iter().collect::<Vec<_>>())?;
        let passed = Passed { unet: &self.learner.unet, frozen: &self.frozen, min_snr: None };
        passed.losses(&batch, references.as_ref())
    }

    fn batch<'b>(&self, pictures: &[&'b Drawn<'b>]) -> Result<Batch<'b>> {
        let latents: Vec<&Tensor> = pictures.iter().map(|picture| &picture.latent).collect();
        let clean = Tensor::cat(&latents, 0)?;
        let noise: Vec<f32> = pictures.iter().flat_map(|picture| picture.noise.iter().copied()).collect();
        let texts = pictures
            .iter()
            .map(|picture| self.learner.texts.context(&picture.text))
            .collect::<Result<Vec<_>>>()?;
        Ok(Batch {
            noise: Tensor::from_vec(noise, clean.shape(), &self.job.device)?,
            clean,
            timesteps: pictures.iter().map(|picture| picture.timestep).collect(),
            text: Tensor::cat(&texts, 0)?,
            controls: pictures.iter().map(|picture| picture.control.as_deref()).collect(),
            subject: self.learner.subject()?.map(|tokens| (tokens, self.job.defaults.beta)),
        })
    }

    /// Writes the sheet of a subject as it was published after `steps` steps.
    fn preview(&self, subject: &Path, steps: u64, interrupt: &Interrupt) -> Result<()> {
        let sheet = previews::sheet(self.job, SubjectFile::open(subject)?, self.frozen.side, interrupt)?;
        write_png(&beside(&self.job.output, &format!("{steps:06}.png")), &sheet)
    }

    /// Writes the subject as it is now.
    fn publish(&self, path: &Path, steps: u64) -> Result<()> {
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
        save_tensors(path, tensors, Some(HashMap::from([(SubjectFile::NOTES.to_owned(), notes.to_string())])))
    }
}

/// A picture moved by whole pixels, with `around` where it was.
fn moved(picture: &RgbImage, (right, down): (i64, i64), around: Rgb<u8>) -> RgbImage {
    let mut moved = RgbImage::from_pixel(picture.width(), picture.height(), around);
    imageops::replace(&mut moved, picture, right, down);
    moved
}

/// One side of a picture with noise.
fn draw<'a>(seen: &'a Seen, side: usize, text: String, timestep: f64, random: &mut Random) -> Drawn<'a> {
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

impl Seen {
    fn new(frozen: &Frozen, picture: &RgbImage, controls: Option<&[RgbImage; 2]>) -> Result<Self> {
        let mirrored = imageops::flip_horizontal(picture);
        Ok(Self {
            latents: [frozen.latent(picture)?, frozen.latent(&mirrored)?],
            controls: controls.cloned(),
            pictures: [picture.clone(), mirrored],
        })
    }
}

fn plan(job: &TuneJob, frozen: &Frozen) -> Value {
    let (settings, model) = (&job.settings, &job.model);
    let hash = |picture: &RgbImage| blake3::hash(picture.as_raw()).to_hex()[..16].to_string();
    json!({
        "dreamtuner": env!("CARGO_PKG_VERSION"),
        "class": settings.class,
        "word": settings.word,
        "caption": settings.caption,
        "template": settings.template,
        "steps": settings.steps,
        "method": match settings.method {
            Method::LowRank(rank) => json!({"low_rank": rank}),
            Method::Full => json!("full"),
        },
        "learning_rate": settings.learning_rate,
        "word_learning_rate": settings.word_learning_rate,
        "regular": settings.regular,
        "flip": settings.flip,
        "with_references": settings.with_references,
        "size": frozen.side,
        "seed": settings.seed,
        "defaults": job.defaults,
        "reference": hash(&job.reference.image),
        "controls": job.controls.iter().map(|[control, _]| hash(control)).collect::<Vec<_>>(),
        "reference_control": job.reference_controls.as_ref().map(|[control, _]| hash(control)),
        "unet": model.unet.fingerprint(),
        "vae": model.vae.fingerprint(),
        "text_encoder": model.text_encoder.fingerprint(),
        "subject_encoder": model.subject_encoder.as_ref().map(|subject| subject.fingerprint()),
        "controlnet": model.controlnet.as_ref().map(|part| part.fingerprint()),
    })
}
