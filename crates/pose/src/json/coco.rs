//! COCO-17 keypoints, as person detectors write them.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::natural::natural_order;
use super::openpose::{RawFrame, few_people, frame, triples};
use super::raw;
use super::value::{Parsed, Problem, canvas, each, list, numbers, shown};
use crate::{COCO_POINTS, Person};

/// Most images of a file.
const MAX_IMAGES: usize = 500_000;

/// 17 triples or 51 numbers.
fn keypoints(value: &Value) -> Parsed<Person> {
    let items = list(value)?;
    let flat = if items.len() == COCO_POINTS {
        each(items, triple)?.concat()
    } else if items.len() == COCO_POINTS * 3 {
        numbers(items)?
    } else {
        let text = format!("{} entries, expected 17 triples [x, y, score] or 51 numbers", items.len());
        return Err(Problem::new(text));
    };
    Ok(Person::from_coco(&triples(&flat)))
}

fn triple(value: &Value) -> Parsed<Vec<f64>> {
    match list(value)? {
        items if items.len() == 3 => numbers(items),
        items => Err(Problem::new(format!("{} numbers, expected 3: x, y, score", items.len()))),
    }
}

/// The `keypoints` of an object; nobody where they are absent.
fn keypoints_of(object: &Value) -> Parsed<Option<Person>> {
    match object.get("keypoints") {
        None | Some(Value::Null) => Ok(None),
        Some(value) if value.as_array().is_some_and(Vec::is_empty) => Ok(None),
        Some(value) => keypoints(value).map(Some).map_err(|p| p.within(".keypoints")),
    }
}

/// One entry of a list of frames.
pub(super) fn frame_entry(value: &Value) -> Parsed<RawFrame> {
    let people = match value {
        Value::Null => Vec::new(),
        Value::Object(object) if object.contains_key("people") => return frame(value),
        Value::Object(object) if object.contains_key("keypoints") => {
            keypoints_of(value)?.into_iter().collect()
        }
        Value::Array(items) => match items.first() {
            None => Vec::new(),
            Some(Value::Number(_)) => vec![keypoints(value)?],
            // 17 triples are one person, any other list of lists or objects several.
            Some(Value::Array(first)) if first.len() == 3 => vec![keypoints(value)?],
            Some(_) => each(few_people(items)?, person_entry)?,
        },
        other => {
            let text = format!("{} is no frame: expected people, keypoints, a list or null", shown(other));
            return Err(Problem::new(text));
        }
    };
    Ok(RawFrame {
        people: people.into_iter().filter(|person| !person.is_empty()).collect(),
        ..RawFrame::default()
    })
}

fn person_entry(value: &Value) -> Parsed<Person> {
    match value {
        Value::Object(object) if object.contains_key("keypoints") => {
            Ok(keypoints_of(value)?.unwrap_or_default())
        }
        Value::Array(_) => keypoints(value),
        other => Err(Problem::new(format!("{} is no person: expected keypoints", shown(other)))),
    }
}

/// Whether a list holds detections with their image rather than frames.
pub(super) fn is_results(entries: &[&RawValue]) -> Parsed<bool> {
    for entry in entries.iter().filter(|entry| entry.get().contains("image_id")) {
        if raw::value(entry)?.get("image_id").is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Groups detections by `image_id`. The frames are `images` where given, else the distinct ids in natural order.
pub(super) fn results(entries: &[&RawValue], images: Option<&RawValue>) -> Parsed<Vec<RawFrame>> {
    let detections = raw::each(entries, |item| Ok((image_id(item, "image_id")?, keypoints_of(item)?)))?;
    let images = images.filter(|images| images.get() != "null");
    let mut order: Vec<(String, RawFrame)> = match images {
        None => {
            let mut names: Vec<&String> = detections.iter().map(|(name, _)| name).collect();
            names.sort_by(|a, b| natural_order(a, b));
            names.dedup();
            names.into_iter().map(|name| (name.clone(), RawFrame::default())).collect()
        }
        Some(images) => {
            let images = raw::entries(images, MAX_IMAGES);
            images.and_then(|images| raw::each(&images, image)).map_err(|p| p.within(".images"))?
        }
    };
    let places: HashMap<String, usize> =
        order.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect();
    for (name, person) in detections {
        let Some((_, frame)) = places.get(&name).and_then(|&place| order.get_mut(place)) else {
            return Err(Problem::new(format!("image_id {name} is not among the images")));
        };
        frame.people.extend(person.filter(|person| !person.is_empty()));
    }
    Ok(order.into_iter().map(|(_, frame)| frame).collect())
}

fn image(value: &Value) -> Parsed<(String, RawFrame)> {
    let frame = RawFrame { canvas: canvas(value, "width", "height")?, ..RawFrame::default() };
    Ok((image_id(value, "id")?, frame))
}

/// Numbers and texts are both in use.
fn image_id(object: &Value, key: &str) -> Parsed<String> {
    match object.get(key) {
        Some(Value::String(name)) => Ok(name.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(other) => Err(Problem::new(format!("{} is neither a number nor a text", shown(other)))),
        None => Err(Problem::new("missing")),
    }
    .map_err(|p| p.within(format!(".{key}")))
}
