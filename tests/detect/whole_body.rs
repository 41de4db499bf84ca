//! Whole-body networks from files, on stand-ins with the interfaces of YOLOX and DWPose, against what rtmlib makes of them.

use std::path::{Path, PathBuf};

use dreamtuner::detect::{Estimator, Region, Tracker, WholeBody};
use dreamtuner::pose::{Keypoint, Person};
use image::RgbImage;
use serde::Deserialize;

/// Pixels that points may lie apart: what the networks see is scaled in another way.
const TOLERANCE: f32 = 2.5;

/// What rtmlib finds of one person, the points in the order of COCO-WholeBody.
#[derive(Deserialize)]
struct Expected {
    #[serde(rename = "box")]
    bounds: [f32; 4],
    points: Vec<[f32; 2]>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/whole_body").join(name)
}

fn picture() -> RgbImage {
    image::open(fixture("figures.png")).unwrap().into_rgb8()
}

fn expected() -> Vec<Expected> {
    serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn assert_is(found: &Person, expected: &Expected) {
    let seen: Vec<_> = expected.points.iter().map(|&[x, y]| Keypoint::seen(x, y, 1.0)).collect();
    let body = Person::from_coco(&seen).body;
    let groups = [
        (found.body.as_slice(), body.as_slice()),
        (found.face.as_deref().unwrap(), &seen[23..91]),
        (found.left_hand.as_deref().unwrap(), &seen[91..112]),
        (found.right_hand.as_deref().unwrap(), &seen[112..133]),
    ];
    for (points, wanted) in groups {
        assert_eq!(points.len(), wanted.len());
        for (point, wanted) in points.iter().zip(wanted) {
            let (point, wanted) = (point.unwrap(), wanted.unwrap());
            let apart = (point.x - wanted.x).hypot(point.y - wanted.y);
            assert!(apart <= TOLERANCE, "{point:?} is not at {wanted:?}");
        }
    }
}

#[test]
fn everyone_is_found_with_hands_and_face() {
    let network = WholeBody::open(&fixture("")).unwrap();
    let people = network.find_people(&picture()).unwrap();
    assert_eq!(people.len(), 2);
    for (found, expected) in people.iter().zip(expected()) {
        assert!(found.score > 0.9, "{}", found.score);
        assert_is(&found.person, &expected);
    }
}

#[test]
fn a_still_shows_one_of_them() {
    let found = WholeBody::open(&fixture("")).unwrap().find_person(&picture()).unwrap().unwrap();
    assert!(found.person.face.is_some());
    let empty = RgbImage::from_pixel(320, 200, image::Rgb([25, 25, 42]));
    assert_eq!(WholeBody::open(&fixture("")).unwrap().find_person(&empty).unwrap(), None);
}

#[test]
fn the_pose_network_works_by_itself() {
    let network = WholeBody::open(&fixture("dwpose.onnx")).unwrap();
    let expected = expected();
    let [left, top, right, bottom] = expected[1].bounds;
    // What rtmlib shows the network: a quarter more on all sides together, three to four.
    let bounds = Region { left, top, width: right - left, height: bottom - top };
    let found = network.find(&picture(), bounds.scaled(1.25, 1.25).shaped(0.75)).unwrap();
    assert_is(&found.person, &expected[1]);
}

#[test]
fn people_are_followed_where_they_were() {
    let network = WholeBody::open(&fixture("")).unwrap();
    let mut tracker = Tracker::new(&network);
    let first = tracker.observe(&picture()).unwrap();
    let second = tracker.observe(&picture()).unwrap();
    assert_eq!(second.people.len(), 2);
    for (before, after) in first.people.iter().zip(&second.people) {
        assert!(before.distance(after) < 0.01);
    }
}

#[test]
fn other_files_are_refused() {
    let problem = |path: &Path| WholeBody::open(path).map(drop).unwrap_err().to_string();
    let alone = problem(&fixture("yolox.onnx"));
    assert!(alone.contains("yolox.onnx") && alone.contains("one pose network"), "{alone}");
    let text = problem(&fixture("make.py"));
    assert!(text.contains("make.py") && text.contains("no ONNX network"), "{text}");
    let missing = problem(&fixture("missing.onnx"));
    assert!(missing.contains("missing.onnx"), "{missing}");
    let other = problem(&fixture("other/other.onnx"));
    assert!(other.contains("other.onnx") && other.contains("no RTMPose"), "{other}");
}

#[test]
fn a_folder_holds_one_pose_network() {
    let folder = tempfile::tempdir().unwrap();
    let problem = || WholeBody::open(folder.path()).map(drop).unwrap_err().to_string();
    assert!(problem().contains("one pose network"), "{}", problem());
    for name in ["a.onnx", "b.onnx"] {
        std::fs::copy(fixture("dwpose.onnx"), folder.path().join(name)).unwrap();
    }
    assert!(problem().contains("one pose network"), "{}", problem());
}
