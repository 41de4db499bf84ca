use std::fs;
use std::path::Path;

use dreamtuner::error::Error;
use dreamtuner::outputs::{PartFile, Reservation, Wanted};
use dreamtuner::pose::{
    Joint, PoseSequence, ReadSettings, read_poses, summary, write_openpose_folder, write_pose_keypoints,
};
use serde_json::{Value, json};

use crate::figures::{keypoint, sequence, standing};

fn read_text(text: &str) -> Result<PoseSequence, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("poses.json");
    fs::write(&path, text).unwrap();
    read_poses(&path, &ReadSettings::default())
}

fn read_value(value: &Value) -> PoseSequence {
    read_text(&value.to_string()).unwrap()
}

/// `count` points (x + index, y, 1) as a flat list.
fn flat(count: usize, x: f64, y: f64) -> Vec<f64> {
    (0..count).flat_map(|index| [x + index as f64, y, 1.0]).collect()
}

fn x_of(sequence: &PoseSequence, frame: usize, joint: Joint) -> f32 {
    sequence.poses[frame].people[0].joint(joint).unwrap().x
}

#[test]
fn openpose_18_and_25() {
    let body18 = read_value(&json!({"people": [{"pose_keypoints_2d": flat(18, 100.0, 50.0)}]}));
    assert_eq!(x_of(&body18, 0, Joint::RightHip), 108.0);
    let body25 = read_value(&json!({"people": [{"pose_keypoints_2d": flat(25, 100.0, 50.0)}]}));
    assert_eq!(x_of(&body25, 0, Joint::LeftWrist), 107.0);
    assert_eq!(x_of(&body25, 0, Joint::RightHip), 109.0);
    assert_eq!(x_of(&body25, 0, Joint::LeftEar), 118.0);
}

#[test]
fn hands_face_and_absent_points() {
    let mut face = flat(70, 10.0, 10.0);
    face[2] = 0.3;
    let person = json!({"pose_keypoints_2d": flat(18, 100.0, 50.0), "face_keypoints_2d": face,
        "hand_left_keypoints_2d": flat(21, 5.0, 5.0), "hand_right_keypoints_2d": vec![0; 63]});
    let read = read_value(&json!([{"people": [person], "canvas_width": 640, "canvas_height": 480}]));
    assert_eq!((read.width, read.height), (640, 480));
    let person = &read.poses[0].people[0];
    let face = person.face.as_ref().unwrap();
    assert_eq!(face[0], None);
    assert_eq!(face[67], Some(keypoint(77.0, 10.0)));
    assert!(person.left_hand.is_some());
    assert_eq!(person.right_hand, None);
}

#[test]
fn comfyui_list_with_nulls_and_empty_frames() {
    let person = json!({"pose_keypoints_2d": flat(18, 100.0, 50.0), "face_keypoints_2d": null,
        "hand_left_keypoints_2d": null, "hand_right_keypoints_2d": null});
    let frame =
        |people: Value| json!({"people": people, "canvas_width": 512, "canvas_height": 768, "fps": 24});
    let read = read_value(&json!([frame(json!([])), frame(json!([person])), frame(json!([{}]))]));
    let counts: Vec<usize> = read.poses.iter().map(|pose| pose.people.len()).collect();
    assert_eq!(counts, [0, 1, 0]);
    assert_eq!(read.frames_per_second, Some(24.0));
    assert_eq!((read.poses[2].width, read.poses[2].height), (512, 768));
}

#[test]
fn coco_shapes_agree() {
    let triples: Vec<Value> = (0..17).map(|n| json!([100 + n, 50, 0.9])).collect();
    let numbers: Vec<f64> = (0..17).flat_map(|n| [f64::from(100 + n), 50.0, 0.9]).collect();
    let shapes = [
        json!([triples, null]),
        json!([numbers, []]),
        json!([[triples], []]),
        json!([[numbers], []]),
        json!([{"keypoints": triples}, null]),
        json!([[{"keypoints": numbers}], null]),
        json!({"frames": [triples, null]}),
        json!({"images": [{"id": 7}, {"id": 3}], "annotations": [{"image_id": 7, "keypoints": numbers}]}),
    ];
    for shape in shapes {
        let read = read_value(&shape);
        assert_eq!(read.poses.len(), 2, "{shape}");
        assert_eq!(read.poses[1].people.len(), 0, "{shape}");
        let person = &read.poses[0].people[0];
        assert_eq!(person.joint(Joint::Nose).unwrap().x, 100.0);
        assert_eq!(person.joint(Joint::RightShoulder).unwrap().x, 106.0);
        assert_eq!(person.joint(Joint::Neck).unwrap().x, 105.5, "between the shoulders");
        assert_eq!(person.joint(Joint::LeftAnkle).unwrap().x, 115.0);
        assert_eq!(person.joint(Joint::RightEar).unwrap().x, 104.0);
    }
}

