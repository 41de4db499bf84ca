//! Motion capture files (BVH) as poses: the skeleton is moved, and seen by a camera.
//!
//! Joints are known by their names, as CMU, Mixamo, Rokoko, Blender, 3ds Max, Daz and VRM give them; where these are others, by the
//! shape of the skeleton. Y points upwards, and the dancer looks along Z before he turns. Nose, eyes and ears, which such files
//! lack, are put on the head, and count as seen where the head does not hide them.

mod names;
mod parse;
mod shape;
mod space;

use std::fmt;
use std::str::FromStr;

use names::Roles;
use parse::{Node, Recording};
use space::{Frame, Point};

use crate::{BoundingBox, Joint, Keypoint, MAX_CANVAS, Person, Pose, PoseSequence, vector};

/// From where a dancer is seen. Distances shrink nothing (orthographic).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Camera {
    /// Degrees around the dancer, -180 to 180: 0 is the front, 90 sees the dancer's left side.
    pub yaw: f32,
    /// Degrees above the dancer, -90 to 90.
    pub pitch: f32,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BvhError {
    /// The line, from 1.
    pub line: usize,
    /// The value found, and what is allowed.
    pub problem: String,
}

/// Height in pixels of the standing figure.
const FIGURE: f32 = 512.0;
/// Longest side of the canvas.
const LONGEST: f32 = MAX_CANVAS as f32 / 4.0;
/// Room around the dance, in figures.
const ROOM: f32 = 0.1;

/// Reads the text of a BVH file.
///
/// # Errors
/// A file that is cut off or damaged, numbers that are none, more than 100,000 frames or 1,000 joints, and skeletons without two arms
/// and two legs.
pub fn parse_bvh(text: &str, camera: &Camera) -> Result<PoseSequence, BvhError> {
    let recording = parse::parse(text)?;
    let roles = Roles::of(&recording.nodes).map_err(|problem| BvhError { line: 1, problem })?;
    let view = camera.rotation();
    let face = Face::new(&recording.nodes, &roles);
    let people: Vec<Person> = (0..recording.frames)
        .map(|frame| person(&recording.nodes, &recording.at(frame), &roles, &face, &view))
        .collect();
    Ok(on_canvas(people, rest_height(&recording.nodes), &recording))
}

/// The person of a frame, in the file's units, y downwards.
fn person(nodes: &[Node], frame: &Frame, roles: &Roles, face: &Face, view: &[Point; 3]) -> Person {
    let mut person = Person::default();
    let mut depths = Box::new([None; Joint::COUNT]);
    let mut put = |joint: Joint, place: Point| {
        let seen = space::rotated(view, place);
        person.body[joint as usize] = Some(Keypoint { x: seen[0], y: -seen[1], confidence: 1.0 });
        depths[joint as usize] = Some(-seen[2]);
    };
    for (joint, node) in roles.limbs() {
        put(joint, frame.places[node]);
    }
    let [right, left] =
        [Joint::RightShoulder, Joint::LeftShoulder].map(|joint| frame.places[roles.node(joint)]);
    put(Joint::Neck, space::between(right, left, 0.5));
    for (joint, place) in face.seen(nodes, frame, view) {
        put(joint, place);
    }
    Person { depths: Some(depths), ..person }
}

/// How high the skeleton stands.
fn rest_height(nodes: &[Node]) -> f32 {
    let rest = space::rest(nodes);
    let ends = nodes.iter().zip(&rest).filter_map(|(node, place)| Some(place[1] + node.end?[1]));
    let heights = rest.iter().map(|place| place[1]).chain(ends);
    let (low, high) =
        heights.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
    (high - low).max(1e-3)
}

