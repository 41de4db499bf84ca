//! A head that turns a little: the face moves over it, its outline stays.

use dreamtuner_pose::{Joint, median};

use crate::geometry::{Vector, share_gone};
use crate::joints::Joints;

/// A face follows the dancer's in so many seconds.
const SLOWNESS: f32 = 0.12;
/// Poses are no more exact than so much, in distances between the eyes.
const UNSURE: f32 = 0.05;
/// The face moves so much farther than the nose moves from the eyes, as it lies deeper on the head ...
const GAIN: f32 = 1.5;
/// ... and no farther than this, in distances between the eyes: the other side is not in the picture.
const FARTHEST: f32 = 0.3;
/// A head has so many distances between the eyes as its radius, or half of that between the ears.
const RADIUS: f32 = 1.3;

/// The distance between the eyes.
fn eyes_apart(joints: &Joints) -> Option<f32> {
    let (right, left) = joints.pair(Joint::RightEye, Joint::LeftEye)?;
    Some((left - right).length()).filter(|apart| *apart > 1e-3)
}

/// How far the nose is from the middle of the eyes towards the left one, in pixels.
fn facing(joints: &Joints) -> Option<f32> {
    let ((right, left), nose) = joints.pair(Joint::RightEye, Joint::LeftEye).zip(joints.at(Joint::Nose))?;
    Some((nose - right.toward(left, 0.5)).dot((left - right).unit()))
}

/// How a head turns over a dance, without the trembling of found joints.
#[derive(Debug, Clone)]
pub(crate) struct Heads {
    /// The usual distance between the eyes, and where the nose usually is.
    usual: Option<(f32, f32)>,
    last: Option<(f32, f64)>,
}

impl Heads {
    pub fn new(poses: &[Joints]) -> Self {
        let usual = |of: fn(&Joints) -> Option<f32>| median(poses.iter().filter_map(of));
        Self { usual: usual(eyes_apart).zip(usual(facing)), last: None }
    }

    /// What follows is another scene.
    pub fn cut(&mut self) {
        self.last = None;
    }

    /// How much the head is turned at a time in seconds, smoothed; as before where the face is not seen.
    pub fn advance(&mut self, joints: &Joints, time: f64) -> f32 {
        let seen = self.usual.zip(facing(joints)).map(|((apart, usual), facing)| (facing - usual) / apart);
        let smooth = match (self.last, seen) {
            (Some((last, since)), Some(seen)) => last + (seen - last) * share_gone(since, time, SLOWNESS),
            (Some((last, _)), None) => last,
            (None, seen) => seen.unwrap_or(0.0),
        };
        self.last = Some((smooth, time));
        smooth
    }
}

/// How a face moves over its head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    middle: Vector,
    radius: f32,
    /// How far the middle of the face moves, in pixels of the picture.
    shift: Vector,
}

impl Turn {
    /// As a moment says; `None` where the face stays, or is not seen in the picture.
    pub fn new(rest: &Joints, turn: f32) -> Option<Self> {
        let sure = (turn.abs() - UNSURE).max(0.0) * turn.signum();
        let apart = eyes_apart(rest).filter(|_| sure != 0.0)?;
        let (right, left) = rest.pair(Joint::RightEye, Joint::LeftEye)?;
        let shift = (sure * GAIN).clamp(-FARTHEST, FARTHEST) * apart;
        let ears = rest.pair(Joint::RightEar, Joint::LeftEar);
        let ears_apart = ears.map_or(0.0, |(one, other)| (one - other).length());
        Some(Self {
            middle: right.toward(left, 0.5),
            radius: (RADIUS * apart).max(ears_apart / 2.0),
            shift: (left - right).unit() * shift,
        })
    }

    /// Where a point of the picture's head comes to, before the head moves: the nearer to the middle of the face, the nearer to the
    /// viewer it lies, and the farther it moves.
    pub fn apply(&self, point: Vector) -> Vector {
        let far = (point - self.middle).length() / self.radius;
        point + self.shift * (1.0 - far * far).max(0.0)
    }
}
