//! The OpenPose-18 figure: joints, limbs, colours, and the points of one frame.

use image::Rgb;

use crate::fit::Fit;
use crate::vector::{Vector, vector};

/// Points with a confidence up to this count as not seen, as in ControlNet's own preprocessors.
pub const CONFIDENCE_THRESHOLD: f32 = 0.3;
/// Points of one hand: the wrist, then four for each finger from the thumb on.
pub const HAND_POINTS: usize = 21;
/// Points of a face (iBUG 68).
pub const FACE_POINTS: usize = 68;

/// The joints of OpenPose's 18-point body ("COCO-18"), in file order. Left and right are the figure's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Joint {
    /// Tip of the nose.
    Nose,
    /// Middle between the shoulders.
    Neck,
    /// Right shoulder.
    RightShoulder,
    /// Right elbow.
    RightElbow,
    /// Right wrist.
    RightWrist,
    /// Left shoulder.
    LeftShoulder,
    /// Left elbow.
    LeftElbow,
    /// Left wrist.
    LeftWrist,
    /// Right hip.
    RightHip,
    /// Right knee.
    RightKnee,
    /// Right ankle.
    RightAnkle,
    /// Left hip.
    LeftHip,
    /// Left knee.
    LeftKnee,
    /// Left ankle.
    LeftAnkle,
    /// Right eye.
    RightEye,
    /// Left eye.
    LeftEye,
    /// Right ear.
    RightEar,
    /// Left ear.
    LeftEar,
}

impl Joint {
    /// Number of joints of a body.
    pub const COUNT: usize = 18;
    /// All joints in file order.
    pub const ALL: [Joint; Self::COUNT] = [
        Joint::Nose,
        Joint::Neck,
        Joint::RightShoulder,
        Joint::RightElbow,
        Joint::RightWrist,
        Joint::LeftShoulder,
        Joint::LeftElbow,
        Joint::LeftWrist,
        Joint::RightHip,
        Joint::RightKnee,
        Joint::RightAnkle,
        Joint::LeftHip,
        Joint::LeftKnee,
        Joint::LeftAnkle,
        Joint::RightEye,
        Joint::LeftEye,
        Joint::RightEar,
        Joint::LeftEar,
    ];

    /// Name for reports, such as `right shoulder`.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; Joint::COUNT] = [
            "nose",
            "neck",
            "right shoulder",
            "right elbow",
            "right wrist",
            "left shoulder",
            "left elbow",
            "left wrist",
            "right hip",
            "right knee",
            "right ankle",
            "left hip",
            "left knee",
            "left ankle",
            "right eye",
            "left eye",
            "right ear",
            "left ear",
        ];
        NAMES[self as usize]
    }

    /// The colour of the joint's disc.
    pub fn color(self) -> Rgb<u8> {
        BODY_COLORS[self as usize]
    }

    /// Nose, eyes and ears: joints that a detector loses when the figure turns away.
    pub fn is_facial(self) -> bool {
        matches!(self, Joint::Nose | Joint::RightEye | Joint::LeftEye | Joint::RightEar | Joint::LeftEar)
    }
}

/// Colour `i` belongs to joint `i` (at full strength) and to limb `i` of [`LIMBS`] (at 0.6). Hue is 20° × `i`.
pub const BODY_COLORS: [Rgb<u8>; Joint::COUNT] = [
    Rgb([255, 0, 0]),
    Rgb([255, 85, 0]),
    Rgb([255, 170, 0]),
    Rgb([255, 255, 0]),
    Rgb([170, 255, 0]),
    Rgb([85, 255, 0]),
    Rgb([0, 255, 0]),
    Rgb([0, 255, 85]),
    Rgb([0, 255, 170]),
    Rgb([0, 255, 255]),
    Rgb([0, 170, 255]),
    Rgb([0, 85, 255]),
    Rgb([0, 0, 255]),
    Rgb([85, 0, 255]),
    Rgb([170, 0, 255]),
    Rgb([255, 0, 255]),
    Rgb([255, 0, 170]),
    Rgb([255, 0, 85]),
];