fn on_canvas(people: Vec<Person>, figure: f32, recording: &Recording) -> PoseSequence {
    let points = people.iter().flat_map(|person| person.body.iter().flatten());
    let none = BoundingBox { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 };
    let bounds = BoundingBox::of(points.map(|point| vector(point.x, point.y))).unwrap_or(none);
    let room = ROOM * figure;
    let (wide, high) = (bounds.width() + 2.0 * room, bounds.height() + 2.0 * room);
    let scale = (FIGURE / figure).min(LONGEST / wide.max(high));
    let side = |length: f32| ((length * scale).ceil() as u32).max(1);
    let (width, height) = (side(wide), side(high));
    let offset = ((room - bounds.left) * scale, (room - bounds.top) * scale);
    let pose =
        |person: Person| Pose { width, height, people: vec![person.transformed((scale, scale), offset)] };
    PoseSequence {
        width,
        height,
        frames_per_second: Some(1.0 / recording.frame_time),
        tracked: true,
        poses: people.into_iter().map(pose).collect(),
    }
}

impl FromStr for Camera {
    type Err = String;

    /// `yaw=20,pitch=5`, or one of both.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut camera = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (place, most) = match name.trim() {
                "yaw" => (&mut camera.yaw, 180.0),
                "pitch" => (&mut camera.pitch, 90.0),
                _ => return Err(format!("{text}: not of the form yaw=20,pitch=5")),
            };
            let degrees = value.trim().parse().ok().filter(|degrees: &f32| degrees.abs() <= most);
            *place = degrees.ok_or_else(|| format!("{part}: -{most} to {most} degrees are allowed"))?;
        }
        Ok(camera)
    }
}

impl fmt::Display for Camera {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "yaw={},pitch={}", self.yaw, self.pitch)
    }
}

impl Camera {
    /// The rows of the rotation that brings the world before the camera.
    fn rotation(&self) -> [Point; 3] {
        let yaw = space::turn(1, -self.yaw);
        space::product(&space::turn(0, self.pitch), &yaw)
    }
}

/// Where nose, eyes and ears are on a head that looks along Z.
struct Face {
    /// The head's number, if it has one.
    head: Option<usize>,
    /// Where the dancer looks before he turns, and where his left is.
    forward: Point,
    left: Point,
    /// From the head's joint to the top.
    up: Point,
}

impl Face {
    fn new(nodes: &[Node], roles: &Roles) -> Self {
        let rest = space::rest(nodes);
        let [right, left] = [Joint::RightHip, Joint::LeftHip].map(|joint| rest[roles.node(joint)]);
        let left = space::unit(space::difference(left, right));
        let forward = space::unit(space::cross(left, [0.0, 1.0, 0.0]));
        let least = 0.1 * rest_height(nodes);
        let up = roles.head.and_then(|head| nodes[head].end).unwrap_or([0.0; 3]);
        let up = if space::length(up) > 0.5 * least { up } else { [0.0, least, 0.0] };
        Self { head: roles.head, forward, left, up }
    }

    /// What of the face the head does not hide.
    fn seen(&self, nodes: &[Node], frame: &Frame, view: &[Point; 3]) -> Vec<(Joint, Point)> {
        let Some(head) = self.head.filter(|head| *head < nodes.len()) else { return Vec::new() };
        let size = space::length(self.up);
        let turned = |vector: Point| space::rotated(&frame.rotations[head], vector);
        let (forward, left, up) = (turned(self.forward), turned(self.left), turned(self.up));
        let place = |ahead: f32, aside: f32, above: f32| {
            let sum = |axis: usize| {
                frame.places[head][axis]
                    + (forward[axis] * ahead + left[axis] * aside) * size
                    + up[axis] * above
            };
            [sum(0), sum(1), sum(2)]
        };
        let toward = |vector: Point| space::rotated(view, vector)[2];
        let faces = toward(forward);
        let features = [
            (Joint::Nose, place(0.55, 0.0, 0.35), faces > -0.15),
            (Joint::RightEye, place(0.42, -0.18, 0.52), faces - 0.6 * toward(left) > -0.05),
            (Joint::LeftEye, place(0.42, 0.18, 0.52), faces + 0.6 * toward(left) > -0.05),
            (Joint::RightEar, place(0.0, -0.4, 0.42), toward(left) < 0.35),
            (Joint::LeftEar, place(0.0, 0.4, 0.42), toward(left) > -0.35),
        ];
        features.into_iter().filter(|(_, _, seen)| *seen).map(|(joint, place, _)| (joint, place)).collect()
    }
}