#[test]
fn coco_results_are_ordered_by_image() {
    let entry = |id: Value, x: f64| {
        let points: Vec<f64> = (0..17).flat_map(|_| [x, 50.0, 1.0]).collect();
        json!({"image_id": id, "category_id": 1, "keypoints": points, "score": 0.9})
    };
    let by_name =
        json!([entry(json!("10.jpg"), 30.0), entry(json!("2.jpg"), 20.0), entry(json!("10.jpg"), 40.0)]);
    let read = read_value(&by_name);
    assert_eq!(read.poses.len(), 2);
    assert_eq!(x_of(&read, 0, Joint::Nose), 20.0);
    assert_eq!(read.poses[1].people.len(), 2);
    let unknown = json!({"images": [{"id": 1}], "annotations": [entry(json!(2), 1.0)]});
    assert!(read_text(&unknown.to_string()).unwrap_err().to_string().contains("image_id 2"));
}

#[test]
fn a_neck_needs_both_shoulders() {
    let mut numbers = flat(17, 100.0, 50.0);
    numbers[3 * 5 + 2] = 0.1;
    let read = read_value(&json!([numbers]));
    assert_eq!(read.poses[0].people[0].joint(Joint::Neck), None);
}

/// The unit comes from all frames: the first one alone would pass for fractions or for the positive quarter.
#[test]
fn units_are_recognised_over_the_whole_sequence() {
    let frame = |scale: f64, offset: f64| {
        let points: Vec<f64> =
            (0..18).flat_map(|n| [f64::from(n) / 18.0 * scale + offset, 0.5 * scale + offset, 1.0]).collect();
        json!({"people": [{"pose_keypoints_2d": points}], "canvas_width": 200, "canvas_height": 100})
    };
    let unit = read_value(&json!([frame(1.0, 0.0), frame(1.0, 0.1)]));
    assert!((x_of(&unit, 0, Joint::RightHip) - 200.0 * 8.0 / 18.0).abs() < 1e-3);
    let signed = read_value(&json!([frame(0.5, 0.5), frame(1.0, -0.9)]));
    assert!((x_of(&signed, 0, Joint::Nose) - 150.0).abs() < 1e-3);
    let pixels = read_value(&json!([frame(1.0, 0.0), frame(150.0, 0.0)]));
    assert_eq!(x_of(&pixels, 0, Joint::Nose), 0.0);
    assert!(x_of(&pixels, 0, Joint::LeftEar) < 1.0);
}

#[test]
fn a_folder_is_read_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, x) in [("f_10.json", 30.0), ("f_9.json", 20.0), ("f_011.json", 40.0)] {
        let value = json!({"people": [{"pose_keypoints_2d": flat(18, x, 50.0)}]});
        fs::write(folder.path().join(name), value.to_string()).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "not a pose").unwrap();
    let read =
        read_poses(folder.path(), &ReadSettings { canvas: Some((320, 240)), ..Default::default() }).unwrap();
    let order: Vec<f32> = (0..3).map(|frame| x_of(&read, frame, Joint::Nose)).collect();
    assert_eq!(order, [20.0, 30.0, 40.0]);
    assert_eq!((read.width, read.height), (320, 240));
}

#[test]
fn an_unstated_canvas_holds_everything() {
    let read = read_value(&json!([{"people": [{"pose_keypoints_2d": flat(18, 900.0, 50.0)}]}]));
    assert_eq!((read.width, read.height), (960, 512));
}

#[test]
fn written_files_read_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    let mut person = standing(256.0, 256.0, 333.3);
    person.body[4] = None;
    person.face =
        Some(Box::new(std::array::from_fn(|n| (n % 2 == 0).then(|| keypoint(n as f32 * 1.7, 3.3)))));
    person.right_hand = Some(Box::new(std::array::from_fn(|n| Some(keypoint(n as f32 / 7.0, -3.0)))));
    let mut original =
        sequence(vec![vec![person.clone(), standing(100.0, 100.0, 50.0)], vec![], vec![person]]);
    original.frames_per_second = Some(23.976);
    let file = folder.path().join("poses.json");
    write_pose_keypoints(&original, PartFile::replacing(&file).unwrap()).unwrap();
    assert_eq!(read_poses(&file, &ReadSettings::default()).unwrap(), original);
    let frames = folder.path().join("frames");
    let mut reserved = Reservation::begin(vec![Wanted::Folder(frames.clone())], &[], true, "frames").unwrap();
    write_openpose_folder(&original, &frames, &mut reserved).unwrap();
    assert_eq!(read_poses(&frames, &ReadSettings::default()).unwrap(), original);
    reserved.finish().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary files are left");
    let refused = Reservation::begin(vec![Wanted::Folder(frames)], &[], true, "frames").unwrap_err();
    assert!(refused.to_string().contains("already holds files"), "{refused}");
    assert!(PartFile::replacing(&folder.path().join("missing/poses.json")).is_err());
    let text = fs::read_to_string(&file).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    assert!(list[0]["people"][0]["hand_left_keypoints_2d"].is_null());
    assert_eq!(list[0]["canvas_width"], 512);
}

