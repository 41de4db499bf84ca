//! Points, rotations, and a skeleton that is moved.

use super::parse::Node;

/// x, y (upwards), z (towards the viewer).
pub(super) type Point = [f32; 3];

/// Where the joints of a skeleton are, and how each is turned (rows of its matrix).
pub(super) struct Frame {
    pub places: Vec<Point>,
    pub rotations: Vec<[Point; 3]>,
}

pub(super) const STILL: [Point; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

pub(super) fn sum(a: Point, b: Point) -> Point {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn difference(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn between(a: Point, b: Point, share: f32) -> Point {
    std::array::from_fn(|axis| a[axis] + (b[axis] - a[axis]) * share)
}

fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Point, b: Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn length(a: Point) -> f32 {
    dot(a, a).sqrt()
}

pub(super) fn unit(a: Point) -> Point {
    let length = length(a).max(1e-9);
    a.map(|value| value / length)
}

pub(super) fn rotated(rows: &[Point; 3], point: Point) -> Point {
    rows.map(|row| dot(row, point))
}

/// First `then`'s rotation, after it `rows`'.
pub(super) fn product(rows: &[Point; 3], then: &[Point; 3]) -> [Point; 3] {
    rows.map(|row| std::array::from_fn(|column| (0..3).map(|inner| row[inner] * then[inner][column]).sum()))
}

/// The rotation by some degrees about an axis, counter-clockwise as seen from its end.
pub(super) fn turn(axis: usize, degrees: f32) -> [Point; 3] {
    let (sine, cosine) = libm::sincosf(degrees.to_radians());
    let (next, last) = ((axis + 1) % 3, (axis + 2) % 3);
    let mut rows = STILL;
    rows[next][next] = cosine;
    rows[next][last] = -sine;
    rows[last][next] = sine;
    rows[last][last] = cosine;
    rows
}

/// Where the joints are before anything is turned.
pub(super) fn rest(nodes: &[Node]) -> Vec<Point> {
    let mut places: Vec<Point> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let parent = node.parent.map_or([0.0; 3], |parent| places[parent]);
        places.push(sum(parent, node.offset));
    }
    places
}
