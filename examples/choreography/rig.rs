//! A figure of fixed proportions that is posed by a few numbers, as an animator thinks of it.
//!
//! Lengths are fractions of the canvas, angles are degrees. "Right" is the figure's right, on the left of the
//! picture: the figure faces the viewer.

use dreamtuner::pose::{Joint, Keypoint, Person};

const HEAD: f64 = 0.12;
const TORSO: f64 = 0.205;
const SHOULDER: f64 = 0.1;
const HIP: f64 = 0.055;
const UPPER_ARM: f64 = 0.112;
const LOWER_ARM: f64 = 0.107;
/// Thigh and shin have the same length.
const LEG: f64 = 0.14;
/// Knees bend towards the viewer as much as outwards, so only a part of the bend is seen.
const KNEE_SEEN: f64 = 0.6;

/// Height of the floor under the ankles.
pub const FLOOR: f64 = 0.862;

/// One arm: upper arm away from hanging down, then the elbow's bend; positive is outwards and up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm {
    pub raise: f64,
    pub elbow: f64,
}

/// One ankle's place on the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foot {
    pub x: f64,
    pub y: f64,
}

/// A whole figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stance {
    /// Middle of the hips.
    pub hip_x: f64,
    pub hip_y: f64,
    /// Torso to the right of the picture.
    pub lean: f64,
    /// Right hip down, left hip up.
    pub pelvis: f64,
    /// Head to the right of the picture, on top of the lean.
    pub tilt: f64,
    /// Chest turned to the right of the picture; the face follows by half.
    pub turn: f64,
    /// Face down.
    pub nod: f64,
    /// Share of the torso's length that is seen; less when it bends towards the viewer.
    pub torso: f64,
    pub right_arm: Arm,
    pub left_arm: Arm,
    pub right_foot: Foot,
    pub left_foot: Foot,
}

/// Standing at ease.
pub const REST: Stance = Stance {
    hip_x: 0.5,
    hip_y: 0.587,
    lean: 0.0,
    pelvis: 0.0,
    tilt: 0.0,
    turn: 0.0,
    nod: 0.0,
    torso: 1.0,
    right_arm: Arm { raise: 14.0, elbow: 6.0 },
    left_arm: Arm { raise: 14.0, elbow: 6.0 },
    right_foot: Foot { x: 0.432, y: FLOOR },
    left_foot: Foot { x: 0.568, y: FLOOR },
};

/// How many numbers make a stance.
pub const CHANNELS: usize = 16;

impl Stance {
    /// The stance as numbers that can be interpolated.
    pub fn channels(&self) -> [f64; CHANNELS] {
        [
            self.hip_x,
            self.hip_y,
            self.lean,
            self.pelvis,
            self.tilt,
            self.turn,
            self.nod,
            self.torso,
            self.right_arm.raise,
            self.right_arm.elbow,
            self.left_arm.raise,
            self.left_arm.elbow,
            self.right_foot.x,
            self.right_foot.y,
            self.left_foot.x,
            self.left_foot.y,
        ]
    }

    pub fn from_channels(values: [f64; CHANNELS]) -> Self {
        let [hip_x, hip_y, lean, pelvis, tilt, turn, nod, torso, rr, re, lr, le, rx, ry, lx, ly] = values;
        Self {
            hip_x,
            hip_y,
            lean,
            pelvis,
            tilt,
            turn,
            nod,
            torso,
            right_arm: Arm { raise: rr, elbow: re },
            left_arm: Arm { raise: lr, elbow: le },
            right_foot: Foot { x: rx, y: ry },
            left_foot: Foot { x: lx, y: ly },
        }
    }

    /// How many frames each number comes after the body: loose parts drag.
    pub fn drag() -> [f64; CHANNELS] {
        [0.0, 0.0, 0.0, 0.0, 1.5, 0.5, 1.0, 0.0, 0.5, 2.0, 0.5, 2.0, 0.0, 0.0, 0.0, 0.0]
    }

    /// The same stance to the other side.
    pub fn mirrored(&self) -> Self {
        let across = |foot: Foot| Foot { x: 1.0 - foot.x, y: foot.y };
        Self {
            hip_x: 1.0 - self.hip_x,
            lean: -self.lean,
            pelvis: -self.pelvis,
            tilt: -self.tilt,
            turn: -self.turn,
            right_arm: self.left_arm,
            left_arm: self.right_arm,
            right_foot: across(self.left_foot),
            left_foot: across(self.right_foot),
            ..*self
        }
    }

