//! Motion capture files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use dreamtuner::pose::{Camera, Joint, PoseSequence, ReadSettings, parse_bvh, read_poses};
use serde::Deserialize;

/// What `tests/fixtures/bvh/make.py` says of a file.
#[derive(Deserialize)]
struct Expected {
    yaw: f32,
    pitch: f32,
    /// Height of the skeleton at rest.
    height: f32,
    frames: Vec<BTreeMap<String, [f32; 2]>>,
}

fn fixtures() -> PathBuf {
    let given = std::env::var_os("DREAMTUNER_FIXTURES").map(PathBuf::from);
    given.unwrap_or_else(|| [env!("CARGO_MANIFEST_DIR"), "tests/fixtures"].iter().collect()).join("bvh")
}

fn text(name: &str) -> String {
    fs::read_to_string(fixtures().join(name)).unwrap()
}

fn place(poses: &PoseSequence, frame: usize, joint: Joint) -> (f32, f32) {
    let point = poses.poses[frame].people[0].joint(joint).unwrap();
    (point.x, point.y)
}

fn joint(name: &str) -> Joint {
    Joint::ALL.into_iter().find(|joint| joint.name() == name).unwrap()
}

#[test]
fn joints_are_where_a_camera_sees_them() {
    let expected: BTreeMap<String, Expected> =
        serde_json::from_slice(&fs::read(fixtures().join("expected.json")).unwrap()).unwrap();
    for (name, Expected { yaw, pitch, height, frames }) in expected {
        let settings = ReadSettings { camera: Camera { yaw, pitch }, ..Default::default() };
        let poses = read_poses(&fixtures().join(format!("{name}.bvh")), &settings).unwrap();
        assert_eq!(poses.poses.len(), frames.len());
        assert!((poses.frames_per_second.unwrap() - 30.0).abs() < 1e-3);
        let scale = 512.0 / height;
        // One offset brings the whole dance onto the canvas.
        let first = place(&poses, 0, Joint::RightShoulder);
        let [x, y] = frames[0]["right shoulder"];
        let offset = (first.0 - x * scale, first.1 - y * scale);
        for (frame, limbs) in frames.iter().enumerate() {
            for (limb, [x, y]) in limbs {
                let found = place(&poses, frame, joint(limb));
                let far = (found.0 - x * scale - offset.0).hypot(found.1 - y * scale - offset.1);
                assert!(far < 0.05, "{name}, frame {frame}, {limb}: {far} pixels");
            }
        }
        for pose in &poses.poses {
            for point in pose.people[0].body.iter().flatten() {
                assert!(
                    (0.0..=poses.width as f32).contains(&point.x)
                        && (0.0..=poses.height as f32).contains(&point.y)
                );
            }
        }
    }
}

/// Hip, knee, ankle, shoulder, elbow and wrist of the right side, and the head, as programs name them.
const NAMES: [[&str; 7]; 6] = [
    ["RightUpLeg", "RightLeg", "RightFoot", "RightArm", "RightForeArm", "RightHand", "Head"],
    ["rThigh", "rShin", "rFoot", "rShldr", "rForeArm", "rHand", "head"],
    ["RightHip", "RightKnee", "RightAnkle", "RightShoulder", "RightElbow", "RightWrist", "Head"],
    ["thigh.R", "shin.R", "foot.R", "upper_arm.R", "forearm.R", "hand.R", "head"],
    [
        "Bip01 R Thigh",
        "Bip01 R Calf",
        "Bip01 R Foot",
        "Bip01 R UpperArm",
        "Bip01 R Forearm",
        "Bip01 R Hand",
        "Bip01 Head",
    ],
    [
        "J_Bip_R_UpperLeg",
        "J_Bip_R_LowerLeg",
        "J_Bip_R_Foot",
        "J_Bip_R_UpperArm",
        "J_Bip_R_LowerArm",
        "J_Bip_R_Hand",
        "J_Bip_C_Head",
    ],
];

/// The same on the left.
fn left(name: &str) -> String {
    let pairs = [
        ("Right", "Left"),
        (".R", ".L"),
        (" R ", " L "),
        ("_R_", "_L_"),
        ("rThigh", "lThigh"),
        ("rSh", "lSh"),
        ("rF", "lF"),
        ("rHand", "lHand"),
    ];
    pairs
        .into_iter()
        .find(|(right, _)| name.contains(right))
        .map_or(name.to_owned(), |(right, left)| name.replace(right, left))
}

#[test]
fn names_of_many_programs_are_known() {
    let camera = Camera::default();
    let whole =
        text("mixamo.bvh").replace(" RightShoulder", " RightCollar").replace(" LeftShoulder", " LeftCollar");
    let wanted = parse_bvh(&whole, &camera).unwrap();
    for names in NAMES {
        let mut renamed = whole.clone();
        for (from, to) in NAMES[0].into_iter().zip(names) {
            renamed = renamed.replace(&format!(" {from}\n"), &format!(" {to}\n"));
            renamed = renamed.replace(&format!(" {}\n", left(from)), &format!(" {}\n", left(to)));
        }
        assert_eq!(parse_bvh(&renamed, &camera).unwrap(), wanted, "{names:?}");
    }
}

