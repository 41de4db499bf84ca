//! Mending what detectors get wrong, on dances whose true poses are known.

use std::path::Path;

use dreamtuner::inputs::extract::mend;
use dreamtuner::pose::{
    HAND_POINTS, Joint, Keypoint, Person, PoseSequence, ReadSettings, read_poses, reject_outliers,
    repair_swaps, smooth_poses,
};
use dreamtuner::puppet::Random;

fn dance(name: &str) -> PoseSequence {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("poses").join(name).with_extension("json");
    read_poses(&path, &ReadSettings::default()).unwrap()
}

const DANCES: [&str; 5] = ["wave", "disco", "jumping_jack", "kick", "robot"];

/// Uniform noise of a standard deviation of `deviation` pixels.
fn tremble(sequence: &PoseSequence, deviation: f32) -> PoseSequence {
    let mut random = Random::new(7, 0);
    let reach = deviation * 3f32.sqrt();
    let mut trembling = sequence.clone();
    for point in
        trembling.poses.iter_mut().flat_map(|pose| &mut pose.people).flat_map(|p| &mut p.body).flatten()
    {
        point.x += random.range(-reach, reach);
        point.y += random.range(-reach, reach);
    }
    trembling
}

fn joint(sequence: &PoseSequence, frame: usize, joint: Joint) -> Option<Keypoint> {
    sequence.poses.get(frame)?.people.first()?.joint(joint)
}

/// Root of the mean square distance of all joints, in pixels, where `a` at time t is `b` at time t - `shift`.
fn error(a: &PoseSequence, b: &PoseSequence, shift: f32) -> f32 {
    let (mut sum, mut count) = (0.0, 0.0);
    for frame in 4..a.poses.len() - 4 {
        let time = frame as f32 - shift;
        let (before, share) = (time.floor() as usize, time - time.floor());
        for name in Joint::ALL {
            let points = (joint(a, frame, name), joint(b, before, name), joint(b, before + 1, name));
            let (Some(a), Some(first), Some(second)) = points else { continue };
            let there = first.towards(second, share);
            sum += (a.x - there.x).powi(2) + (a.y - there.y).powi(2);
            count += 1.0;
        }
    }
    (sum / count as f32).sqrt()
}

/// Mean change of a joint's velocity, in pixels a frame.
fn jitter(sequence: &PoseSequence) -> f32 {
    let (mut sum, mut count) = (0.0, 0.0);
    for frame in 1..sequence.poses.len() - 1 {
        for name in Joint::ALL {
            let points = [frame - 1, frame, frame + 1].map(|frame| joint(sequence, frame, name));
            let [Some(a), Some(b), Some(c)] = points else { continue };
            sum += (a.x - 2.0 * b.x + c.x).hypot(a.y - 2.0 * b.y + c.y);
            count += 1.0;
        }
    }
    sum / count
}

/// Frames by which `a` is behind `b`, from how well it fits.
fn lag(a: &PoseSequence, b: &PoseSequence) -> f32 {
    let shifts = (-20..=20).map(|tenths| tenths as f32 / 10.0);
    shifts.min_by(|x, y| error(a, b, *x).total_cmp(&error(a, b, *y))).unwrap()
}

#[test]
fn smoothing_calms_without_lagging() {
    for name in DANCES {
        let truth = dance(name);
        let trembling = tremble(&truth, 1.5);
        let mut smooth = trembling.clone();
        smooth_poses(&mut smooth, &[]).unwrap();
        let (before, after) = (error(&trembling, &truth, 0.0), error(&smooth, &truth, 0.0));
        assert!(after < 0.75 * before, "{name}: error {before} before, {after} after");
        let (before, after) = (jitter(&trembling), jitter(&smooth));
        assert!(after < before / 3.0, "{name}: jitter {before} before, {after} after");
        let lag = lag(&smooth, &truth);
        assert!(lag.abs() < 0.3, "{name}: {lag} frames behind");
    }
}

#[test]
fn what_does_not_tremble_stays() {
    for name in DANCES {
        let truth = dance(name);
        let mut smooth = truth.clone();
        mend(&mut smooth, &[]).unwrap();
        let error = error(&smooth, &truth, 0.0);
        assert!(error < 1.0, "{name}: {error} pixels");
    }
}

