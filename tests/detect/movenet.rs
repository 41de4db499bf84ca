//! MoveNet against its published graph, and on puppets whose joints are known.

use std::collections::BTreeMap;
use std::path::Path;

use dreamtuner::detect::{Estimator, MoveNet, Variant};
use dreamtuner::pose::Joint;
use dreamtuner::puppet::{Picture, Scene};
use image::RgbImage;
use image::imageops::crop_imm;

use crate::puppets::{self, joints_found};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/movenet");

/// For each model and picture 17 rows of y, x and score.
type Expected = BTreeMap<String, BTreeMap<String, Vec<[f32; 3]>>>;

fn expected() -> Expected {
    let text = std::fs::read_to_string(Path::new(FIXTURES).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The middle `side` × `side` pixels of a fixture.
fn picture(name: &str, side: u32) -> RgbImage {
    let path = Path::new(FIXTURES).join(format!("{name}.png"));
    let whole = image::open(path).unwrap().into_rgb8();
    let margin = (whole.width() - side) / 2;
    crop_imm(&whole, margin, margin, side, side).to_image()
}

/// Joints lie within a tenth of a pixel of the published graph's, scores within 0.001.
#[test]
fn finds_what_the_published_graph_finds() {
    for (variant, name) in [(Variant::Thunder, "thunder"), (Variant::Lightning, "lightning")] {
        let movenet = MoveNet::new(variant).unwrap();
        for (picture_name, rows) in &expected()[name] {
            let found = movenet.detect(&picture(picture_name, movenet.side())).unwrap();
            let side = movenet.side() as f32;
            for (joint, (found, &[y, x, score])) in found.iter().zip(rows).enumerate() {
                let far = ((found.x - x) * side).hypot((found.y - y) * side);
                assert!(far < 0.1, "{name}, {picture_name}: joint {joint} is {far} pixels away");
                assert!((found.score - score).abs() < 1e-3, "{name}, {picture_name}: score of {joint}");
            }
        }
    }
}

#[test]
fn refuses_another_size() {
    let problem = MoveNet::new(Variant::Lightning).unwrap().detect(&RgbImage::new(10, 20)).unwrap_err();
    assert_eq!(problem.to_string(), "picture: 10×20 pixels; MoveNet takes 192×192");
}

/// PCK@0.1 over `pictures`.
fn share_found(pictures: impl Iterator<Item = Picture>) -> f64 {
    let movenet = MoveNet::new(Variant::Thunder).unwrap();
    let (mut near, mut all) = (0, 0);
    for drawn in pictures {
        let found = movenet.find_person(&drawn.image).unwrap().map(|found| found.person).unwrap_or_default();
        let (right, seen) = joints_found(&found, &drawn.pose.people[0]);
        (near, all) = (near + right, all + seen);
    }
    near as f64 / all as f64
}

/// In the pose of reference pictures, and in dance poses, before white.
#[test]
fn finds_the_joints_of_puppets() {
    let standing = share_found((0..16).map(puppets::standing));
    assert!(standing >= 0.9, "standing: {standing}");
    let dancing = share_found((0..16).map(|seed| puppets::dancing(seed, seed, Scene::White)));
    assert!(dancing >= 0.9, "dancing: {dancing}");
}

/// Legs are not invented where the picture ends at the hips.
#[test]
fn half_a_puppet_has_no_legs() {
    let movenet = MoveNet::new(Variant::Thunder).unwrap();
    for seed in [16, 1, 4, 9] {
        let drawn = puppets::standing(seed);
        let hips = drawn.pose.people[0].joint(Joint::LeftHip).unwrap().y as u32;
        let half = crop_imm(&drawn.image, 0, 0, 256, hips + 8).to_image();
        let Some(found) = movenet.find_person(&half).unwrap() else { panic!("{seed}: nobody") };
        let shown = found.person;
        let legs = [Joint::LeftKnee, Joint::RightKnee, Joint::LeftAnkle, Joint::RightAnkle];
        assert!(legs.iter().all(|&joint| shown.joint(joint).is_none()), "{seed}: {shown:?}");
        let arms = [Joint::LeftShoulder, Joint::RightShoulder, Joint::LeftElbow, Joint::RightElbow];
        assert!(arms.iter().all(|&joint| shown.joint(joint).is_some()), "{seed}: {shown:?}");
    }
}

#[test]
fn finds_nobody_where_nobody_is() {
    let movenet = MoveNet::new(Variant::Thunder).unwrap();
    let stripes =
        RgbImage::from_fn(200, 160, |x, y| image::Rgb([(x * 5) as u8, (y * 3) as u8, (x ^ y) as u8]));
    for picture in [RgbImage::new(64, 200), RgbImage::new(1, 1), stripes] {
        assert_eq!(movenet.find_person(&picture).unwrap(), None);
    }
}
