//! Dances given to bodies of other proportions.

use std::path::Path;

use dreamtuner::pose::{Joint, Person, Pose, PoseSequence, ReadSettings, read_poses, rescale, retarget};
use dreamtuner::puppet::{
    Expression, HELD_OUT_SEED, Identity, Motion, Scene, Shot, View, reference_pose, render,
};
use proptest::prelude::*;

/// Bones by their ends.
const BONES: [(Joint, Joint); 11] = [
    (Joint::Neck, Joint::RightShoulder),
    (Joint::RightShoulder, Joint::RightElbow),
    (Joint::RightElbow, Joint::RightWrist),
    (Joint::Neck, Joint::LeftShoulder),
    (Joint::LeftShoulder, Joint::LeftElbow),
    (Joint::LeftElbow, Joint::LeftWrist),
    (Joint::RightHip, Joint::RightKnee),
    (Joint::RightKnee, Joint::RightAnkle),
    (Joint::LeftHip, Joint::LeftKnee),
    (Joint::LeftKnee, Joint::LeftAnkle),
    (Joint::Neck, Joint::Nose),
];
const DANCES: [&str; 10] =
    ["bow", "disco", "jumping_jack", "kick", "robot", "spin_step", "sway", "twist", "walk", "wave"];

fn dance(name: &str) -> PoseSequence {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("poses").join(name).with_extension("json");
    read_poses(&path, &ReadSettings::default()).unwrap()
}

/// How a puppet stands in its reference picture.
fn reference(seed: u64) -> Pose {
    let shot = Shot {
        pose: reference_pose(),
        view: View::Front,
        expression: Expression::Smile,
        scene: Scene::White,
        motion: Motion::default(),
    };
    render(&Identity::from_seed(seed), &shot, 512).pose
}

fn vector(person: &Person, (from, to): (Joint, Joint)) -> Option<(f32, f32)> {
    let (from, to) = (person.joint(from)?, person.joint(to)?);
    Some((to.x - from.x, to.y - from.y))
}

fn people(sequence: &PoseSequence) -> impl Iterator<Item = &Person> {
    sequence.poses.iter().map(|pose| &pose.people[0])
}

/// Every bone is as long as the reference's, but for one common factor, in every frame, and points where the dancer's does.
fn check_bones(name: &str, dance: &PoseSequence, result: &PoseSequence, reference: &Pose) {
    let mut ratios = Vec::new();
    for (frame, (dancer, figure)) in people(dance).zip(people(result)).enumerate() {
        for bone in BONES {
            let (Some(own), Some(new)) = (vector(dancer, bone), vector(figure, bone)) else { continue };
            let wanted = vector(&reference.people[0], bone).unwrap();
            ratios.push(new.0.hypot(new.1) / wanted.0.hypot(wanted.1));
            let angle = (own.0 * new.1 - own.1 * new.0).atan2(own.0 * new.0 + own.1 * new.1);
            assert!(angle.to_degrees().abs() < 1.0, "{name}, frame {frame}: {bone:?} turned by {angle} rad");
        }
    }
    let (least, most) = ratios.iter().fold((f32::MAX, 0f32), |(a, b), &ratio| (a.min(ratio), b.max(ratio)));
    assert!(most <= 1.01 && most / least < 1.01, "{name}: bones are {least} to {most} of the reference's");
}

/// The longest way in body heights that a foot slides while the dancer's stands still.
fn longest_slide(dance: &PoseSequence, result: &PoseSequence) -> f32 {
    let height = people(result).filter_map(Person::bounding_box).map(|b| b.height()).fold(0.0, f32::max);
    let own_height = people(dance).filter_map(Person::bounding_box).map(|b| b.height()).fold(0.0, f32::max);
    let mut longest = 0f32;
    for foot in [Joint::LeftAnkle, Joint::RightAnkle] {
        let place = |sequence: &PoseSequence, frame: usize| sequence.poses[frame].people[0].joint(foot);
        let mut start = 0;
        for frame in 1..dance.poses.len() {
            let (Some(first), Some(now)) = (place(dance, start), place(dance, frame)) else { continue };
            if (first.x - now.x).hypot(first.y - now.y) > 0.004 * own_height {
                start = frame;
                continue;
            }
            // A turning point in the air is no stand.
            if frame - start < 4 {
                continue;
            }
            let (Some(first), Some(now)) = (place(result, start), place(result, frame)) else { continue };
            longest = longest.max((first.x - now.x).hypot(first.y - now.y) / height);
        }
    }
    longest
}

