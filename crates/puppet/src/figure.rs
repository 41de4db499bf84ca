//! The kinematic chain: a pose's angles and an identity's proportions give the place of every joint.

use serde::{Deserialize, Serialize};

use crate::geometry::{Place, Vector, cosine, sine, upward, vector};
use crate::identity::{Identity, NECK, SOLE};
use dreamtuner_pose::{Joint, Keypoint, Person, Pose};

/// Height of the floor on the canvas: where the soles stand.
pub const FLOOR: f32 = 0.95;

/// Where the eyes are, in radii of the head as seen from the front: ±x, y.
pub const EYE: (f32, f32) = (0.40, -0.13);
/// Where the tip of the nose is, likewise.
pub const NOSE: (f32, f32) = (0.0, -0.38);
/// How high the ears are, likewise.
const EAR_HEIGHT: f32 = -0.16;

/// Angles of a figure in degrees, and where it stands. All 0: upright, arms and legs hanging straight down.
/// "Right" is the figure's own right, which a viewer sees on the left.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FigurePose {
    /// Shift of the whole figure to the right of the picture, in sides of the canvas.
    pub shift: f32,
    /// Height of the lower foot above the floor, in standing heights.
    pub jump: f32,
    /// Lean of the torso to the right of the picture.
    pub lean: f32,
    /// Tilt of the head against the torso, to the right of the picture.
    pub head: f32,
    /// Right upper arm, raised sideways from hanging (0) over level (90) to upright (180). Negative: across the body.
    pub right_arm: f32,
    /// Bend of the right elbow, continuing the raising: 90 with a level arm makes the forearm point up.
    pub right_elbow: f32,
    /// Left upper arm, as the right one.
    pub left_arm: f32,
    /// Bend of the left elbow, as the right one.
    pub left_elbow: f32,
    /// Right thigh, spread sideways from hanging.
    pub right_leg: f32,
    /// Bend of the right knee: positive turns the shin further outwards.
    pub right_knee: f32,
    /// Left thigh, as the right one.
    pub left_leg: f32,
    /// Bend of the left knee, as the right one.
    pub left_knee: f32,
}

impl FigurePose {
    /// The pose a share (0 to 1) of the way to `other`.
    pub fn toward(&self, other: &Self, share: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * share;
        Self {
            shift: mix(self.shift, other.shift),
            jump: mix(self.jump, other.jump),
            lean: mix(self.lean, other.lean),
            head: mix(self.head, other.head),
            right_arm: mix(self.right_arm, other.right_arm),
            right_elbow: mix(self.right_elbow, other.right_elbow),
            left_arm: mix(self.left_arm, other.left_arm),
            left_elbow: mix(self.left_elbow, other.left_elbow),
            right_leg: mix(self.right_leg, other.right_leg),
            right_knee: mix(self.right_knee, other.right_knee),
            left_leg: mix(self.left_leg, other.left_leg),
            left_knee: mix(self.left_knee, other.left_knee),
        }
    }
}

/// Which way a figure faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Towards the viewer.
    #[default]
    Front,
    /// Half way to the left of the picture.
    ThreeQuarterLeft,
    /// Half way to the right of the picture.
    ThreeQuarterRight,
}

impl View {
    /// Every view.
    pub const ALL: [Self; 3] = [Self::Front, Self::ThreeQuarterLeft, Self::ThreeQuarterRight];

    /// Turn to the right of the picture, in degrees.
    pub fn turn(self) -> f32 {
        match self {
            Self::Front => 0.0,
            Self::ThreeQuarterLeft => -38.0,
            Self::ThreeQuarterRight => 38.0,
        }
    }

    /// The words for it in data.
    pub fn words(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::ThreeQuarterLeft => "three-quarter left",
            Self::ThreeQuarterRight => "three-quarter right",
        }
    }
}

/// An arm from shoulder to wrist or a leg from hip to ankle, on the canvas.
#[derive(Debug, Clone, Copy)]
pub struct Limb {
    /// Shoulder or hip.
    pub start: Vector,
    /// Elbow or knee.
    pub middle: Vector,
    /// Wrist or ankle.
    pub end: Vector,
    /// +1 for the limb whose outside is to the right of the picture (the figure's left), −1 for the other.
    pub side: f32,
}

/// A figure on the canvas: where everything is that is drawn.
#[derive(Debug, Clone)]
pub struct Figure {
    /// The OpenPose joints on the canvas; `None` where the figure itself hides one (the far ear of a turned head).
    pub joints: [Option<Vector>; Joint::COUNT],
    /// Standing height on the canvas; multiplies the sizes of [`crate::identity::Proportions`].
    pub height: f32,
    /// The torso: origin at the hip centre, unit = distance to the neck, so that the neck is at (0, 1).
    pub torso: Place,
    /// The head: origin at its centre, unit = its radius.
    pub head: Place,
    /// Half the width of the shoulders on the canvas, as turned.
    pub shoulders: f32,
    /// Half the width of the hips on the canvas, as turned.
    pub hips: f32,
    /// Radius of a limb on the canvas.
    pub limb: f32,
    /// Turn to the right of the picture, in degrees.
    pub turn: f32,
    /// Arms: the one further from the viewer first (the figure's right one in front views).
    pub arms: [Limb; 2],
    /// Legs, in the same order.
    pub legs: [Limb; 2],
}

