//! The joints of drawn characters by many hands, marked by eye.

use std::collections::BTreeMap;
use std::path::Path;

use dreamtuner::detect::{Found, PoseModel, find_masked_person};
use dreamtuner::pose::{Joint, Person};
use dreamtuner::rig::{Doubts, joint_name};
use image::{GrayImage, Luma, RgbImage, RgbaImage};
use rayon::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Marked {
    rig: bool,
    joints: BTreeMap<String, [f32; 2]>,
}

/// What was found of a drawing.
struct Result {
    rig: bool,
    /// How far each joint is from where it was marked, in figures; far where it was not found.
    errors: Vec<(Joint, f32)>,
    /// Whether something was said to be doubtful.
    questioned: bool,
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/drawings"))
}

fn parts(drawing: &RgbaImage) -> (RgbImage, GrayImage) {
    let (width, height) = drawing.dimensions();
    let mask = GrayImage::from_fn(width, height, |x, y| Luma([drawing.get_pixel(x, y).0[3]]));
    (dreamtuner::picture::on_colour(drawing, image::Rgb([255; 3])), mask)
}

fn read(name: &str) -> RgbaImage {
    image::open(folder().join(format!("{name}.png"))).unwrap().into_rgba8()
}

fn found_in(drawing: &RgbaImage, model: &PoseModel) -> Option<Found> {
    let (picture, mask) = parts(drawing);
    find_masked_person(&model.voters().unwrap(), &picture, &mask).unwrap()
}

fn measured(name: &str, marked: &Marked, model: &PoseModel) -> Result {
    let drawing = read(name);
    let found = found_in(&drawing, model);
    let questioned = found.as_ref().is_none_or(|found| !Doubts::of(&found.person).is_empty());
    let person: Person = found.map(|found| found.person).unwrap_or_default();
    let figure = (drawing.width().max(drawing.height()) - 40) as f32;
    let error = |joint: Joint| {
        let [x, y] = marked.joints.get(&joint_name(joint))?;
        let far = person.joint(joint).map_or(1.0, |point| (point.x - x).hypot(point.y - y) / figure);
        Some((joint, far))
    };
    let errors = Joint::ALL.into_iter().filter(|joint| *joint != Joint::Neck).filter_map(error).collect();
    Result { rig: marked.rig, errors, questioned }
}

fn share(values: impl Iterator<Item = bool>) -> f64 {
    let (right, all) = values.fold((0, 0), |(right, all), value| (right + u32::from(value), all + 1));
    f64::from(right) / f64::from(all.max(1))
}

#[test]
fn joints_of_drawings_are_found_or_questioned() {
    let marked: BTreeMap<String, Marked> =
        serde_json::from_slice(&std::fs::read(folder().join("joints.json")).unwrap()).unwrap();
    let model = PoseModel::default();
    let results: Vec<Result> =
        marked.par_iter().map(|(name, marked)| measured(name, marked, &model)).collect();
    let good = || results.iter().filter(|result| result.rig);
    assert!(good().count() >= 40);
    let near =
        |limit: f32| share(good().flat_map(|result| result.errors.iter().map(move |(_, far)| *far < limit)));
    // A rig is wrong where a joint of the body is.
    let is_wrong = |result: &Result| {
        result.errors.is_empty() || result.errors.iter().any(|(joint, far)| !joint.is_facial() && *far >= 0.1)
    };
    let questioned_wrong =
        results.iter().filter(|result| result.questioned && is_wrong(result)).count() as f64;
    let questioned = results.iter().filter(|result| result.questioned).count() as f64;
    let wrong = results.iter().filter(|result| is_wrong(result)).count() as f64;
    let (precision, recall) = (questioned_wrong / questioned, questioned_wrong / wrong);
    println!(
        "PCK@0.1 {:.3}, @0.05 {:.3}; {wrong} wrong rigs, questioned: precision {precision:.3}, recall {recall:.3}",
        near(0.1),
        near(0.05)
    );
    assert!(near(0.1) > 0.88, "PCK@0.1: {}", near(0.1));
    assert!(recall > 0.9 && precision > 0.68, "precision {precision}, recall {recall}");
}

/// The picture ends at their thighs.
#[test]
fn half_figures_have_no_legs() {
    let model = PoseModel::default();
    for name in ["anime_eileen", "anime_lucy"] {
        let person = found_in(&read(name), &model).unwrap().person;
        let legs = [Joint::RightKnee, Joint::RightAnkle, Joint::LeftKnee, Joint::LeftAnkle];
        assert!(legs.iter().all(|joint| person.joint(*joint).is_none()), "{name}: {person:?}");
        let arms = [Joint::RightShoulder, Joint::RightElbow, Joint::LeftShoulder, Joint::LeftElbow];
        assert!(arms.iter().all(|joint| person.joint(*joint).is_some()), "{name}: {person:?}");
    }
}
