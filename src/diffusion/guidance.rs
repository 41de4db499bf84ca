//! Guidance: which passes through the network make one prediction, and how they are weighted.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the predictions of several passes are combined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Guidance {
    /// `ε = ε(uc) + ω·(ε(c) − ε(uc))`, references noised at the step's own time in both passes
    /// (Ho & Salimans, arXiv 2207.12598).
    ClassifierFree {
        /// The guidance scale ω; 1 leaves the negative prompt out and halves the work.
        scale: f64,
    },
    /// DreamTuner's Eq. 4-6: at each step either away from "no reference" or away from the negative prompt.
    Interleaved {
        /// `p_r`, 0 to 1: how often the step follows the reference.
        reference_probability: f64,
        /// `ω_r`: guidance towards the reference.
        reference_scale: f64,
        /// `ω_c`: guidance towards the text.
        text_scale: f64,
        /// `Δt`, in training timesteps: how much less noise the reference carries than the picture.
        less_noise: f64,
        /// `Δt'`, in training timesteps: how much more noise the reference of the negative pass carries.
        more_noise: f64,
    },
}

/// The text that a pass reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassText {
    /// The prompt, `c`.
    Prompt,
    /// The negative prompt, `uc`.
    Negative,
}

/// The noise that the references of a pass carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceNoise {
    /// As much as the picture: time `t`.
    Same,
    /// Less: time `t − Δt`.
    Less,
    /// More: time `t + Δt'`.
    More,
}

/// One pass through the network, and what its output is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// The text.
    pub text: PassText,
    /// The references' noise; `None` for a pass without references.
    pub references: Option<ReferenceNoise>,
    /// The weights of all passes of a step add up to one.
    pub weight: f64,
}

impl Guidance {
    /// The passes of a step whose `λ` is `lambda`, those of weight zero left out.
    pub fn passes(&self, lambda: f64) -> Vec<Pass> {
        use PassText::{Negative, Prompt};
        use ReferenceNoise::{More, Same};
        let (scale, away) = match *self {
            Self::ClassifierFree { scale } => (scale, (Negative, Some(Same))),
            Self::Interleaved { reference_probability, reference_scale, .. }
                if lambda <= reference_probability =>
            {
                (reference_scale, (Prompt, None))
            }
            Self::Interleaved { text_scale, .. } => (text_scale, (Negative, Some(More))),
        };
        let (text, references) = away;
        [Pass { weight: scale, ..self.unguided() }, Pass { text, references, weight: 1.0 - scale }]
            .into_iter()
            .filter(|pass| pass.weight != 0.0)
            .collect()
    }

    /// The one pass of a step that is not guided: towards prompt and references.
    pub fn unguided(&self) -> Pass {
        let noise = match self {
            Self::ClassifierFree { .. } => ReferenceNoise::Same,
            Self::Interleaved { .. } => ReferenceNoise::Less,
        };
        Pass { text: PassText::Prompt, references: Some(noise), weight: 1.0 }
    }

    /// The time of references that carry `noise` when the picture is at `timestep`, kept within 0 to `last_timestep`.
    pub fn reference_time(&self, noise: ReferenceNoise, timestep: f64, last_timestep: usize) -> f64 {
        let shift = match (*self, noise) {
            (Self::Interleaved { less_noise, .. }, ReferenceNoise::Less) => -less_noise,
            (Self::Interleaved { more_noise, .. }, ReferenceNoise::More) => more_noise,
            _ => 0.0,
        };
        (timestep + shift).clamp(0.0, last_timestep as f64)
    }

    /// Refuses values outside their ranges.
    pub fn check(&self) -> Result<()> {
        let scale = |name: &str, value: f64| match value {
            value if (0.0..=100.0).contains(&value) => Ok(()),
            value => Err(Error::setting(name, format!("{value}; 0 to 100 is allowed"))),
        };
        match *self {
            Self::ClassifierFree { scale: value } => scale("guidance-scale", value),
            Self::Interleaved {
                reference_probability,
                reference_scale,
                text_scale,
                less_noise,
                more_noise,
            } => {
                if !(0.0..=1.0).contains(&reference_probability) {
                    return Err(Error::setting(
                        "reference-probability",
                        format!("{reference_probability}; 0 to 1 is allowed"),
                    ));
                }
                for (name, shift) in [("less-noise", less_noise), ("more-noise", more_noise)] {
                    if !(0.0..=1000.0).contains(&shift) {
                        return Err(Error::setting(
                            name,
                            format!("{shift}; 0 to 1000 training timesteps are allowed"),
                        ));
                    }
                }
                scale("reference-scale", reference_scale)?;
                scale("guidance-scale", text_scale)
            }
        }
    }
}