/// Who looks at the viewer shows a face; who looks away, ears at most.
#[test]
fn the_side_that_the_camera_is_on_is_nearer() {
    let seen = |angles: &str| {
        let poses = parse_bvh(&text("mixamo.bvh"), &angles.parse().unwrap()).unwrap();
        let person = poses.poses[0].people[0].clone();
        let depths = person.depths.expect("depths of motion capture");
        [Joint::LeftShoulder, Joint::RightShoulder].map(|joint| depths[joint as usize].unwrap())
    };
    let [left, right] = seen("yaw=90");
    assert!(left < right, "{left} {right}");
    let [left, right] = seen("yaw=-90");
    assert!(left > right, "{left} {right}");
    // Depths have the unit of places: seen from the side, a shoulder is as far behind the other as it is beside it from the front.
    let [left, right] = seen("yaw=90");
    let front = parse_bvh(&text("mixamo.bvh"), &Camera::default()).unwrap();
    let (one, other) = (place(&front, 0, Joint::LeftShoulder), place(&front, 0, Joint::RightShoulder));
    let across = (one.0 - other.0).abs();
    assert!(((right - left) / across - 1.0).abs() < 0.2, "{} {across}", right - left);
}

#[test]
fn faces_are_seen_from_the_front() {
    let still = |camera| {
        let text = text("mixamo.bvh");
        let (skeleton, _) = text.split_once("MOTION").unwrap();
        let zeros = "0 ".repeat(3 + 3 * 18);
        let text = format!("{skeleton}MOTION\nFrames: 1\nFrame Time: 0.04\n{zeros}\n");
        parse_bvh(&text, &camera).unwrap().poses[0].people[0].clone()
    };
    let front = still(Camera::default());
    let x = |joint: Joint| front.joint(joint).unwrap().x;
    assert!(x(Joint::RightShoulder) < x(Joint::Neck) && x(Joint::Neck) < x(Joint::LeftShoulder));
    assert!(x(Joint::RightEye) < x(Joint::Nose) && x(Joint::Nose) < x(Joint::LeftEye));
    assert!(front.joint(Joint::Nose).unwrap().y < front.joint(Joint::Neck).unwrap().y);
    let back = still(Camera { yaw: 180.0, pitch: 0.0 });
    assert_eq!(back.joint(Joint::Nose), None);
    assert!(back.joint(Joint::RightEar).is_some() && back.joint(Joint::LeftEar).is_some());
    // From the dancer's left, the left ear is seen and the right one is not; the nose points to the picture's left.
    let side = still(Camera { yaw: 90.0, pitch: 0.0 });
    assert!(side.joint(Joint::LeftEar).is_some() && side.joint(Joint::RightEar).is_none());
    assert!(side.joint(Joint::Nose).unwrap().x < side.joint(Joint::LeftEar).unwrap().x);
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let whole = text("mixamo.bvh");
    let said = |text: &str| parse_bvh(text, &Camera::default()).unwrap_err().to_string();
    let changed = |from: &str, to: &str| {
        assert!(whole.contains(from));
        said(&whole.replacen(from, to, 1))
    };
    assert!(said("").contains("HIERARCHY"));
    assert!(said("{}").contains("HIERARCHY"));
    assert!(said(whole.split("JOINT").next().unwrap()).contains("the file ends"));
    assert!(said(&whole[..whole.len() - 200]).contains("frame 5 of 5"));
    assert!(said(&format!("{whole} 4 5")).contains("after the last"));
    assert!(changed("Frames: 5", "Frames: 1000000").contains("1 to 100000"));
    assert!(changed("Frames: 5", "Frames: -1").contains("1 to 100000"));
    assert!(changed("Frames: 5", "Frames: 100000").contains("the file ends"));
    assert!(changed("Frame Time: 0.0333333", "Frame Time: 0").contains("0.0001 to 100"));
    assert!(changed("OFFSET 0 95 0", "OFFSET 0 NaN 0").contains("line 4"));
    assert!(changed("OFFSET 0 95 0", "OFFSET 0 1e30 0").contains("1000000"));
    assert!(changed("CHANNELS 6", "CHANNELS 60").contains("0 to 6"));
    assert!(changed("CHANNELS 6 X", "X").contains("CHANNELS"));
    assert!(changed("Xposition", "Wposition").contains("Xposition"));
    // Joints within each other without end, and a dancer without legs.
    let deep = "JOINT a\n{ OFFSET 0 1 0 CHANNELS 0\n".repeat(2000);
    assert!(said(&format!("HIERARCHY ROOT a\n{{ OFFSET 0 0 0 CHANNELS 0\n{deep}")).contains("1000 joints"));
    let lame =
        "HIERARCHY\nROOT a\n{ OFFSET 0 0 0 CHANNELS 1 Xposition\n}\nMOTION\nFrames: 1\nFrame Time: 1\n0";
    assert!(said(lame).contains("two arms and two legs"));
}

#[test]
fn cameras_are_said_by_angles() {
    let camera: Camera = "yaw=20,pitch=-5.5".parse().unwrap();
    assert_eq!(camera, Camera { yaw: 20.0, pitch: -5.5 });
    assert_eq!(camera.to_string().parse(), Ok(camera));
    for bad in ["", "20", "yaw=", "yaw=NaN", "yaw=181", "pitch=91", "roll=2", "yaw=1;pitch=2"] {
        assert!(bad.parse::<Camera>().is_err(), "{bad}");
    }
}
