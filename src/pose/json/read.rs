//! From files to a sequence.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::natural::natural_order;
use super::openpose::RawFrame;
use super::units::{self, Units};
use super::value::{Parsed, Problem, each, frame_rate, list, shown};
use super::{coco, openpose};
use crate::error::{Error, Result};
use crate::pose::{MAX_CANVAS, Person, Pose, PoseSequence};

/// Larger files are refused: a minute of body, hands and face takes some 20 MB.
const MAX_FILE_SIZE: u64 = 256 << 20;

/// What a pose file may leave open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSettings {
    /// Width and height, each 1 to [`MAX_CANVAS`], of the canvas that the coordinates refer to where the file does
    /// not say. Default: none, see [`json`](crate::pose::json).
    pub canvas: Option<(u32, u32)>,
}

/// Reads every person of every frame from a JSON file or a folder of them (see [`json`](crate::pose::json) for
/// the shapes). Frames without anybody stay empty.
///
/// # Errors
/// A missing, empty, over-long (256 MiB) or truncated file, a folder without `*.json`, another shape, a list of the
/// wrong length, a value that is not a finite number, a coordinate beyond ±100,000 pixels, canvases that differ or
/// are out of range, or nobody in any frame. The error names the file, the place and the value.
pub fn read_poses(path: &Path, settings: &ReadSettings) -> Result<PoseSequence> {
    if let Some((width, height)) = settings.canvas {
        let allowed = 1..=MAX_CANVAS;
        if !(allowed.contains(&width) && allowed.contains(&height)) {
            let problem = format!("{width}×{height}: each side has to be in 1..={MAX_CANVAS}");
            return Err(Error::setting("canvas", problem));
        }
    }
    let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    let files = if metadata.is_dir() { json_files(path)? } else { vec![path.to_path_buf()] };
    let mut frames: Vec<RawFrame> = Vec::new();
    for file in &files {
        let value = read_value(file)?;
        let found = frames_of(&value).and_then(|found| units::check_range(&found).map(|()| found));
        frames.extend(found.map_err(|problem| Error::input(file, problem.message()))?);
    }
    assemble(&frames, settings).map_err(|problem| Error::input(path, problem.message()))
}

/// The folder's JSON files in natural order, hidden ones left out.
fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))? {
        let path = entry.map_err(|source| Error::io(folder, source))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json && !name.starts_with('.') && path.is_file() {
            files.push((name, path));
        }
    }
    if files.is_empty() {
        return Err(Error::input(folder, "no *.json file in this folder, at least one is needed"));
    }
    files.sort_by(|a, b| natural_order(&a.0, &b.0));
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn read_value(path: &Path) -> Result<Value> {
    let size = std::fs::metadata(path).map_err(|source| Error::io(path, source))?.len();
    if size == 0 || size > MAX_FILE_SIZE {
        return Err(Error::input(path, format!("{size} bytes; a pose file has 1 to {MAX_FILE_SIZE}")));
    }
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    serde_json::from_slice(text).map_err(|error| Error::input(path, describe(&error, text)))
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
fn frames_of(value: &Value) -> Parsed<Vec<RawFrame>> {
    match value {
        Value::Array(items) => list_of_frames(items),
        Value::Object(object) => {
            if let Some(annotations) = object.get("annotations") {
                let images = object.get("images");
                list(annotations)
                    .map_err(|p| p.within(".annotations"))
                    .and_then(|items| coco::results(items, images))
            } else if let Some(frames) = object.get("frames") {
                let items = list(frames).map_err(|p| p.within(".frames"))?;
                let mut found = list_of_frames(items).map_err(|p| p.within(".frames"))?;
                if let Some(first) = found.first_mut() {
                    first.frames_per_second = frame_rate(value)?.or(first.frames_per_second);
                }
                Ok(found)
            } else if object.contains_key("people") {
                Ok(vec![openpose::frame(value)?])
            } else {
                Err(Problem::new("an object without people, frames or annotations is no pose file"))
            }
        }
        other => Err(Problem::new(format!("{} is no pose file: expected a list or an object", shown(other)))),
    }
}

fn list_of_frames(items: &[Value]) -> Parsed<Vec<RawFrame>> {
    if coco::is_results(items) { coco::results(items, None) } else { each(items, coco::frame_entry) }
}

/// Whether no two people of a frame have the same number.
fn are_distinct(numbers: &[usize]) -> bool {
    numbers.iter().enumerate().all(|(index, number)| !numbers[..index].contains(number))
}

/// Puts all frames on one canvas, in pixels.
fn assemble(frames: &[RawFrame], settings: &ReadSettings) -> Parsed<PoseSequence> {
    if frames.iter().all(|frame| frame.people.is_empty()) {
        let text = format!(
            "nobody in any of the {} frames (a point counts from a confidence above {})",
            frames.len(),
            crate::pose::CONFIDENCE_THRESHOLD
        );
        return Err(Problem::new(text));
    }
    let units = units::recognise(frames);
    let (width, height) = units::resolve_canvas(frames, units, settings.canvas)?;
    if units == Units::Pixels
        && settings.canvas.is_none()
        && frames.iter().all(|frame| frame.canvas.is_none())
    {
        tracing::warn!("the pose file states no canvas: {width}×{height} is assumed");
    }
    let (scale, offset) = units::to_pixels(units, (width, height));
    let place = |frame: &RawFrame| Pose {
        width,
        height,
        people: frame.people.iter().map(|person| person.transformed(scale, offset)).collect(),
    };
    let frames_per_second = frames.iter().find_map(|frame| frame.frames_per_second);
    let mut poses: Vec<Pose> = frames.iter().map(place).collect();
    let tracked = frames.iter().all(|frame| frame.numbers.as_deref().is_some_and(are_distinct));
    if tracked {
        for (pose, frame) in poses.iter_mut().zip(frames) {
            let numbers = frame.numbers.as_deref().unwrap_or_default();
            let count = numbers.iter().max().map_or(0, |last| last + 1);
            let mut people = vec![Person::default(); count];
            for (&number, person) in numbers.iter().zip(pose.people.drain(..)) {
                people[number] = person;
            }
            pose.people = people;
        }
    }
    Ok(PoseSequence { width, height, frames_per_second, tracked, poses })
}
