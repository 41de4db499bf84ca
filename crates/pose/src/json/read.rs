//! From files to a sequence.

use serde_json::value::RawValue;

use super::openpose::RawFrame;
use super::units::{self, Units};
use super::value::{ParseError, Parsed, Problem, frame_rate, shown};
use super::{coco, openpose, raw};
use crate::error::Error;
use crate::{Camera, MAX_CANVAS, Person, Pose, PoseSequence};

/// Most frames of a sequence: almost an hour at 30 frames a second.
const MAX_FRAMES: usize = 100_000;
/// Most people in all frames together.
const MAX_PEOPLE: usize = 500_000;

/// What a pose file may leave open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadSettings {
    /// Width and height, each 1 to [`MAX_CANVAS`], of the canvas that the coordinates refer to where the file does
    /// not say. Default: none, see [`json`](crate::json).
    pub canvas: Option<(u32, u32)>,
    /// From where the dancer of a motion capture file is seen.
    pub camera: Camera,
}

impl ReadSettings {
    /// Whether the canvas is in its range.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self) -> crate::Result<()> {
        let allowed = 1..=MAX_CANVAS;
        match self.canvas {
            Some((width, height)) if !(allowed.contains(&width) && allowed.contains(&height)) => {
                let problem = format!("{width}×{height}: each side has to be in 1..={MAX_CANVAS}");
                Err(Error::setting("canvas", problem))
            }
            _ => Ok(()),
        }
    }
}

/// Reads every person of every frame from the text of a pose file (see [`json`](crate::json) for the shapes). Frames without
/// anybody stay empty.
///
/// # Errors
/// Those of [`PoseFiles::add`] and [`PoseFiles::finish`].
pub fn parse_poses(text: &[u8], settings: &ReadSettings) -> Result<PoseSequence, ParseError> {
    let mut files = PoseFiles::default();
    files.add(text)?;
    files.finish(settings)
}

/// The text of one or several pose files, whose frames follow each other. Unit and canvas are those of all of them together.
#[derive(Debug, Default)]
pub struct PoseFiles(Vec<RawFrame>);

impl PoseFiles {
    /// Adds the frames of a further file.
    ///
    /// # Errors
    /// An empty or truncated text, another shape, a list of the wrong length, a value that is not a finite number. A
    /// coordinate beyond ±100,000 pixels, or more than 100,000 frames or 500,000 people in all. The error names the
    /// place and the value.
    pub fn add(&mut self, text: &[u8]) -> Result<(), ParseError> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let raw = raw::check(text).map_err(|error| ParseError(describe(&error, text)))?;
        let frames = frames_of(raw)?;
        units::check_range(&frames)?;
        self.0.extend(frames);
        Ok(check_counts(&self.0)?)
    }

    /// All frames on one canvas, in pixels.
    ///
    /// # Errors
    /// Canvases that differ or are out of range, or nobody in any frame.
    pub fn finish(self, settings: &ReadSettings) -> Result<PoseSequence, ParseError> {
        settings.check().map_err(|error| ParseError(error.to_string()))?;
        Ok(assemble(self.0, settings)?)
    }
}

/// Refuses more than can be kept in memory.
fn check_counts(frames: &[RawFrame]) -> Parsed<()> {
    let people: usize = frames.iter().map(|frame| frame.people.len()).sum();
    match (frames.len() > MAX_FRAMES, people > MAX_PEOPLE) {
        (true, _) => Err(Problem::new(format!("{} frames; at most {MAX_FRAMES} are allowed", frames.len()))),
        (_, true) => {
            Err(Problem::new(format!("{people} people in all frames; at most {MAX_PEOPLE} are allowed")))
        }
        _ => Ok(()),
    }
}

/// The parser's words, or plainer ones for numbers that Python writes and JSON does not have.
fn describe(error: &serde_json::Error, text: &[u8]) -> String {
    let line = text.split(|&byte| byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let rest = line.get(error.column().saturating_sub(3)..).unwrap_or_default();
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(16)]).into_owned();
    for name in ["NaN", "Infinity"] {
        if rest.contains(name) {
            let place = format!("line {} column {}", error.line(), error.column());
            return format!("{name} at {place}: every value has to be a finite number");
        }
    }
    format!("not valid JSON: {error}")
}

