use std::fs;

use dreamtuner::outputs::{PartFile, Reservation, Wanted};
use dreamtuner::pose::{
    DrawSettings, Joint, Keypoint, Person, Pose, PoseSequence, ReadSettings, StickWidth, classify, draw_pose,
    fill_gaps, read_poses, summary, write_openpose_folder, write_pose_keypoints,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Random JSON made of the keys and shapes that pose files have, so that it gets past the first checks.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2.0..600.0).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9]{0,4}".prop_map(Value::from),
        prop::sample::select(vec![51_usize, 54, 63, 75, 204, 210])
            .prop_flat_map(|count| prop::collection::vec(-1.0..500.0, count))
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let key = prop::sample::select(vec![
            "people",
            "pose_keypoints_2d",
            "face_keypoints_2d",
            "hand_left_keypoints_2d",
            "canvas_width",
            "canvas_height",
            "fps",
            "frames",
            "annotations",
            "images",
            "image_id",
            "id",
            "keypoints",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|entries| json!(entries.into_iter().collect::<std::collections::BTreeMap<_, _>>())),
        ]
    })
}

fn any_point(limit: f32) -> impl Strategy<Value = Option<Keypoint>> {
    let point = (-limit..limit, -limit..limit, 0.31_f32..1.0);
    prop::option::weighted(0.8, point.prop_map(|(x, y, confidence)| Keypoint { x, y, confidence }))
}

fn any_person(limit: f32) -> impl Strategy<Value = Person> {
    let hand = || prop::option::of(prop::collection::vec(any_point(limit), 21));
    (
        prop::collection::vec(any_point(limit), 18),
        hand(),
        hand(),
        prop::option::of(prop::collection::vec(any_point(limit), 68)),
    )
        .prop_map(|(body, left, right, face)| Person {
            body: body.try_into().unwrap(),
            left_hand: left.map(|hand| Box::new(hand.try_into().unwrap())),
            right_hand: right.map(|hand| Box::new(hand.try_into().unwrap())),
            face: face.map(|face| Box::new(face.try_into().unwrap())),
            depths: None,
        })
}

fn any_sequence(people: std::ops::Range<usize>) -> impl Strategy<Value = PoseSequence> {
    let frames = prop::collection::vec(prop::collection::vec(any_person(900.0), people), 1..6);
    (
        frames,
        1_u32..2000,
        1_u32..2000,
        prop::option::of((4_u32..480).prop_map(|quarter| f64::from(quarter) / 4.0)),
    )
        .prop_map(|(frames, width, height, frames_per_second)| PoseSequence {
            width,
            height,
            frames_per_second,
            tracked: false,
            poses: frames.into_iter().map(|people| Pose { width, height, people }).collect(),
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn random_json_never_panics(value in any_json()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.json");
        fs::write(&path, value.to_string()).unwrap();
        if let Ok(sequence) = read_poses(&path, &ReadSettings::default()) {
            prop_assert!(sequence.poses.iter().any(|pose| !pose.people.is_empty()));
            prop_assert!(sequence.poses.iter().flat_map(|p| &p.people).flat_map(Person::keypoints).all(|k| k.x.is_finite()));
            let _ = summary(&sequence).to_string();
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.json");
        fs::write(&path, bytes).unwrap();
        prop_assert!(read_poses(&path, &ReadSettings::default()).is_err());
    }

    #[test]
    fn drawing_never_panics(
        near in any_person(200.0),
        far in any_person(1e9),
        farthest in any_person(f32::MAX),
        (width, height) in (0_u32..120, 0_u32..120),
        stick_width in prop::sample::select(vec![StickWidth::Proportional, StickWidth::Fixed, StickWidth::BySize]),
    ) {
        let pose = Pose { width: 100, height: 100, people: vec![near, far, farthest] };
        let image = draw_pose(&pose, width, height, &DrawSettings { stick_width, ..DrawSettings::default() });
        prop_assert_eq!(image.dimensions(), (width, height));
        classify(&[image]);
    }

    #[test]
    fn interpolation_keeps_bounds(mut sequence in any_sequence(0..2)) {
        let before = sequence.clone();
        match fill_gaps(&mut sequence) {
            Err(_) => prop_assert!(before.poses.iter().all(|pose| pose.people.iter().all(Person::is_empty))),
            Ok(report) => {
                prop_assert_eq!(report.frames, before.poses.len());
                for joint in Joint::ALL {
                    let of = |sequence: &PoseSequence| -> Vec<Option<Keypoint>> {
                        sequence.poses.iter().map(|p| p.people.first().and_then(|q| q.joint(joint))).collect()
                    };
                    let (given, filled) = (of(&before), of(&sequence));
                    let xs: Vec<f32> = given.iter().flatten().map(|point| point.x).collect();
                    let low = xs.iter().copied().fold(f32::INFINITY, f32::min);
                    let high = xs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    for (given, filled) in given.iter().zip(&filled) {
                        prop_assert!(given.is_none() || given == filled, "what was seen is kept");
                        prop_assert!(xs.is_empty() == filled.is_none());
                        prop_assert!(filled.is_none_or(|point| (low..=high).contains(&point.x)));
                    }
                }
            }
        }
    }
}

// Every case writes and syncs several files.
proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn files_round_trip(sequence in any_sequence(1..3)) {
        prop_assume!(sequence.poses.iter().flat_map(|p| &p.people).all(|person| !person.is_empty()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("poses.json");
        write_pose_keypoints(&sequence, PartFile::replacing(&file).unwrap()).unwrap();
        prop_assert_eq!(&read_poses(&file, &ReadSettings::default()).unwrap(), &sequence);
        let frames = folder.path().join("frames");
        let wanted = vec![Wanted::Folder(frames.clone())];
        let mut reserved = Reservation::begin(wanted, &[], false, "frames").unwrap();
        write_openpose_folder(&sequence, &frames, &mut reserved).unwrap();
        prop_assert_eq!(&read_poses(&frames, &ReadSettings::default()).unwrap(), &sequence);
    }
}