/// The limbs in drawing order.
pub const LIMBS: [(Joint, Joint); 17] = [
    (Joint::Neck, Joint::RightShoulder),
    (Joint::Neck, Joint::LeftShoulder),
    (Joint::RightShoulder, Joint::RightElbow),
    (Joint::RightElbow, Joint::RightWrist),
    (Joint::LeftShoulder, Joint::LeftElbow),
    (Joint::LeftElbow, Joint::LeftWrist),
    (Joint::Neck, Joint::RightHip),
    (Joint::RightHip, Joint::RightKnee),
    (Joint::RightKnee, Joint::RightAnkle),
    (Joint::Neck, Joint::LeftHip),
    (Joint::LeftHip, Joint::LeftKnee),
    (Joint::LeftKnee, Joint::LeftAnkle),
    (Joint::Neck, Joint::Nose),
    (Joint::Nose, Joint::RightEye),
    (Joint::RightEye, Joint::RightEar),
    (Joint::Nose, Joint::LeftEye),
    (Joint::LeftEye, Joint::LeftEar),
];

/// The bones of a hand, as indices of its points.
pub const HAND_EDGES: [(usize, usize); 20] = [
    (0, 1),
    (1, 2),
    (2, 3),
    (3, 4),
    (0, 5),
    (5, 6),
    (6, 7),
    (7, 8),
    (0, 9),
    (9, 10),
    (10, 11),
    (11, 12),
    (0, 13),
    (13, 14),
    (14, 15),
    (15, 16),
    (0, 17),
    (17, 18),
    (18, 19),
    (19, 20),
];

/// One point that was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keypoint {
    /// Pixels from the left edge of the canvas; may lie outside of it.
    pub x: f32,
    /// Pixels from the top edge of the canvas; may lie outside of it.
    pub y: f32,
    /// The detector's confidence, above [`CONFIDENCE_THRESHOLD`] and at most 1.
    pub confidence: f32,
}

impl Keypoint {
    /// The point as a detector reports it, or `None` where that means "not seen": a confidence up to
    /// [`CONFIDENCE_THRESHOLD`] or not a number. Confidences above 1 (COCO's flag 2) become 1.
    pub fn seen(x: f32, y: f32, confidence: f32) -> Option<Self> {
        (confidence > CONFIDENCE_THRESHOLD).then(|| Self { x, y, confidence: confidence.min(1.0) })
    }

    /// The point `share` of the way from `self` (0) to `other` (1), with the lower of the two confidences.
    pub fn towards(self, other: Self, share: f32) -> Self {
        let between = |a: f32, b: f32| (a * (1.0 - share) + b * share).clamp(a.min(b), a.max(b));
        Self {
            x: between(self.x, other.x),
            y: between(self.y, other.y),
            confidence: self.confidence.min(other.confidence),
        }
    }
}

/// The 18 joints in the order of [`Joint::ALL`].
pub type Body = [Option<Keypoint>; Joint::COUNT];
/// The 21 points of one hand.
pub type Hand = [Option<Keypoint>; HAND_POINTS];
/// The 68 points of a face.
pub type Face = [Option<Keypoint>; FACE_POINTS];

/// One figure. Groups that were not looked for, or of which nothing was seen, are `None`: most figures have a body alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Person {
    /// The body's joints.
    pub body: Body,
    /// The figure's left hand.
    pub left_hand: Option<Box<Hand>>,
    /// The figure's right hand.
    pub right_hand: Option<Box<Hand>>,
    /// The face.
    pub face: Option<Box<Face>>,
    /// How far the body's joints are from the viewer, in pixels, counted from anywhere; known of motion capture alone. Files of poses
    /// do not hold it.
    pub depths: Option<Box<Depths>>,
}

/// How far a body's joints are from the viewer.
pub type Depths = [Option<f32>; Joint::COUNT];

impl Person {
    /// One joint of the body.
    pub fn joint(&self, joint: Joint) -> Option<Keypoint> {
        self.body[joint as usize]
    }

    /// All points that were seen: body, hands, face.
    pub fn keypoints(&self) -> impl Iterator<Item = &Keypoint> {
        let groups = [
            Some(self.body.as_slice()),
            self.left_hand.as_ref().map(|hand| hand.as_slice()),
            self.right_hand.as_ref().map(|hand| hand.as_slice()),
            self.face.as_ref().map(|face| face.as_slice()),
        ];
        groups.into_iter().flatten().flatten().flatten()
    }

    /// All points that were seen, to be moved.
    pub fn keypoints_mut(&mut self) -> impl Iterator<Item = &mut Keypoint> {
        let groups = [
            Some(self.body.as_mut_slice()),
            self.left_hand.as_mut().map(|hand| hand.as_mut_slice()),
            self.right_hand.as_mut().map(|hand| hand.as_mut_slice()),
            self.face.as_mut().map(|face| face.as_mut_slice()),
        ];
        groups.into_iter().flatten().flatten().flatten()
    }