impl Figure {
    /// Places every joint of `identity` in `pose`.
    pub fn new(identity: &Identity, pose: &FigurePose, view: View) -> Self {
        let sizes = &identity.proportions;
        let height = sizes.height;
        let turn = view.turn();
        let narrow = 1.0 - 0.45 * (1.0 - cosine(turn * 1.6));
        let up = upward(pose.lean);
        let (hips, shoulders) = (sizes.hips * height * narrow, sizes.shoulders * height * narrow);

        // Built around a hip centre at the origin, then lowered until the lower foot stands on the floor.
        let mut torso = Place::new(vector(0.0, 0.0), up, sizes.torso * height);
        let mut legs = [(-1.0, pose.right_leg, pose.right_knee), (1.0, pose.left_leg, pose.left_knee)].map(
            |(side, angle, bend)| {
                limb(torso.right * (side * hips), side, angle, bend, sizes.leg * height, 0.0)
            },
        );
        let lowest = legs[0].end.y.max(legs[1].end.y);
        let hip = vector(0.5 + pose.shift, FLOOR - (SOLE + pose.jump) * height - lowest);
        torso.origin = hip;
        for leg in &mut legs {
            *leg = leg.moved(hip);
        }
        let neck = torso.at(0.0, 1.0);
        let shoulder = neck - up * (0.03 * height);
        let mut arms = [(-1.0, pose.right_arm, pose.right_elbow), (1.0, pose.left_arm, pose.left_elbow)].map(
            |(side, angle, bend)| {
                limb(
                    shoulder + torso.right * (side * shoulders),
                    side,
                    angle,
                    bend,
                    sizes.arm * height,
                    pose.lean,
                )
            },
        );
        let radius = sizes.head * height;
        let head_up = upward(pose.lean + pose.head);
        let head = Place::new(neck + head_up * (radius * (1.0 + NECK)), head_up, radius);
        let joints = joints(&head, turn, neck, &arms, &legs);
        if turn > 0.0 {
            // Turned to the right of the picture, the figure's left side is the far one.
            arms.swap(0, 1);
            legs.swap(0, 1);
        }
        let limb = sizes.limb * height;
        Self { joints, height, torso, head, shoulders, hips, limb, turn, arms, legs }
    }

    /// A point of the face: (x, y) in radii of the head as seen from the front, moved as the head turns.
    pub fn face(&self, x: f32, y: f32) -> Vector {
        self.head.at(turned(x, self.turn), y)
    }

    /// The middle of the ear on `side` (+1: the picture's right).
    pub fn ear(&self, side: f32) -> Vector {
        ear(&self.head, self.turn, side)
    }

    /// The joints as a pose on a canvas of `size` × `size` pixels.
    pub fn pose(&self, size: u32) -> Pose {
        let mut person = Person::default();
        for (keypoint, joint) in person.body.iter_mut().zip(&self.joints) {
            *keypoint = joint.map(|joint| Keypoint {
                x: joint.x * size as f32,
                y: joint.y * size as f32,
                confidence: 1.0,
            });
        }
        Pose { width: size, height: size, people: vec![person] }
    }
}

impl Limb {
    fn moved(self, by: Vector) -> Self {
        Self { start: self.start + by, middle: self.middle + by, end: self.end + by, side: self.side }
    }
}

/// Where a point of a face at `x` (radii, seen from the front) appears when the head has turned.
fn turned(x: f32, turn: f32) -> f32 {
    // On a sphere the point is at depth √(1−x²); turning brings that depth into view.
    let x = x.clamp(-1.0, 1.0);
    x * cosine(turn) + (1.0 - x * x).sqrt() * sine(turn) * 0.62
}

/// The middle of an ear. Those of a turned head are seen further in.
fn ear(head: &Place, turn: f32, side: f32) -> Vector {
    head.at(side * (0.98 - 0.14 * (turn / 38.0).abs()), EAR_HEIGHT)
}

fn limb(start: Vector, side: f32, angle: f32, bend: f32, length: f32, lean: f32) -> Limb {
    let direction =
        |angle: f32| vector(side * sine(angle - side * lean * 0.5), cosine(angle - side * lean * 0.5));
    let middle = start + direction(angle) * length;
    let end = middle + direction(angle + bend) * (length * 0.96);
    Limb { start, middle, end, side }
}

fn joints(
    head: &Place,
    turn: f32,
    neck: Vector,
    arms: &[Limb; 2],
    legs: &[Limb; 2],
) -> [Option<Vector>; Joint::COUNT] {
    let face = |x: f32, y: f32| head.at(turned(x, turn), y);
    let mut joints = [None; Joint::COUNT];
    let mut set = |joint: Joint, at: Vector| joints[joint as usize] = Some(at);
    set(Joint::Nose, face(NOSE.0, NOSE.1));
    set(Joint::Neck, neck);
    set(Joint::RightEye, face(-EYE.0, EYE.1));
    set(Joint::LeftEye, face(EYE.0, EYE.1));
    if turn > -20.0 {
        set(Joint::RightEar, ear(head, turn, -1.0));
    }
    if turn < 20.0 {
        set(Joint::LeftEar, ear(head, turn, 1.0));
    }
    let [right_arm, left_arm] = arms;
    set(Joint::RightShoulder, right_arm.start);
    set(Joint::RightElbow, right_arm.middle);
    set(Joint::RightWrist, right_arm.end);
    set(Joint::LeftShoulder, left_arm.start);
    set(Joint::LeftElbow, left_arm.middle);
    set(Joint::LeftWrist, left_arm.end);
    let [right_leg, left_leg] = legs;
    set(Joint::RightHip, right_leg.start);
    set(Joint::RightKnee, right_leg.middle);
    set(Joint::RightAnkle, right_leg.end);
    set(Joint::LeftHip, left_leg.start);
    set(Joint::LeftKnee, left_leg.middle);
    set(Joint::LeftAnkle, left_leg.end);
    joints
}
