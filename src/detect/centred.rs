//! Joints in the middle of their limbs.

use image::GrayImage;

use crate::pose::{Joint, Person, Vector, vector};

/// Limbs are narrower on each side of their middle, in distances between the shoulders; wider things are skirts, or legs side by side.
const WIDEST: f32 = 0.4;
/// Joints that would move farther are not where the figure's edge tells their place, in the same unit.
const FARTHEST: f32 = 0.15;
/// Steps to the edge, in the same unit, and in pixels.
const STEP: f32 = 0.01;
const LEAST_STEP: f32 = 0.25;

/// The joints of arms and legs, each with those that tell where its limb goes.
const LIMBS: [(Joint, [Joint; 2]); 8] = [
    (Joint::RightElbow, [Joint::RightShoulder, Joint::RightWrist]),
    (Joint::LeftElbow, [Joint::LeftShoulder, Joint::LeftWrist]),
    (Joint::RightWrist, [Joint::RightElbow, Joint::RightWrist]),
    (Joint::LeftWrist, [Joint::LeftElbow, Joint::LeftWrist]),
    (Joint::RightKnee, [Joint::RightHip, Joint::RightAnkle]),
    (Joint::LeftKnee, [Joint::LeftHip, Joint::LeftAnkle]),
    (Joint::RightAnkle, [Joint::RightKnee, Joint::RightAnkle]),
    (Joint::LeftAnkle, [Joint::LeftKnee, Joint::LeftAnkle]),
];

/// The person, whose figure the `mask` shows, with joints of arms and legs in the middle between both edges of their limb, where these are
/// near.
pub fn centred(person: &Person, mask: &GrayImage) -> Person {
    let place = |joint: Joint| person.joint(joint).map(|point| vector(point.x, point.y));
    let mut centred = person.clone();
    let shoulders = place(Joint::RightShoulder).zip(place(Joint::LeftShoulder));
    let Some(unit) = shoulders.map(|(right, left)| (left - right).length()).filter(|unit| *unit > 0.0) else {
        return centred;
    };
    for (joint, [from, to]) in LIMBS {
        let Some((at, (from, to))) = place(joint).zip(place(from).zip(place(to))) else { continue };
        let across = (to - from).unit().quarter_turn();
        let edge = |direction: Vector| edge(mask, at, direction, unit);
        let Some((one, other)) = edge(across).zip(edge(across * -1.0)) else { continue };
        let aside = (one - other) / 2.0;
        if let Some(point) = centred.body[joint as usize].as_mut().filter(|_| aside.abs() < FARTHEST * unit) {
            (point.x, point.y) = (point.x + across.x * aside, point.y + across.y * aside);
        }
    }
    centred
}

/// How far the figure's edge is from a place in it; `None` where it is far.
fn edge(mask: &GrayImage, from: Vector, direction: Vector, unit: f32) -> Option<f32> {
    let step = (STEP * unit).max(LEAST_STEP);
    let is_inside = |far: f32| {
        let place = from + direction * far;
        let seen = place.x >= 0.0
            && place.y >= 0.0
            && place.x < mask.width() as f32
            && place.y < mask.height() as f32;
        seen && mask.get_pixel(place.x as u32, place.y as u32).0[0] > 127
    };
    let steps = (WIDEST * unit / step) as usize;
    let last = (0..=steps).take_while(|index| is_inside(*index as f32 * step)).count();
    (1..=steps).contains(&last).then_some((last as f32 - 0.5) * step)
}
