//! What joints and parts are called in files and options: `right-shoulder`.

use std::fmt;
use std::str::FromStr;

use dreamtuner_warp::Part;

use crate::pose::Joint;

/// A joint's name in files and options, such as `left-elbow`.
pub fn joint_name(joint: Joint) -> String {
    hyphened(joint.name())
}

/// The joint of a name; else which there are.
pub(super) fn joint_named(name: &str) -> Result<Joint, String> {
    named("joint", name, &Joint::ALL, joint_name)
}

/// A part's name in files, such as `left-arm`.
pub(super) fn part_name(part: Part) -> String {
    hyphened(part.name())
}

/// The part of a name; else which there are.
pub(super) fn part_named(name: &str) -> Result<Part, String> {
    named("part", name, &Part::ALL, part_name)
}

fn named<T: Copy>(kind: &str, name: &str, all: &[T], name_of: fn(T) -> String) -> Result<T, String> {
    all.iter().copied().find(|one| name_of(*one) == name).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|one| name_of(*one)).collect();
        format!("{name} is no {kind}; there are {}", known.join(", "))
    })
}

fn hyphened(name: &str) -> String {
    name.replace(' ', "-")
}

/// Where a joint is, said by hand: `left-elbow=412,300`, or `left-elbow=none` where the picture does not show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointEdit {
    /// The joint.
    pub joint: Joint,
    /// Pixels from the picture's left and top edges; `None` where it is not to be seen.
    pub place: Option<(f32, f32)>,
}

impl FromStr for JointEdit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("{text}: not of the form left-elbow=412,300 or left-elbow=none");
        let (name, place) = text.split_once('=').ok_or_else(form)?;
        let joint = joint_named(name)?;
        if place == "none" {
            return Ok(Self { joint, place: None });
        }
        let coordinate = |text: &str| text.trim().parse().ok().filter(|value: &f32| value.is_finite());
        let place = place.split_once(',').and_then(|(x, y)| Some((coordinate(x)?, coordinate(y)?)));
        Ok(Self { joint, place: Some(place.ok_or_else(form)?) })
    }
}

impl fmt::Display for JointEdit {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self.place {
            Some((x, y)) => write!(formatter, "{}={x},{y}", joint_name(self.joint)),
            None => write!(formatter, "{}=none", joint_name(self.joint)),
        }
    }
}
