//! Frames of OpenPose and ComfyUI.

use serde_json::Value;

use super::value::{Parsed, Problem, canvas, each, frame_rate, list, numbers};
use crate::{Body, FACE_POINTS, Joint, Keypoint, Person};

/// Keys of the groups of a person.
pub(super) const BODY_KEY: &str = "pose_keypoints_2d";
pub(super) const FACE_KEY: &str = "face_keypoints_2d";
pub(super) const LEFT_HAND_KEY: &str = "hand_left_keypoints_2d";
pub(super) const RIGHT_HAND_KEY: &str = "hand_right_keypoints_2d";

/// Key of a person's number, a list of one.
pub(super) const NUMBER_KEY: &str = "person_id";
/// Most people in one frame.
const MOST_SEEN: usize = 1000;
/// Larger numbers do not count as such.
const MAX_PEOPLE: usize = 256;

/// BODY_25's index of each joint: its point 8 is the middle of the hips, 19 to 24 are feet.
const BODY_25: [usize; Joint::COUNT] = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

/// One frame as it stands in a file; coordinates in the file's unit.
#[derive(Debug, Default)]
pub(super) struct RawFrame {
    pub(super) canvas: Option<(u32, u32)>,
    pub(super) frames_per_second: Option<f64>,
    pub(super) people: Vec<Person>,
    /// The number of each of `people`, where the file gives all of them one.
    pub(super) numbers: Option<Vec<usize>>,
}

/// Reads an object with `people`.
pub(super) fn frame(object: &Value) -> Parsed<RawFrame> {
    let people = match object.get("people") {
        None | Some(Value::Null) => Vec::new(),
        Some(people) => {
            let people = list(people).and_then(few_people);
            people.and_then(|people| each(people, person)).map_err(|p| p.within(".people"))?
        }
    };
    let seen: Vec<(Person, Option<usize>)> =
        people.into_iter().filter(|(person, _)| !person.is_empty()).collect();
    let numbers = seen.iter().map(|(_, number)| *number).collect();
    Ok(RawFrame {
        canvas: canvas(object, "canvas_width", "canvas_height")?,
        frames_per_second: object.get("fps").map_or(Ok(None), frame_rate)?,
        people: seen.into_iter().map(|(person, _)| person).collect(),
        numbers,
    })
}

/// Refuses a frame with more people than one can be seen in.
pub(super) fn few_people(people: &[Value]) -> Parsed<&[Value]> {
    match people.len() > MOST_SEEN {
        true => Err(Problem::new(format!(
            "{} people; at most {MOST_SEEN} in one frame are allowed",
            people.len()
        ))),
        false => Ok(people),
    }
}

/// A person, and their number, which is -1 or absent where the file does not follow people.
fn person(value: &Value) -> Parsed<(Person, Option<usize>)> {
    if !value.is_object() {
        return Err(Problem::new(format!("{} is not an object", super::value::shown(value))));
    }
    let body = match group(value, BODY_KEY, &[18, 25])? {
        None => Body::default(),
        Some(points) if points.len() == Joint::COUNT => first(&points),
        Some(points) => BODY_25.map(|index| points.get(index).copied().flatten()),
    };
    let number = value.get(NUMBER_KEY).and_then(|number| number.get(0)).and_then(Value::as_u64);
    let number = number.map(|number| number as usize).filter(|&number| number < MAX_PEOPLE);
    let person = Person {
        body,
        left_hand: seen(group(value, LEFT_HAND_KEY, &[21])?),
        right_hand: seen(group(value, RIGHT_HAND_KEY, &[21])?),
        face: seen(group(value, FACE_KEY, &[FACE_POINTS, 70])?),
        depths: None,
    };
    Ok((person, number))
}

/// The points of the group `key`, whose count is one of `counts`; `None` where the group is absent.
fn group(person: &Value, key: &str, counts: &[usize]) -> Parsed<Option<Vec<Option<Keypoint>>>> {
    let values = match person.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => list(value).and_then(numbers_of(counts)).map_err(|p| p.within(format!(".{key}")))?,
    };
    Ok((!values.is_empty()).then(|| triples(&values)))
}

fn numbers_of(counts: &[usize]) -> impl Fn(&[Value]) -> Parsed<Vec<f64>> + '_ {
    move |items| {
        if !items.is_empty() && !counts.iter().any(|count| items.len() == count * 3) {
            let allowed: Vec<String> = counts.iter().map(|count| (count * 3).to_string()).collect();
            let text = format!("{} numbers, expected {} or none", items.len(), allowed.join(" or "));
            return Err(Problem::new(text));
        }
        numbers(items)
    }
}

/// Points from a flat list of x, y, confidence.
pub(super) fn triples(values: &[f64]) -> Vec<Option<Keypoint>> {
    let point = |xyc: &[f64]| match *xyc {
        [x, y, confidence] => Keypoint::seen(x as f32, y as f32, confidence as f32),
        _ => None,
    };
    values.chunks_exact(3).map(point).collect()
}

fn first<const N: usize>(points: &[Option<Keypoint>]) -> [Option<Keypoint>; N] {
    std::array::from_fn(|index| points.get(index).copied().flatten())
}

/// The first `N` points, or `None` when none of them is seen.
fn seen<const N: usize>(points: Option<Vec<Option<Keypoint>>>) -> Option<Box<[Option<Keypoint>; N]>> {
    points.map(|points| first(&points)).filter(|group| group.iter().any(Option::is_some)).map(Box::new)
}
