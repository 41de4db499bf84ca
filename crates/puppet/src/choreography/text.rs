//! The text form of a dance.

use std::fmt;
use std::str::FromStr;

use super::{Choreography, Easing, Key};
use crate::figure::FigurePose;
use crate::poses::reference_pose;

/// Most key poses that mirroring makes.
const MOST_KEYS: usize = 100_000;

/// What is wrong with the text of a dance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// Line, from 1; 0 where it is not about one line.
    pub line: usize,
    /// What is wrong, with the value.
    pub problem: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}", self.problem),
            line => write!(formatter, "line {line}: {}", self.problem),
        }
    }
}

/// An angle or distance of a pose, by name.
type Field = (&'static str, fn(&mut FigurePose) -> &mut f32);

/// The names of what a pose consists of.
const FIELDS: [Field; 12] = [
    ("shift", |pose| &mut pose.shift),
    ("jump", |pose| &mut pose.jump),
    ("lean", |pose| &mut pose.lean),
    ("head", |pose| &mut pose.head),
    ("right_arm", |pose| &mut pose.right_arm),
    ("right_elbow", |pose| &mut pose.right_elbow),
    ("left_arm", |pose| &mut pose.left_arm),
    ("left_elbow", |pose| &mut pose.left_elbow),
    ("right_leg", |pose| &mut pose.right_leg),
    ("right_knee", |pose| &mut pose.right_knee),
    ("left_leg", |pose| &mut pose.left_leg),
    ("left_knee", |pose| &mut pose.left_knee),
];
/// Names that set both sides.
const PAIRS: [(&str, [&str; 2]); 4] = [
    ("arms", ["right_arm", "left_arm"]),
    ("elbows", ["right_elbow", "left_elbow"]),
    ("legs", ["right_leg", "left_leg"]),
    ("knees", ["right_knee", "left_knee"]),
];

/// A text, read up to some line.
struct Reader {
    tempo: f32,
    length: Option<f32>,
    keys: Vec<Key>,
}

impl FromStr for Choreography {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut reader = Reader { tempo: 120.0, length: None, keys: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let words = line.split('#').next().unwrap_or_default().split_whitespace();
            reader.line(words).map_err(|problem| ParseError { line: index + 1, problem })?;
        }
        reader.finish().map_err(|problem| ParseError { line: 0, problem })
    }
}

impl Reader {
    fn line<'text>(&mut self, mut words: impl Iterator<Item = &'text str>) -> Result<(), String> {
        match words.next() {
            None => Ok(()),
            Some("tempo") => {
                self.tempo = only_number("tempo", words, 20.0..=400.0)?;
                Ok(())
            }
            Some("length") => {
                self.length = Some(only_number("length", words, 0.1..=10_000.0)?);
                Ok(())
            }
            Some("beat") => self.key(words),
            Some("mirror") => self.mirror(),
            Some(other) => Err(format!("{other:?}: a line begins with tempo, length, beat or mirror")),
        }
    }

    fn key<'text>(&mut self, mut words: impl Iterator<Item = &'text str>) -> Result<(), String> {
        let beat = number("beat", words.next().unwrap_or_default())?;
        let last = self.keys.last().map_or(-1.0, |key| key.beat);
        if self.keys.is_empty() && beat != 0.0 {
            return Err(format!("beat {beat}: the first key is at beat 0"));
        }
        if beat <= last || self.length.is_some_and(|length| beat >= length) {
            return Err(format!("beat {beat}: beats follow one another, each before the length"));
        }
        let mut key = Key {
            beat,
            easing: Easing::default(),
            pose: self.keys.last().map_or_else(reference_pose, |key| key.pose),
        };
        for word in words {
            match word.split_once('=') {
                Some((name, value)) => set(&mut key.pose, name, number(name, value)?)?,
                None => key.easing = easing(word)?,
            }
        }
        self.keys.push(key);
        Ok(())
    }

    /// The length, which the last key has to lie before; without one, what is `missing`.
    fn length(&self, missing: &str) -> Result<f32, String> {
        let length = self.length.ok_or(missing)?;
        match self.keys.last().filter(|key| key.beat >= length) {
            Some(last) => Err(format!("length {length}: the last key is at beat {}", last.beat)),
            None => Ok(length),
        }
    }

    fn mirror(&mut self) -> Result<(), String> {
        let length = self.length("mirror: the length must come first")?;
        if self.keys.len() * 2 > MOST_KEYS {
            return Err(format!("mirror: more than {MOST_KEYS} keys"));
        }
        let mirrored: Vec<Key> = self
            .keys
            .iter()
            .map(|key| Key { beat: key.beat + length, easing: key.easing, pose: mirrored(&key.pose) })
            .collect();
        self.keys.extend(mirrored);
        self.length = Some(length * 2.0);
        Ok(())
    }

    fn finish(self) -> Result<Choreography, String> {
        let length = self.length("the length is missing")?;
        if self.keys.is_empty() {
            return Err("no beat: at least one key pose is needed".into());
        }
        Ok(Choreography { tempo: self.tempo, length, keys: self.keys })
    }
}

