//! The text of a BVH file.

use std::fmt;

use super::BvhError;
use super::space::{self, Frame, Point, STILL};

/// Most frames: almost an hour at 30 frames a second.
const MAX_FRAMES: usize = 100_000;
const MAX_JOINTS: usize = 1_000;
/// Most numbers of a recording.
const MAX_VALUES: usize = 50_000_000;
/// Largest number.
const LARGEST: f32 = 1e6;

/// One number of a joint in each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// Along an axis.
    Position(usize),
    /// In degrees about an axis.
    Rotation(usize),
}

/// A joint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub name: String,
    pub parent: Option<usize>,
    /// From the parent.
    pub offset: Point,
    /// From this joint to the end of the last bone, where it has no joint after it.
    pub end: Option<Point>,
    channels: Vec<Channel>,
}

/// A skeleton and how it moves.
pub(super) struct Recording {
    /// Parents before their children.
    pub nodes: Vec<Node>,
    pub frames: usize,
    /// In seconds.
    pub frame_time: f64,
    values: Vec<f32>,
    /// Whether positions of joints after the first contain their offsets.
    absolute: bool,
}

impl Recording {
    /// Where everything is in a frame.
    pub fn at(&self, frame: usize) -> Frame {
        let count = self.values.len() / self.frames;
        let mut values = self.values[frame * count..][..count].iter().copied();
        let (mut places, mut rotations): (Vec<Point>, Vec<[Point; 3]>) = (Vec::new(), Vec::new());
        for node in &self.nodes {
            let (mut moved, mut turned, mut is_placed) = ([0.0; 3], STILL, false);
            for channel in &node.channels {
                let value = values.next().unwrap_or(0.0);
                match channel {
                    Channel::Position(axis) => (moved[*axis], is_placed) = (value, true),
                    Channel::Rotation(axis) => turned = space::product(&turned, &space::turn(*axis, value)),
                }
            }
            let is_absolute = is_placed && self.absolute && node.parent.is_some();
            let offset = if is_absolute { moved } else { space::sum(node.offset, moved) };
            let (place, rotation) = match node.parent {
                Some(parent) => (
                    space::sum(places[parent], space::rotated(&rotations[parent], offset)),
                    space::product(&rotations[parent], &turned),
                ),
                None => (offset, turned),
            };
            places.push(place);
            rotations.push(rotation);
        }
        Frame { places, rotations }
    }

    /// Some programs write where a joint is, others how far it is from its offset: the first frame tells.
    fn is_absolute(&self) -> bool {
        let mut values = self.values.iter().copied();
        let (mut near_offset, mut near_zero) = (0, 0);
        for node in &self.nodes {
            let mut place = None;
            for channel in &node.channels {
                let value = values.next().unwrap_or(0.0);
                if let Channel::Position(axis) = channel {
                    place.get_or_insert([0.0; 3])[*axis] = value;
                }
            }
            if let (Some(place), Some(_)) = (place, node.parent) {
                let from_offset = space::length(space::difference(place, node.offset));
                match from_offset < space::length(place) {
                    true => near_offset += 1,
                    false => near_zero += 1,
                }
            }
        }
        near_offset > near_zero
    }
}

/// Words with the lines they are in.
struct Words<'a> {
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
    line: usize,
    rest: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { lines: text.lines().enumerate(), line: 1, rest: "".split_whitespace() }
    }

    fn error(&self, problem: impl Into<String>) -> BvhError {
        BvhError { line: self.line, problem: problem.into() }
    }

    fn next(&mut self) -> Option<&'a str> {
        loop {
            if let Some(word) = self.rest.next() {
                return Some(word);
            }
            let (number, line) = self.lines.next()?;
            (self.line, self.rest) = (number + 1, line.split_whitespace());
        }
    }

    fn word(&mut self, wanted: impl fmt::Display) -> Result<&'a str, BvhError> {
        self.next().ok_or_else(|| self.error(format!("the file ends; {wanted} is missing")))
    }

    fn expect(&mut self, word: &str) -> Result<(), BvhError> {
        match self.word(word)? {
            found if found.eq_ignore_ascii_case(word) => Ok(()),
            found => Err(self.error(format!("{}; {word} is needed here", shown(found)))),
        }
    }

    fn number(&mut self, wanted: impl fmt::Display) -> Result<f32, BvhError> {
        let word = self.word(&wanted)?;
        let number = word.parse().ok().filter(|number: &f32| number.abs() <= LARGEST);
        number.ok_or_else(|| {
            self.error(format!("{} for {wanted}; a number up to ±{LARGEST} is allowed", shown(word)))
        })
    }

    fn point(&mut self, wanted: &str) -> Result<Point, BvhError> {
        Ok([self.number(wanted)?, self.number(wanted)?, self.number(wanted)?])
    }

    /// The rest of the line.
    fn name(&mut self, wanted: &str) -> Result<String, BvhError> {
        let first = self.word(wanted)?;
        let mut name = first.to_owned();
        for word in self.rest.by_ref().filter(|word| *word != "{") {
            name.push(' ');
            name.push_str(word);
        }
        Ok(name)
    }
}