    /// The figure's joints on a square canvas of `size` pixels, rounded to a tenth of a pixel.
    pub fn person(&self, size: f64) -> Person {
        let mut body = [None; Joint::COUNT];
        let mut put = |joint: Joint, (x, y): (f64, f64)| {
            let pixels = |value: f64| ((value * size * 10.0).round() / 10.0) as f32;
            body[joint as usize] = Some(Keypoint { x: pixels(x), y: pixels(y), confidence: 1.0 });
        };
        let hips = (self.hip_x, self.hip_y);
        let up = direction(self.lean);
        let neck = along(hips, up, TORSO * self.torso);
        put(Joint::Neck, neck);
        for (joint, place) in self.face(neck) {
            put(joint, place);
        }
        use Joint::*;
        let turned = self.turn.to_radians().cos();
        let sides = [
            (-1.0, [RightShoulder, RightElbow, RightWrist, RightHip, RightKnee, RightAnkle]),
            (1.0, [LeftShoulder, LeftElbow, LeftWrist, LeftHip, LeftKnee, LeftAnkle]),
        ];
        for (side, [shoulder, elbow, wrist, hip, knee, ankle]) in sides {
            let (arm, foot) =
                if side < 0.0 { (self.right_arm, self.right_foot) } else { (self.left_arm, self.left_foot) };
            let across = (-up.1, up.0);
            let at_shoulder = along(along(neck, across, side * SHOULDER * turned), up, -0.01);
            let down = |angle: f64| (side * angle.to_radians().sin(), angle.to_radians().cos());
            let at_elbow = along(at_shoulder, down(arm.raise), UPPER_ARM);
            put(shoulder, at_shoulder);
            put(elbow, at_elbow);
            put(wrist, along(at_elbow, down(arm.raise + arm.elbow), LOWER_ARM));
            // The pelvis turns by half as much as the chest.
            let pelvis = direction(90.0 - self.pelvis);
            let at_hip = along(hips, (pelvis.0, pelvis.1), side * HIP * (1.0 + turned) / 2.0);
            put(hip, at_hip);
            put(knee, bend(at_hip, (foot.x, foot.y), side));
            put(ankle, (foot.x, foot.y));
        }
        Person { body, ..Person::default() }
    }

    fn face(&self, neck: (f64, f64)) -> [(Joint, (f64, f64)); 5] {
        let up = direction(self.lean + self.tilt);
        let across = (-up.1, up.0);
        let middle = along(neck, up, HEAD * 1.05);
        let (sin, cos) = (self.turn / 2.0).to_radians().sin_cos();
        let dip = self.nod.to_radians().sin();
        // Places on the head as fractions of its radius: across, up, towards the viewer.
        let at = |x: f64, y: f64, z: f64| {
            along(along(middle, across, HEAD * (x * cos + z * sin)), up, HEAD * (y - z * dip))
        };
        [
            (Joint::Nose, at(0.0, -0.25, 0.6)),
            (Joint::RightEye, at(-0.36, -0.02, 0.5)),
            (Joint::LeftEye, at(0.36, -0.02, 0.5)),
            (Joint::RightEar, at(-0.9, -0.1, 0.0)),
            (Joint::LeftEar, at(0.9, -0.1, 0.0)),
        ]
    }
}

/// Upwards, leaning to the right of the picture by `angle`.
fn direction(angle: f64) -> (f64, f64) {
    let (sin, cos) = angle.to_radians().sin_cos();
    (sin, -cos)
}

fn along(from: (f64, f64), direction: (f64, f64), length: f64) -> (f64, f64) {
    (from.0 + direction.0 * length, from.1 + direction.1 * length)
}

/// The knee between hip and ankle, bent outwards as far as the leg is longer than the way.
fn bend(hip: (f64, f64), ankle: (f64, f64), side: f64) -> (f64, f64) {
    let (dx, dy) = (ankle.0 - hip.0, ankle.1 - hip.1);
    let half = (dx.hypot(dy) / 2.0).max(1e-6);
    let out = (LEG * LEG - half * half).max(0.0).sqrt() * KNEE_SEEN;
    let across = (side * dy / (2.0 * half), -side * dx / (2.0 * half));
    along((hip.0 + dx / 2.0, hip.1 + dy / 2.0), across, out)
}