fn only_number<'text>(
    name: &str,
    mut words: impl Iterator<Item = &'text str>,
    allowed: std::ops::RangeInclusive<f32>,
) -> Result<f32, String> {
    let value = number(name, words.next().unwrap_or_default())?;
    if let Some(word) = words.next() {
        return Err(format!("{word:?} after {name} {value}"));
    }
    if !allowed.contains(&value) {
        return Err(format!("{name} {value}: {} to {} is allowed", allowed.start(), allowed.end()));
    }
    Ok(value)
}

fn number(name: &str, text: &str) -> Result<f32, String> {
    let value = text.parse::<f32>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| format!("{name}: {text:?} is not a number"))
}

fn easing(word: &str) -> Result<Easing, String> {
    let known = Easing::ALL.iter().find(|(_, name)| *name == word);
    known.map(|(easing, _)| *easing).ok_or_else(|| {
        let names = Easing::ALL.map(|(_, name)| name).join(", ");
        format!("{word:?} is neither an easing ({names}) nor NAME=VALUE")
    })
}

/// Sets what `name` says, on both sides where it is a pair.
fn set(pose: &mut FigurePose, name: &str, value: f32) -> Result<(), String> {
    let allowed = if matches!(name, "shift" | "jump") { 1.0 } else { 360.0 };
    if value.abs() > allowed {
        return Err(format!("{name}={value}: at most {allowed} is allowed, either way"));
    }
    if let Some((_, both)) = PAIRS.iter().find(|(pair, _)| *pair == name) {
        return both.iter().try_for_each(|side| set(pose, side, value));
    }
    let known = FIELDS.iter().find(|(field, _)| *field == name);
    let (_, field) = known.ok_or_else(|| {
        let names = FIELDS.map(|(field, _)| field).join(", ");
        format!("{name:?} is nothing of a pose; there are {names}, and arms, elbows, legs, knees")
    })?;
    *field(pose) = value;
    Ok(())
}

/// The pose as a mirror shows it.
fn mirrored(pose: &FigurePose) -> FigurePose {
    FigurePose {
        shift: -pose.shift,
        jump: pose.jump,
        lean: -pose.lean,
        head: -pose.head,
        right_arm: pose.left_arm,
        right_elbow: pose.left_elbow,
        left_arm: pose.right_arm,
        left_elbow: pose.right_elbow,
        right_leg: pose.left_leg,
        right_knee: pose.left_knee,
        left_leg: pose.right_leg,
        left_knee: pose.right_knee,
    }
}

/// The text that gives the same dance again.
impl fmt::Display for Choreography {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        writeln!(formatter, "tempo {}\nlength {}", self.tempo, self.length)?;
        let mut before = reference_pose();
        for key in &self.keys {
            write!(formatter, "beat {}", key.beat)?;
            if let Some((_, word)) = Easing::ALL.iter().find(|(easing, _)| *easing == key.easing) {
                write!(formatter, " {word}")?;
            }
            let mut pose = key.pose;
            for (name, field) in FIELDS {
                let value = *field(&mut pose);
                if value != *field(&mut before) {
                    write!(formatter, " {name}={value}")?;
                }
            }
            writeln!(formatter)?;
            before = key.pose;
        }
        Ok(())
    }
}
