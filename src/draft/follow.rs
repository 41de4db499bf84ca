//! A figure that dances where the dancer does.

use dreamtuner_warp::Joints;

use super::layout::with_room;
use crate::error::Result;
use crate::pose::{Joint, Person, Pose, PoseSequence, Retarget, Vector, full_length, vector};
use crate::rig::scale_between;

/// The dance on a figure's body, in the dancer's pixels.
pub struct Followed {
    /// Where the joints are in each frame.
    pub joints: Vec<Joints>,
    /// Pixels of the dancer's picture for each of the figure's.
    pub scale: f32,
}

/// Gives the dance to a figure whose pose is `rest`, as tall as the dancer: its feet are as low as the dancer's, and its hips above the
/// same place. `None` where too little of a body is seen.
///
/// # Errors
/// Those of [`Retarget::apply`].
pub fn follow(poses: &[Pose], rest: &Pose, retarget: Retarget) -> Result<Option<Followed>> {
    let dancers: Vec<Joints> = poses.iter().map(Joints::of_first).collect();
    let figure = Joints::of_first(rest);
    let Some(scale) = stature_between(&figure, &dancers).or_else(|| scale_between(&figure, &dancers)) else {
        return Ok(None);
    };
    let (width, height) = poses.first().map_or((1, 1), |pose| (pose.width, pose.height));
    let own = |person: &Person| person.transformed((scale, scale), (0.0, 0.0));
    let body = Pose { width, height, people: rest.people.iter().map(own).collect() };
    let sequence =
        PoseSequence { width, height, frames_per_second: None, tracked: true, poses: poses.to_vec() };
    let moved = retarget.apply(sequence, &with_room(&body))?;
    let joints = moved.poses.iter().map(Joints::of_first).zip(&dancers);
    let joints = joints.map(|(joints, dancer)| joints.placed(1.0, way(&joints, dancer))).collect();
    Ok(Some(Followed { joints, scale }))
}

/// How a figure comes to where the dancer is.
fn way(figure: &Joints, dancer: &Joints) -> Vector {
    let hips = |joints: &Joints| between(joints, Joint::RightHip, Joint::LeftHip);
    let feet = |joints: &Joints| {
        let feet = [Joint::RightAnkle, Joint::LeftAnkle].map(|foot| Some(joints.at(foot)?.y));
        let [one, other] = feet;
        Some(one?.max(other?))
    };
    let (from, to) = match hips(figure).zip(hips(dancer)) {
        Some(places) => places,
        None => match figure.at(Joint::Neck).zip(dancer.at(Joint::Neck)) {
            Some(places) => places,
            None => return vector(0.0, 0.0),
        },
    };
    let down = feet(figure).zip(feet(dancer)).map_or(to.y - from.y, |(from, to)| to - from);
    vector(to.x - from.x, down)
}

fn between(joints: &Joints, one: Joint, other: Joint) -> Option<Vector> {
    Some(joints.at(one)?.toward(joints.at(other)?, 0.5))
}

/// How much taller a dancer is than the figure: from the nose along neck, trunk and legs.
fn stature_between(figure: &Joints, dancers: &[Joints]) -> Option<f32> {
    let stature = |joints: &Joints| {
        let way = [
            joints.at(Joint::Nose)?,
            joints.at(Joint::Neck)?,
            between(joints, Joint::RightHip, Joint::LeftHip)?,
            between(joints, Joint::RightKnee, Joint::LeftKnee)?,
            between(joints, Joint::RightAnkle, Joint::LeftAnkle)?,
        ];
        Some(way.windows(2).map(|pair| (pair[1] - pair[0]).length()).sum::<f32>())
    };
    Some(full_length(dancers.iter().filter_map(stature))? / stature(figure).filter(|own| *own > 0.0)?)
}
