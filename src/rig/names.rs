//! What joints and parts are called in files and options: `right-shoulder`.

use std::fmt;
use std::str::FromStr;

use dreamtuner_warp::Part;

use crate::pose::Joint;

/// A joint's name in files and options, such as `left-elbow`.
pub fn joint_name(joint: Joint) -> String {
    hyphened(joint.name())
}

/// The joint of a name.
pub(super) fn joint_named(name: &str) -> Option<Joint> {
    Joint::ALL.into_iter().find(|joint| joint_name(*joint) == name)
}

/// A part's name in files, such as `left-arm`.
pub(super) fn part_name(part: Part) -> String {
    hyphened(part.name())
}

/// The part of a name.
pub(super) fn part_named(name: &str) -> Option<Part> {
    Part::ALL.into_iter().find(|part| part_name(*part) == name)
}

/// Several names, as a sentence lists them.
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
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
        let joint = joint_named(name).ok_or_else(|| {
            format!("{name}: no joint; there are {}", listed(Joint::ALL.into_iter().map(joint_name)))
        })?;
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
