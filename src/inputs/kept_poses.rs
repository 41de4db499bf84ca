//! Poses that were found in a video, as bytes for the journal: a render that goes on need not look for them again.
//!
//! A safetensors file. `people` (frames) says how many there are in each frame. In `points` (people of all frames,
//! points, 3) are x, y and confidence (0 where not seen). There are also `times` (frames) and `cuts`; everything else
//! is in the file's metadata.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use crate::error::{Error, Result};
use crate::inputs::extract::Extracted;
use crate::pose::{Keypoint, POINTS, Person, Points, Pose, PoseSequence};

/// The bytes. `key` says what they were found in, and how.
///
/// # Errors
/// Failures of memory.
pub fn to_bytes(found: &Extracted, key: &str) -> Result<Vec<u8>> {
    let Extracted { sequence, times, cuts, frame_rate, has_audio } = found;
    let poses = &sequence.poses;
    let people: Vec<u32> = poses.iter().map(|pose| pose.people.len() as u32).collect();
    let persons = poses.iter().flat_map(|pose| &pose.people);
    let values: Vec<f32> = persons.flat_map(|person| person.points()).flat_map(numbers).collect();
    let rows = values.len() / (3 * POINTS);
    let cuts: Vec<u32> = cuts.iter().map(|&cut| cut as u32).collect();
    let tensors = [
        ("people", Tensor::new(people, &Device::Cpu)?),
        ("points", Tensor::from_vec(values, (rows, POINTS, 3), &Device::Cpu)?),
        ("times", Tensor::new(times.as_slice(), &Device::Cpu)?),
        ("cuts", Tensor::new(cuts, &Device::Cpu)?),
    ];
    let facts = [
        ("key", key.to_string()),
        ("width", sequence.width.to_string()),
        ("height", sequence.height.to_string()),
        ("rate", frame_rate.0.to_string()),
        ("per", frame_rate.1.to_string()),
        ("audio", has_audio.to_string()),
    ];
    let facts: HashMap<String, String> = facts.map(|(name, value)| (name.into(), value)).into();
    let tensors = tensors.iter().map(|(name, tensor)| (*name, tensor));
    safetensors::serialize(tensors, Some(facts)).map_err(|error| Error::setting("poses", error.to_string()))
}

/// What [`to_bytes`] wrote; `None` where it was found in something else, or where the bytes are damaged.
pub fn from_bytes(bytes: &[u8], key: &str) -> Option<Extracted> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let facts = header.metadata().as_ref()?;
    if facts.get("key")? != key {
        return None;
    }
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).ok()?;
    let number = |name: &str| facts.get(name)?.parse::<u32>().ok();
    let (width, height, frame_rate) =
        (number("width")?, number("height")?, (number("rate")?, number("per")?));
    let values: Vec<f32> = tensors.get("points")?.flatten_all().ok()?.to_vec1().ok()?;
    let mut persons = values.chunks_exact(3 * POINTS).map(person);
    let mut poses = Vec::new();
    for count in tensors.get("people")?.to_vec1::<u32>().ok()? {
        let people: Vec<Person> = persons.by_ref().take(count as usize).collect();
        poses.push((people.len() == count as usize).then_some(Pose { width, height, people })?);
    }
    let times: Vec<f64> = tensors.get("times")?.to_vec1().ok()?;
    let cuts = tensors.get("cuts")?.to_vec1::<u32>().ok()?.into_iter().map(|cut| cut as usize).collect();
    let rate = f64::from(frame_rate.0) / f64::from(frame_rate.1);
    let sequence = PoseSequence { width, height, frames_per_second: Some(rate), tracked: true, poses };
    let whole = times.len() == sequence.poses.len() && persons.next().is_none();
    let has_audio = facts.get("audio")? == "true";
    whole.then_some(Extracted { sequence, times, cuts, frame_rate, has_audio })
}

fn numbers(point: Option<Keypoint>) -> [f32; 3] {
    point.map_or([0.0; 3], |point| [point.x, point.y, point.confidence])
}

fn person(values: &[f32]) -> Person {
    let mut points: Points = [None; POINTS];
    for (point, value) in points.iter_mut().zip(values.chunks_exact(3)) {
        *point = Keypoint::seen(value[0], value[1], value[2]);
    }
    Person::from_points(&points)
}