/// Recognises the shape of a file.
fn frames_of(raw: &RawValue) -> Parsed<Vec<RawFrame>> {
    if raw::is_list(raw) {
        return list_of_frames(raw);
    }
    if !raw.get().starts_with('{') {
        let text = format!("{} is no pose file: expected a list or an object", shown(&raw::value(raw)?));
        return Err(Problem::new(text));
    }
    let fields = raw::fields(raw)?;
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    if let Some(annotations) = field("annotations") {
        let entries = raw::entries(annotations, MAX_PEOPLE).map_err(|p| p.within(".annotations"))?;
        return coco::results(&entries, field("images"));
    }
    if let Some(frames) = field("frames") {
        let mut found = list_of_frames(frames).map_err(|p| p.within(".frames"))?;
        if let (Some(first), Some(rate)) = (found.first_mut(), field("fps")) {
            first.frames_per_second = frame_rate(&raw::value(rate)?)?.or(first.frames_per_second);
        }
        return Ok(found);
    }
    match field("people") {
        Some(_) => Ok(vec![openpose::frame(&raw::value(raw)?)?]),
        None => Err(Problem::new("an object without people, frames or annotations is no pose file")),
    }
}

fn list_of_frames(raw: &RawValue) -> Parsed<Vec<RawFrame>> {
    let entries = raw::entries(raw, MAX_PEOPLE)?;
    if coco::is_results(&entries)? {
        return coco::results(&entries, None);
    }
    if entries.len() > MAX_FRAMES {
        return Err(Problem::new(format!("{} frames; at most {MAX_FRAMES} are allowed", entries.len())));
    }
    raw::each(&entries, coco::frame_entry)
}

/// Whether no two people of a frame have the same number.
fn are_distinct(numbers: &[usize]) -> bool {
    numbers.iter().enumerate().all(|(index, number)| !numbers[..index].contains(number))
}

/// Puts all frames on one canvas, in pixels.
fn assemble(frames: Vec<RawFrame>, settings: &ReadSettings) -> Parsed<PoseSequence> {
    if frames.iter().all(|frame| frame.people.is_empty()) {
        let text = format!(
            "nobody in any of the {} frames (a point counts from a confidence above {})",
            frames.len(),
            crate::CONFIDENCE_THRESHOLD
        );
        return Err(Problem::new(text));
    }
    let units = units::recognise(&frames);
    let (width, height) = units::resolve_canvas(&frames, units, settings.canvas)?;
    if units == Units::Pixels
        && settings.canvas.is_none()
        && frames.iter().all(|frame| frame.canvas.is_none())
    {
        tracing::warn!("the pose file states no canvas: {width}×{height} is assumed");
    }
    let (scale, offset) = units::to_pixels(units, (width, height));
    let frames_per_second = frames.iter().find_map(|frame| frame.frames_per_second);
    let tracked = frames.iter().all(|frame| frame.numbers.as_deref().is_some_and(are_distinct));
    if tracked {
        check_places(&frames)?;
    }
    let place = |frame: RawFrame| {
        let people = frame.people.into_iter().map(|person| person.transformed(scale, offset));
        let people = match frame.numbers.filter(|_| tracked) {
            Some(numbers) => in_places(people, &numbers),
            None => people.collect(),
        };
        Pose { width, height, people }
    };
    let poses = frames.into_iter().map(place).collect();
    Ok(PoseSequence { width, height, frames_per_second, tracked, poses })
}

/// Refuses numbers of people so large that the places of those before them, in all frames, could not be kept.
fn check_places(frames: &[RawFrame]) -> Parsed<()> {
    let places = |frame: &RawFrame| frame.numbers.iter().flatten().max().map_or(0, |last| last + 1);
    let all: usize = frames.iter().map(places).sum();
    if all <= 2 * MAX_PEOPLE {
        return Ok(());
    }
    let text = format!(
        "people's numbers ask for {all} places in all frames; at most {} are allowed",
        2 * MAX_PEOPLE
    );
    Err(Problem::new(text))
}

/// Each person in the place of their number.
fn in_places(people: impl Iterator<Item = Person>, numbers: &[usize]) -> Vec<Person> {
    let mut placed = vec![Person::default(); numbers.iter().max().map_or(0, |last| last + 1)];
    for (&number, person) in numbers.iter().zip(people) {
        placed[number] = person;
    }
    placed
}