#[test]
fn dances_are_given_to_other_bodies() {
    for name in DANCES {
        let dance = dance(name);
        for seed in 0..6 {
            let reference = reference(HELD_OUT_SEED + seed);
            let result = retarget(&dance, &reference).unwrap();
            let name = format!("{name} to {seed}");
            check_bones(&name, &dance, &result, &reference);
            let slide = longest_slide(&dance, &result);
            eprintln!("{name}: {slide}");
            assert!(slide < 0.02, "{name}: a foot slides by {slide} of the height");
        }
    }
}

#[test]
fn a_body_of_its_own_is_left_alone() {
    let dance = dance("walk");
    let result = retarget(&dance, &dance.poses[0]).unwrap();
    for (own, new) in people(&dance).zip(people(&result)) {
        let moved = (new.joint(Joint::Neck).unwrap().x - own.joint(Joint::Neck).unwrap().x).abs();
        assert!(moved < 0.06 * dance.width as f32, "{moved}");
    }
}

/// A reference of which only the upper half is seen.
#[test]
fn half_a_reference_is_enough() {
    let dance = dance("disco");
    let mut half = reference(HELD_OUT_SEED);
    for joint in [Joint::LeftKnee, Joint::RightKnee, Joint::LeftAnkle, Joint::RightAnkle] {
        half.people[0].body[joint as usize] = None;
    }
    let result = retarget(&dance, &half).unwrap();
    assert!(people(&result).all(|person| person.body.iter().all(Option::is_some)));
    let inside = |person: &Person| person.bounding_box().unwrap().top >= 0.0;
    assert!(people(&result).all(inside));
}

/// The clip is framed as the reference is: what the picture does not show stays outside.
#[test]
fn a_clip_of_half_a_body_stays_close() {
    let dance = dance("wave");
    let mut half = reference(HELD_OUT_SEED);
    for joint in [Joint::LeftKnee, Joint::RightKnee, Joint::LeftAnkle, Joint::RightAnkle] {
        half.people[0].body[joint as usize] = None;
    }
    half.height = half.people[0].joint(Joint::LeftHip).unwrap().y as u32 + 8;
    let neck = half.people[0].joint(Joint::Neck).unwrap().y;
    let result = retarget(&dance, &half).unwrap();
    for person in people(&result) {
        let away = (person.joint(Joint::Neck).unwrap().y - neck).abs();
        assert!(away < 0.15 * half.height as f32, "the neck is {away} away");
        assert!(person.joint(Joint::LeftAnkle).unwrap().y > half.height as f32);
    }
}

#[test]
fn rescaling_keeps_proportions() {
    let dance = dance("kick");
    let reference = reference(HELD_OUT_SEED + 1);
    let result = rescale(&dance, &reference).unwrap();
    let size = |person: &Person| person.bounding_box().unwrap().height();
    let ratios: Vec<f32> = people(&dance).zip(people(&result)).map(|(a, b)| size(b) / size(a)).collect();
    assert!(ratios.iter().all(|ratio| (ratio / ratios[0] - 1.0).abs() < 1e-3));
}

#[test]
fn says_what_it_cannot_do() {
    let dance = dance("kick");
    let nobody = Pose { width: 64, height: 64, people: vec![Person::default()] };
    assert!(retarget(&dance, &nobody).unwrap_err().to_string().contains("no bone is seen"));
    let mut crowd = dance.clone();
    let person = crowd.poses[3].people[0].clone();
    crowd.poses[3].people.push(person);
    assert!(retarget(&crowd, &dance.poses[0]).unwrap_err().to_string().contains("frame 3 holds 2 people"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever joints are missing, the result is finite, and on the canvas of the reference.
    #[test]
    fn missing_joints_never_break_it(
        missing in prop::collection::vec((0_usize..40, 0_usize..18), 0..200),
        lost in prop::collection::vec(0_usize..18, 0..16),
        seed in 0_u64..20,
    ) {
        let mut dance = dance("wave");
        for (frame, joint) in missing {
            dance.poses[frame].people[0].body[joint] = None;
        }
        let mut reference = reference(seed);
        for joint in lost {
            reference.people[0].body[joint] = None;
        }
        if let Ok(result) = retarget(&dance, &reference) {
            prop_assert_eq!((result.width, result.height), (512, 512));
            prop_assert_eq!(result.poses.len(), dance.poses.len());
            for point in result.poses.iter().flat_map(|pose| &pose.people).flat_map(|person| person.keypoints()) {
                prop_assert!(point.x.is_finite() && point.y.is_finite());
            }
        }
    }
}