#[test]
fn bad_files_get_one_clear_error() {
    let body = |value: Value| {
        let mut points: Vec<Value> = flat(18, 100.0, 50.0).into_iter().map(|v| json!(v)).collect();
        points[7] = value;
        json!([{"people": []}, {"people": [{"pose_keypoints_2d": points}]}]).to_string()
    };
    let cases = [
        (String::new(), "0 bytes"),
        ("{\"people\": [{\"pose_keypoints_2d\": [1, 2".to_owned(), "not valid JSON: EOF"),
        (body(json!("x")), "[1].people[0].pose_keypoints_2d[7]: \"x\" is not a finite number"),
        (body(Value::Null), "pose_keypoints_2d[7]: null is not a finite number"),
        (body(json!(777)).replace("777", "NaN"), "NaN at line 1"),
        (body(json!(777)).replace("777", "-Infinity"), "Infinity at line 1"),
        (body(json!(777)).replace("777", "1e999"), "not valid JSON: number out of range"),
        (body(json!(1e9)), "frame 1: right shoulder at (102, 1000000000) is not within ±100000 pixels"),
        (
            json!([{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}]).to_string(),
            "3 numbers, expected 54 or 75 or none",
        ),
        (
            json!([{"people": [{"hand_left_keypoints_2d": flat(20, 1.0, 1.0)}]}]).to_string(),
            "60 numbers, expected 63",
        ),
        (json!([{"people": {"a": 1}}]).to_string(), "[0].people: an object is not a list"),
        (json!([{"people": [5]}]).to_string(), "[0].people[0]: 5 is not an object"),
        (json!([{"people": []}, {"people": []}]).to_string(), "nobody in any of the 2 frames"),
        (json!([]).to_string(), "nobody in any of the 0 frames"),
        (json!({"a": 1}).to_string(), "no pose file"),
        (json!("text").to_string(), "\"text\" is no pose file"),
        (json!([7]).to_string(), "[0]: 7 is no frame"),
        (json!([[[1, 2, 3]]]).to_string(), "[0]: 1 entries, expected 17 triples"),
        (json!([{"image_id": true, "keypoints": []}]).to_string(), "[0].image_id: true is neither"),
        (json!([{"people": [], "canvas_width": 0, "canvas_height": 9}]).to_string(), "0 is not in 1..=16384"),
        (json!([{"people": [], "canvas_width": 10}]).to_string(), "only one of canvas_width"),
        (json!([{"people": [], "fps": -1}]).to_string(), "[0].fps: -1"),
        ("[".repeat(100_000), "not valid JSON: EOF"),
        ("[".repeat(1000) + &"]".repeat(1000), "not valid JSON: recursion limit"),
        ("\u{0}\u{1}\u{2}".to_owned(), "not valid JSON"),
    ];
    for (text, expected) in cases {
        let error = read_text(&text).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error:?} should contain {expected:?}");
        assert!(error.contains("poses.json"), "{error:?} should name the file");
    }
}

#[test]
fn missing_paths_and_empty_folders() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ReadSettings::default();
    assert!(matches!(read_poses(Path::new("/no/such/file.json"), &settings), Err(Error::Io { .. })));
    assert!(read_poses(folder.path(), &settings).unwrap_err().to_string().contains("no *.json"));
    let none = ReadSettings { canvas: Some((0, 512)), ..Default::default() };
    assert!(matches!(read_poses(folder.path(), &none), Err(Error::Setting { .. })));
}

#[test]
fn canvases_have_to_agree() {
    let frame = |width: u32| json!({"people": [{"pose_keypoints_2d": flat(18, 9.0, 5.0)}], "canvas_width": width, "canvas_height": 512});
    let error = read_text(&json!([frame(512), frame(640)]).to_string()).unwrap_err().to_string();
    assert!(error.contains("frame 1 has a canvas of 640×512"), "{error}");
}

#[test]
fn summary_counts_and_measures() {
    let mut moved = standing(266.0, 256.0, 400.0);
    moved.body[4] = None;
    let mut sequence = sequence(vec![
        vec![standing(256.0, 256.0, 400.0), standing(100.0, 100.0, 90.0)],
        vec![moved],
        vec![],
    ]);
    sequence.frames_per_second = Some(12.0);
    let summary = summary(&sequence);
    assert_eq!((summary.frames, summary.empty_frames), (3, 1));
    assert_eq!((summary.fewest_people, summary.most_people), (0, 2));
    assert_eq!(summary.missing_joints.len(), 1);
    assert_eq!(summary.missing_joints[0].joint, "right wrist");
    assert!((summary.max_speed - 10.0 / 512.0).abs() < 1e-6);
    assert!((summary.joint_coverage - 53.0 / 54.0).abs() < 1e-9);
    assert!(summary.to_string().contains("1 × right wrist"));
    assert!(serde_json::to_value(&summary).unwrap()["mean_people"].is_number());
}