/// A word as errors show it.
fn shown(word: &str) -> String {
    let short: String = word.chars().take(40).collect();
    format!("{short:?}")
}

pub(super) fn parse(text: &str) -> Result<Recording, BvhError> {
    let text = text.trim_start_matches('\u{feff}');
    let words = &mut Words::new(text);
    words.expect("HIERARCHY")?;
    words.expect("ROOT")?;
    let nodes = hierarchy(words)?;
    words.expect("MOTION")?;
    words.expect("Frames:")?;
    let frames = count(words)?;
    words.expect("Frame")?;
    words.expect("Time:")?;
    let frame_time = f64::from(words.number("the time of a frame")?);
    if !(1e-4..=100.0).contains(&frame_time) {
        return Err(words.error(format!("{frame_time} s a frame; 0.0001 to 100 is allowed")));
    }
    let each: usize = nodes.iter().map(|node| node.channels.len()).sum();
    if each == 0 {
        return Err(words.error("no joint has a channel: nothing moves"));
    }
    if frames * each > MAX_VALUES {
        return Err(
            words.error(format!("{frames} frames of {each} numbers; {MAX_VALUES} numbers are allowed"))
        );
    }
    let mut values = Vec::new();
    for frame in 0..frames {
        for _ in 0..each {
            values.push(words.number(format_args!("frame {} of {frames}", frame + 1))?);
        }
    }
    if let Some(word) = words.next() {
        return Err(
            words.error(format!("{} after the last of {frames} frames of {each} numbers", shown(word)))
        );
    }
    let mut recording = Recording { nodes, frames, frame_time, values, absolute: false };
    recording.absolute = recording.is_absolute();
    Ok(recording)
}

fn count(words: &mut Words) -> Result<usize, BvhError> {
    let word = words.word("the number of frames")?;
    let count = word.parse().ok().filter(|count| (1..=MAX_FRAMES).contains(count));
    count.ok_or_else(|| words.error(format!("{} frames; 1 to {MAX_FRAMES} are allowed", shown(word))))
}

/// The joints, after `ROOT`.
fn hierarchy(words: &mut Words) -> Result<Vec<Node>, BvhError> {
    let mut nodes = vec![node(words, None)?];
    // The joints that are not closed yet, the innermost last.
    let mut open = vec![0];
    while let Some(parent) = open.last().copied() {
        match words.word("}")? {
            "}" => {
                open.pop();
            }
            word if word.eq_ignore_ascii_case("JOINT") => {
                if nodes.len() == MAX_JOINTS {
                    return Err(words.error(format!("more than {MAX_JOINTS} joints")));
                }
                nodes.push(node(words, Some(parent))?);
                open.push(nodes.len() - 1);
            }
            word if word.eq_ignore_ascii_case("End") => {
                words.name("Site")?;
                nodes[parent].end = Some(end(words)?);
            }
            word => return Err(words.error(format!("{}; JOINT, End Site or }} is needed here", shown(word)))),
        }
    }
    Ok(nodes)
}

fn node(words: &mut Words, parent: Option<usize>) -> Result<Node, BvhError> {
    let name = words.name("a joint's name")?;
    let offset = offset(words)?;
    words.expect("CHANNELS")?;
    let count = words.number("the number of channels")?;
    if !(0.0..=6.0).contains(&count) || count.fract() != 0.0 {
        return Err(words.error(format!("{count} channels; 0 to 6 are allowed")));
    }
    let channels = (0..count as usize).map(|_| channel(words)).collect::<Result<_, _>>()?;
    Ok(Node { name, parent, offset, end: None, channels })
}

fn channel(words: &mut Words) -> Result<Channel, BvhError> {
    let word = words.word("a channel")?.to_ascii_lowercase();
    let axis = match word.chars().next() {
        Some('x') => Some(0),
        Some('y') => Some(1),
        Some('z') => Some(2),
        _ => None,
    };
    match (axis, word.get(1..)) {
        (Some(axis), Some("position")) => Ok(Channel::Position(axis)),
        (Some(axis), Some("rotation")) => Ok(Channel::Rotation(axis)),
        _ => Err(words.error(format!("{}; channels are Xposition to Zrotation", shown(&word)))),
    }
}

/// The end of the last bone.
fn end(words: &mut Words) -> Result<Point, BvhError> {
    let offset = offset(words)?;
    words.expect("}")?;
    Ok(offset)
}

/// `OFFSET` and its numbers, after a brace that may have stood beside the name.
fn offset(words: &mut Words) -> Result<Point, BvhError> {
    let mut word = words.word("OFFSET")?;
    if word == "{" {
        word = words.word("OFFSET")?;
    }
    if !word.eq_ignore_ascii_case("OFFSET") {
        return Err(words.error(format!("{}; OFFSET is needed here", shown(word))));
    }
    words.point("an offset")
}