#[test]
fn nothing_is_smoothed_across_a_cut() {
    let still = |x: f32| {
        let body = [Some(Keypoint { x, y: 50.0, confidence: 0.9 }); Joint::COUNT];
        let mut person = Person { body, ..Person::default() };
        person.body[1] = Some(Keypoint { x: x + 100.0, y: 150.0, confidence: 0.9 });
        person
    };
    let people = (0..20).map(|frame| vec![still(if frame < 10 { 20.0 } else { 300.0 })]).collect();
    let mut cut = crate::figures::sequence(people);
    let before = cut.clone();
    smooth_poses(&mut cut, &[10]).unwrap();
    assert!(error(&cut, &before, 0.0) < 0.01);
    smooth_poses(&mut cut, &[]).unwrap();
    assert!(error(&cut, &before, 0.0) > 1.0);
}

#[test]
fn points_that_jump_are_thrown_out() {
    let truth = dance("disco");
    let mut jumping = truth.clone();
    for frame in [10, 11, 30, 50] {
        let wrist = &mut jumping.poses[frame].people[0].body[Joint::LeftWrist as usize];
        let Some(point) = wrist else { panic!("no wrist") };
        point.x += 150.0;
    }
    assert!(reject_outliers(&mut jumping, &[]).unwrap() >= 4);
    for frame in [10, 11, 30, 50] {
        assert_eq!(joint(&jumping, frame, Joint::LeftWrist), None);
    }
    let mut untouched = truth.clone();
    assert_eq!(reject_outliers(&mut untouched, &[]).unwrap(), 0);
    assert_eq!(untouched, truth);
}

#[test]
fn left_and_right_are_put_back() {
    for name in DANCES {
        let truth = dance(name);
        let mut swapped = truth.clone();
        for frame in [5, 6, 7, 20, 40, 41] {
            let body = &mut swapped.poses[frame].people[0].body;
            for (left, right) in [
                (Joint::LeftHip, Joint::RightHip),
                (Joint::LeftKnee, Joint::RightKnee),
                (Joint::LeftAnkle, Joint::RightAnkle),
            ] {
                body.swap(left as usize, right as usize);
            }
        }
        assert_eq!(repair_swaps(&mut swapped, &[]), 6, "{name}");
        assert_eq!(swapped, truth, "{name}");
        assert_eq!(repair_swaps(&mut swapped, &[]), 0, "{name}");
    }
}

/// Hands that a network has exchanged together with the arms.
#[test]
fn hands_go_back_with_their_wrists() {
    let mut truth = dance("wave");
    for person in truth.poses.iter_mut().flat_map(|pose| &mut pose.people) {
        person.left_hand = Some(Box::new([person.joint(Joint::LeftWrist); HAND_POINTS]));
        person.right_hand = Some(Box::new([person.joint(Joint::RightWrist); HAND_POINTS]));
    }
    let mut swapped = truth.clone();
    for (frame, with_hands) in [(12, true), (30, false)] {
        let person = &mut swapped.poses[frame].people[0];
        for (left, right) in [
            (Joint::LeftShoulder, Joint::RightShoulder),
            (Joint::LeftElbow, Joint::RightElbow),
            (Joint::LeftWrist, Joint::RightWrist),
        ] {
            person.body.swap(left as usize, right as usize);
        }
        if with_hands {
            std::mem::swap(&mut person.left_hand, &mut person.right_hand);
        }
    }
    assert_eq!(repair_swaps(&mut swapped, &[]), 2);
    assert_eq!(swapped, truth);
}

/// A mirrored pose is what the mirrored picture shows: left is right, and twice mirrored it is as it was.
#[test]
fn mirrored_poses() {
    for pose in DANCES.iter().flat_map(|name| dance(name).poses) {
        let mirrored = pose.mirrored();
        let (own, other) = (&pose.people[0], &mirrored.people[0]);
        let wrists = own.joint(Joint::RightWrist).zip(other.joint(Joint::LeftWrist));
        assert!(wrists.is_none_or(|(a, b)| (a.x + b.x - pose.width as f32).abs() < 0.01 && a.y == b.y));
        assert_eq!(own.joint(Joint::RightWrist).is_some(), other.joint(Joint::LeftWrist).is_some());
        let back = mirrored.mirrored();
        assert_eq!(own.keypoints().count(), back.people[0].keypoints().count());
        for (point, back) in own.keypoints().zip(back.people[0].keypoints()) {
            assert!((point.x - back.x).abs() < 0.01 && point.y == back.y);
        }
    }
}
