//! Dances: key poses, eased and set to a beat.
//!
//! A dance is a text of few words, one key pose a line:
//!
//! ```text
//! tempo 120                                    # beats a minute
//! length 8                                     # beats; then it begins again
//! beat 0 arms=24 legs=6
//! beat 2 snap lean=-6 right_arm=150 head=8
//! beat 3 right_elbow=40
//! mirror                                       # all of this again, left and right exchanged
//! ```
//!
//! - `beat NUMBER [EASING] [NAME=VALUE ...]` is a key pose. Names are those of [`FigurePose`]; `arms`, `elbows`, `legs` and
//!   `knees` set both sides. What a key does not name is as in the key before it, and at first as in the reference pose.
//! - The easing says how a pose is reached: `smooth` (the default), `linear`, `snap` (fast soon, then settling), `rise` (ever
//!   slower, as a jump's way up) or `fall` (ever faster).
//! - Feet that stand do not slide: the figure is moved so that the lower foot stays where it is. `shift` counts at the
//!   beginning and in the air.
//! - After the last key, the dance goes back to the first one, which it reaches at its end.
//! - `#` begins a comment.

mod clip;
mod footing;
mod text;

pub use clip::{ClipSettings, shots};
pub use text::ParseError;

use crate::figure::FigurePose;

/// How a key pose is reached from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Easing {
    /// Slow, fast, slow.
    #[default]
    Smooth,
    /// Always at the same speed.
    Linear,
    /// Fast soon, then ever slower.
    Snap,
    /// Ever slower, as something thrown up.
    Rise,
    /// Ever faster, as something that falls.
    Fall,
}

impl Easing {
    /// Every easing with its word.
    const ALL: [(Self, &str); 5] = [
        (Self::Smooth, "smooth"),
        (Self::Linear, "linear"),
        (Self::Snap, "snap"),
        (Self::Rise, "rise"),
        (Self::Fall, "fall"),
    ];

    /// The share (0 to 1) of the way that is done after a share of the time.
    pub fn at(self, time: f32) -> f32 {
        let rest = 1.0 - time;
        match self {
            Self::Smooth => time * time * (3.0 - 2.0 * time),
            Self::Linear => time,
            Self::Snap => Self::Smooth.at(1.0 - rest * rest),
            Self::Rise => 1.0 - rest * rest,
            Self::Fall => time * time,
        }
    }
}

/// A pose and when it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Beat, from 0.
    pub beat: f32,
    /// How it is reached.
    pub easing: Easing,
    /// The pose.
    pub pose: FigurePose,
}

/// A dance that begins again where it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Choreography {
    /// Beats a minute.
    pub tempo: f32,
    /// Length in beats, greater than the last key's beat.
    pub length: f32,
    /// Key poses in order of time; at least one, the first at beat 0.
    pub keys: Vec<Key>,
}

/// The dances that come with the program: name and text.
const DANCES: [(&str, &str); 10] = [
    ("walk", include_str!("choreography/dances/walk.txt")),
    ("wave", include_str!("choreography/dances/wave.txt")),
    ("jumping_jack", include_str!("choreography/dances/jumping_jack.txt")),
    ("spin_step", include_str!("choreography/dances/spin_step.txt")),
    ("disco", include_str!("choreography/dances/disco.txt")),
    ("kick", include_str!("choreography/dances/kick.txt")),
    ("sway", include_str!("choreography/dances/sway.txt")),
    ("bow", include_str!("choreography/dances/bow.txt")),
    ("robot", include_str!("choreography/dances/robot.txt")),
    ("twist", include_str!("choreography/dances/twist.txt")),
];

impl Choreography {
    /// Names of the dances that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        DANCES.iter().map(|(name, _)| *name)
    }

    /// A dance that comes with the program.
    ///
    /// # Errors
    /// An unknown name; the message lists the known ones.
    pub fn named(name: &str) -> Result<Self, ParseError> {
        let known = DANCES.iter().find(|(known, _)| *known == name);
        let (_, text) = known.ok_or_else(|| {
            let names: Vec<&str> = Self::names().collect();
            ParseError {
                line: 0,
                problem: format!("no dance is called {name:?}; there are {}", names.join(", ")),
            }
        })?;
        text.parse()
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f32 {
        self.length * 60.0 / self.tempo
    }

    /// The pose at a beat; beats past the end are of the next round.
    pub fn pose(&self, beat: f32) -> FigurePose {
        let beat = beat.rem_euclid(self.length);
        let next = self.keys.partition_point(|key| key.beat <= beat);
        let before = self.keys[next.saturating_sub(1)];
        let (after, end) = match self.keys.get(next) {
            Some(key) => (*key, key.beat),
            None => (self.keys[0], self.length),
        };
        let span = end - before.beat;
        let time = if span > 0.0 { ((beat - before.beat) / span).clamp(0.0, 1.0) } else { 1.0 };
        before.pose.toward(&after.pose, after.easing.at(time))
    }
}
