//! Pre-training of the subject encoder (DreamTuner, section 3.2). The U-Net with subject-encoder-attention (S-E-A) learns to tell
//! pictures from noise where the encoder shows it who is in them. ResBlocks and S-E-A train; everything else is frozen. A frozen
//! ControlNet gives the layout, so that the encoder learns content. Some pictures may also look at their reference through S-S-A, as
//! they do in a render: the encoder then learns what S-S-A leaves open.

use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::error::{Error, Result};
use crate::model::weights::{ModelDefaults, ModelFiles, SubjectEncoderFiles};

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
pub enum TrainEvent {
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

impl SubjectEncoderSettings {
    /// Refuses values outside their ranges.
    pub(super) fn check(&self) -> Result<()> {
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
    pub(super) fn rate(&self, done: u64) -> f64 {
        let (now, all) = (done as f64, self.steps as f64);
        let rising = if self.warm_up == 0 { 1.0 } else { (now + 1.0) / self.warm_up as f64 };
        let falling = if self.cool_down == 0.0 { 1.0 } else { (all - now) / (all * self.cool_down) };
        rising.min(falling).min(1.0)
    }
}

/// Where state, curve and samples lie.
pub(super) fn training_folder(output: &Path) -> PathBuf {
    output.join("training")
}
