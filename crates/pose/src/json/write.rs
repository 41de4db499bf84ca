//! From a sequence to files.

use serde::Serialize;
use serde::ser::SerializeMap;

use super::openpose::{BODY_KEY, FACE_KEY, LEFT_HAND_KEY, NUMBER_KEY, RIGHT_HAND_KEY};
use crate::{Keypoint, Person, Pose, PoseSequence};

#[derive(Serialize)]
struct FrameFile {
    version: &'static str,
    canvas_width: u32,
    canvas_height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    fps: Option<f64>,
    people: Vec<PersonFile>,
}

/// One person as a map, so that the keys are those of the reader; the number only where people are followed.
struct PersonFile {
    number: Option<usize>,
    groups: [(&'static str, Option<Vec<f32>>); 4],
}

impl Serialize for PersonFile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(number) = self.number {
            map.serialize_entry(NUMBER_KEY, &[number])?;
        }
        for (key, values) in &self.groups {
            map.serialize_entry(key, values)?;
        }
        map.end()
    }
}

fn flat(points: &[Option<Keypoint>]) -> Vec<f32> {
    points
        .iter()
        .flat_map(|point| point.map_or([0.0; 3], |point| [point.x, point.y, point.confidence]))
        .collect()
}

fn person_file(person: &Person, number: Option<usize>) -> PersonFile {
    let groups = [
        (BODY_KEY, Some(flat(&person.body))),
        (FACE_KEY, person.face.as_deref().map(|face| flat(face))),
        (LEFT_HAND_KEY, person.left_hand.as_deref().map(|hand| flat(hand))),
        (RIGHT_HAND_KEY, person.right_hand.as_deref().map(|hand| flat(hand))),
    ];
    PersonFile { number, groups }
}

fn frame_file(pose: &Pose, sequence: &PoseSequence) -> FrameFile {
    let people = pose.people.iter().enumerate().filter(|(_, person)| !sequence.tracked || !person.is_empty());
    FrameFile {
        version: "1.3",
        canvas_width: pose.width,
        canvas_height: pose.height,
        fps: sequence.frames_per_second,
        people: people
            .map(|(index, person)| person_file(person, sequence.tracked.then_some(index)))
            .collect(),
    }
}

/// The sequence as a ComfyUI `POSE_KEYPOINT` list in pixels; each frame also has `fps` where it is known.
pub fn pose_keypoints(sequence: &PoseSequence) -> Vec<u8> {
    let frames: Vec<FrameFile> = sequence.poses.iter().map(|pose| frame_file(pose, sequence)).collect();
    bytes(&frames)
}

/// The sequence as the files of an OpenPose folder, with their names: `frame_000000000000_keypoints.json` and so on, in pixels.
/// Each also has `canvas_width`, `canvas_height` and, where it is known, `fps`.
pub fn openpose_files(sequence: &PoseSequence) -> impl Iterator<Item = (String, Vec<u8>)> {
    let files = sequence.poses.iter().enumerate();
    files.map(|(index, pose)| {
        (format!("frame_{index:012}_keypoints.json"), bytes(&frame_file(pose, sequence)))
    })
}

/// The value as JSON.
fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("lists and texts by key, which JSON has")
}