    /// Whether no point at all was seen.
    pub fn is_empty(&self) -> bool {
        self.keypoints().next().is_none()
    }

    /// The smallest box around all points seen; `None` for an empty person.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        BoundingBox::around(self.keypoints())
    }

    /// Area of the bounding box in square pixels; 0 for an empty person.
    pub fn area(&self) -> f32 {
        self.bounding_box().map_or(0.0, |bounds| bounds.area())
    }

    /// Mean distance to another person of the joints that both have (of the boxes' middles where there are none), in sizes
    /// of the larger body; infinite for an empty person.
    pub fn distance(&self, other: &Self) -> f32 {
        let (Some(first), Some(second)) = (self.bounding_box(), other.bounding_box()) else {
            return f32::INFINITY;
        };
        let size = first.width().hypot(first.height()).max(second.width().hypot(second.height())).max(1.0);
        let shared = self.body.iter().zip(&other.body).filter_map(|pair| match pair {
            (Some(p), Some(q)) => Some((p.x - q.x).hypot(p.y - q.y)),
            _ => None,
        });
        let (sum, count) = shared.fold((0.0, 0), |(sum, count), far| (sum + far, count + 1));
        let (from, to) = (first.center(), second.center());
        let mean = if count > 0 { sum / count as f32 } else { (from.0 - to.0).hypot(from.1 - to.1) };
        mean / size
    }

    /// The person with every point (x, y) moved to (x × `scale.0` + `offset.0`, y × `scale.1` + `offset.1`).
    pub fn transformed(&self, scale: (f32, f32), offset: (f32, f32)) -> Self {
        let mut moved = self.clone();
        for point in moved.keypoints_mut() {
            point.x = point.x * scale.0 + offset.0;
            point.y = point.y * scale.1 + offset.1;
        }
        for depth in moved.depths.iter_mut().flat_map(|depths| depths.iter_mut()).flatten() {
            *depth *= scale.1.abs();
        }
        moved
    }
}

/// A box with edges parallel to the canvas, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// Smallest x.
    pub left: f32,
    /// Smallest y.
    pub top: f32,
    /// Largest x.
    pub right: f32,
    /// Largest y.
    pub bottom: f32,
}

impl BoundingBox {
    /// The smallest box around `points`; `None` when there are none.
    pub fn around<'a>(points: impl IntoIterator<Item = &'a Keypoint>) -> Option<Self> {
        Self::of(points.into_iter().map(|point| vector(point.x, point.y)))
    }

    /// The smallest box around places; `None` when there are none.
    pub fn of(places: impl IntoIterator<Item = Vector>) -> Option<Self> {
        let boxes = places.into_iter().map(|Vector { x, y }| Self { left: x, top: y, right: x, bottom: y });
        boxes.reduce(Self::united)
    }

    /// The smallest box around both.
    pub fn united(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Height in pixels.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// Area in square pixels.
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// Middle of the box.
    pub fn center(&self) -> (f32, f32) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }
}

/// The figures of one frame, on a canvas of `width` × `height` pixels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pose {
    /// Width of the canvas in pixels.
    pub width: u32,
    /// Height of the canvas in pixels.
    pub height: u32,
    /// The figures, in the order of the file.
    pub people: Vec<Person>,
}

impl Pose {
    /// The smallest box around all figures; `None` when nobody is seen.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        BoundingBox::around(self.people.iter().flat_map(Person::keypoints))
    }

    /// The pose on a canvas of `width` × `height` pixels. A canvas with a side of 0 is left unscaled.
    pub fn fit(&self, width: u32, height: u32, fit: Fit) -> Self {
        if self.width == 0 || self.height == 0 {
            return Self { width, height, people: self.people.clone() };
        }
        let (old_width, old_height) = (self.width as f32, self.height as f32);
        let (across, down) = (width as f32 / old_width, height as f32 / old_height);
        let scale = match fit {
            Fit::Contain => (across.min(down), across.min(down)),
            Fit::Cover => (across.max(down), across.max(down)),
            Fit::Stretch => (across, down),
        };
        let offset =
            ((width as f32 - old_width * scale.0) / 2.0, (height as f32 - old_height * scale.1) / 2.0);
        Self {
            width,
            height,
            people: self.people.iter().map(|person| person.transformed(scale, offset)).collect(),
        }
    }
}
