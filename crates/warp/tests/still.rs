//! Arms that would come off stay as they are drawn.

use dreamtuner_pose::{Joint, Person, vector};
use dreamtuner_puppet::{Expression, Identity, Picture, reference_shot, render};
use dreamtuner_warp::{Edits, Joints, Part, Rig, Vector};
use image::{Rgba, RgbaImage};

const SIDE: u32 = 192;

struct Figure {
    picture: RgbaImage,
    person: Person,
}

impl Figure {
    fn new(seed: u64) -> Self {
        let Picture { image, mask, pose, .. } =
            render(&Identity::from_seed(seed), &reference_shot(Expression::Smile), SIDE);
        let pixel = |x, y| {
            let [red, green, blue] = image.get_pixel(x, y).0;
            Rgba([red, green, blue, mask.get_pixel(x, y).0[0]])
        };
        Self { picture: RgbaImage::from_fn(SIDE, SIDE, pixel), person: pose.people[0].clone() }
    }

    fn joints(&self) -> Joints {
        Joints::of(&self.person)
    }

    fn at(&self, joint: Joint) -> Vector {
        self.joints().at(joint).unwrap()
    }

    fn put(&mut self, joint: Joint, place: Vector) {
        let keypoint = self.person.body[joint as usize].as_mut().unwrap();
        (keypoint.x, keypoint.y) = (place.x, place.y);
    }

    fn still(&self) -> Vec<Part> {
        Rig::still(&self.picture, &self.joints(), &Edits::default()).unwrap()
    }

    /// Between two joints.
    fn between(&self, from: Joint, to: Joint, share: f32) -> Vector {
        let (from, to) = (self.at(from), self.at(to));
        vector(from.x + (to.x - from.x) * share, from.y + (to.y - from.y) * share)
    }
}

#[test]
fn whole_arms_move() {
    for seed in 0..24 {
        assert_eq!(Figure::new(seed).still(), [], "puppet {seed}");
    }
}

#[test]
fn an_arm_that_is_cut_through_stays() {
    let mut figure = Figure::new(9);
    let (from, to) = (
        figure.between(Joint::LeftElbow, Joint::LeftWrist, 0.2),
        figure.between(Joint::LeftElbow, Joint::LeftWrist, 0.8),
    );
    let trunk = figure.at(Joint::LeftHip).x;
    for (x, y, pixel) in figure.picture.enumerate_pixels_mut() {
        if (from.y..to.y).contains(&(y as f32)) && x as f32 > trunk + 8.0 {
            *pixel = Rgba([0; 4]);
        }
    }
    assert_eq!(figure.still(), [Part::LeftArm]);
}

#[test]
fn an_arm_that_is_too_short_stays_and_nothing_of_it_moves() {
    let mut figure = Figure::new(9);
    let (wrist, elbow) =
        (figure.at(Joint::LeftElbow), figure.between(Joint::LeftShoulder, Joint::LeftElbow, 0.3));
    figure.put(Joint::LeftElbow, elbow);
    figure.put(Joint::LeftWrist, wrist);
    assert_eq!(figure.still(), [Part::LeftArm]);
    let rig = Rig::new(&figure.picture, &figure.joints()).unwrap();
    let before = rig.draw(&figure.joints(), SIDE, SIDE);
    figure.put(Joint::LeftElbow, vector(180.0, 60.0));
    figure.put(Joint::LeftWrist, vector(185.0, 20.0));
    assert_eq!(rig.draw(&figure.joints(), SIDE, SIDE), before);
}

#[test]
fn hair_before_an_arm_stays() {
    let mut figure = Figure::new(9);
    let (shoulder, hand) = (figure.at(Joint::LeftShoulder), figure.at(Joint::LeftWrist));
    let (top, left) = (figure.at(Joint::Nose).y - 20.0, shoulder.x - 4.0);
    for (x, y, pixel) in figure.picture.enumerate_pixels_mut() {
        let (x, y) = (x as f32, y as f32);
        if (top..hand.y + 12.0).contains(&y) && (left..hand.x + 10.0).contains(&x) {
            *pixel = Rgba([40, 90, 30, 255]);
        }
    }
    assert_eq!(figure.still(), [Part::LeftArm]);
}

#[test]
fn an_arm_that_the_given_parts_lack_stays() {
    let figure = Figure::new(9);
    let mut parts = RgbaImage::new(SIDE, SIDE);
    let arm = Part::LeftArm.colour();
    for (pixel, part) in
        parts.pixels_mut().zip(Rig::new(&figure.picture, &figure.joints()).unwrap().parts().pixels())
    {
        let [red, green, blue] = if part.0 == arm { Part::Body.colour() } else { part.0 };
        *pixel = Rgba([red, green, blue, 255]);
    }
    let edits = Edits { parts: Some(parts), ..Edits::default() };
    assert_eq!(Rig::still(&figure.picture, &figure.joints(), &edits).unwrap(), [Part::LeftArm]);
}
