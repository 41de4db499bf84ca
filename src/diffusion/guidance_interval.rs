//! Where guidance acts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Step;
use crate::error::{Error, Result};

/// The part of the steps in which predictions are guided (Kynkäänniemi et al. 2024, <https://arxiv.org/abs/2404.07724>).
/// In the others the pass towards prompt and references is taken as it is, which costs one pass instead of two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuidanceInterval {
    start: f64,
    end: f64,
}

impl GuidanceInterval {
    /// All steps.
    pub const ALL: Self = Self { start: 0.0, end: 1.0 };

    /// From the fraction `start` of the steps to the fraction `end`, 0 to 1.
    ///
    /// # Errors
    /// [`Error::Setting`] where they are out of range or out of order.
    pub fn new(start: f64, end: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&start) || !(start..=1.0).contains(&end) {
            let problem = format!("{start}:{end}; START:END within 0:1 is allowed, in this order");
            return Err(Error::setting("guidance-interval", problem));
        }
        Ok(Self { start, end })
    }

    /// Whether all of `step` lies within.
    pub fn contains(self, step: &Step) -> bool {
        step.lies_within(self.start, self.end)
    }
}

impl Default for GuidanceInterval {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for GuidanceInterval {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}:{}", self.start, self.end)
    }
}

impl FromStr for GuidanceInterval {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers =
            text.split_once(':').and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
        let malformed =
            || Error::setting("guidance-interval", format!("{text}; START:END is expected, such as 0.2:0.8"));
        let (start, end) = numbers.ok_or_else(malformed)?;
        Self::new(start, end)
    }
}

impl TryFrom<String> for GuidanceInterval {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<GuidanceInterval> for String {
    fn from(interval: GuidanceInterval) -> Self {
        interval.to_string()
    }
}
