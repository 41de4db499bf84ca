//! Subject-driven fine-tuning (DreamTuner, section 3.4): a picture becomes a word of the prompt.
//!
//! Every step sees a pair: the reference on white with `a CLASS [S*]`, and one of some regular pictures with `a CLASS`, which keep
//! the model from forgetting what the class looks like. The regular ones are made by the model itself, with subject encoder and
//! S-S-A but without mask. The word's embedding, changes of U-Net and text encoder, and the subject encoder's ResBlocks train.

use std::path::{Path, PathBuf};

use candle_core::Device;
use image::RgbImage;
use serde_json::{Value, json};

use super::networks::Frozen;
use crate::error::{Error, Result};
use crate::model::weights::{ModelDefaults, ModelFiles};
use crate::render::animator::ReferencePicture;
use crate::render::still::StillInputs;

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
pub enum TuneEvent {
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

/// The folder where a tuning keeps what it needs to go on: `hero.subject.tune`.
pub fn folder_beside(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push(".tune");
    output.with_file_name(name)
}

/// A file in it.
pub(super) fn beside(output: &Path, name: &str) -> PathBuf {
    folder_beside(output).join(name)
}

impl TuneJob {
    /// The reference as a render takes it, for the model's own ControlNet.
    fn reference_picture(&self, masked: bool) -> ReferencePicture {
        let control = self.reference_controls.as_ref().map(|[control, _]| control.clone());
        ReferencePicture {
            image: self.reference.image.clone(),
            mask: self.reference.mask.clone().filter(|_| masked),
            controls: self.model.controlnet.iter().map(|_| control.clone()).collect(),
        }
    }

    /// A picture of the reference in one of the poses, by number.
    pub(super) fn still_inputs(&self, pose: usize, masked: bool) -> StillInputs {
        let control = self.controls.get(pose % self.controls.len().max(1)).map(|[control, _]| control);
        StillInputs {
            reference: self.reference_picture(masked),
            controls: self.model.controlnet.iter().map(|_| control.cloned()).collect(),
            init: None,
            draft: None,
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

/// All that decides what a tuning comes to.
pub(super) fn plan(job: &TuneJob, frozen: &Frozen) -> Value {
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
