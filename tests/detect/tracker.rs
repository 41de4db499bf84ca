//! People followed through clips.

use dreamtuner::detect::{CutDetector, MoveNet, Tracker, Variant};
use dreamtuner::pose::{Person, Pose};
use dreamtuner::puppet::Scene;
use image::RgbImage;

use crate::puppets::{dancing, group, standing};

fn center(person: &Person) -> Option<f32> {
    person.bounding_box().map(|bounds| bounds.center().0)
}

fn follow(movenet: &MoveNet, frames: impl Iterator<Item = RgbImage>) -> Vec<Pose> {
    let mut tracker = Tracker::new(movenet);
    frames.map(|frame| tracker.observe(&frame).unwrap()).collect()
}

/// Where the n-th person is in each frame in which they are seen.
fn path(poses: &[Pose], index: usize) -> Vec<f32> {
    poses.iter().filter_map(|pose| center(pose.people.get(index)?)).collect()
}

#[test]
fn two_people_stay_themselves_when_they_cross() {
    let movenet = MoveNet::new(Variant::Thunder).unwrap();
    let (front, back) = (standing(0), standing(11));
    let frame = |step: i64| group(640, &[(&back, 384 - 12 * step), (&front, 12 * step)]);
    let poses = follow(&movenet, (0..=32).map(frame));
    let last = poses.last().unwrap();
    assert_eq!(last.people.iter().filter(|person| !person.is_empty()).count(), 2);
    for index in 0..2 {
        let path = path(&poses, index);
        assert!(path.len() > 22, "person {index} is seen in {} of 33 frames", path.len());
        let (start, end) = (path[0], path[path.len() - 1]);
        assert!((start - end).abs() > 250.0, "person {index} went from {start} to {end}");
    }
}

#[test]
fn someone_who_enters_late_is_found() {
    let movenet = MoveNet::new(Variant::Thunder).unwrap();
    let dancer = standing(1);
    let frame = |step: i64| if step < 10 { group(400, &[]) } else { group(400, &[(&dancer, 70)]) };
    let poses = follow(&movenet, (0..20).map(frame));
    assert!(poses[..10].iter().all(|pose| pose.people.is_empty()));
    assert!(poses[14..].iter().all(|pose| pose.people.len() == 1 && !pose.people[0].is_empty()));
}

#[test]
fn cuts_are_seen_and_motion_is_not() {
    let (meadow, city) = (Scene::ALL[4], Scene::ALL[12]);
    let show = |pose| if pose < 6 { dancing(1, pose, meadow) } else { dancing(2, pose, city) };
    let pictures: Vec<RgbImage> = (0..12).map(|pose| show(pose).image).collect();
    let mut detector = CutDetector::default();
    let cuts: Vec<bool> = pictures.iter().map(|picture| detector.observe(picture)).collect();
    assert_eq!(cuts.iter().position(|&cut| cut), Some(6));
    assert_eq!(cuts.iter().filter(|&&cut| cut).count(), 1);
}

/// Also a cut in the first frames: the place says nothing after it, the colours do.
#[test]
fn nobody_is_followed_across_a_cut() {
    let movenet = MoveNet::new(Variant::Thunder).unwrap();
    let mut tracker = Tracker::new(&movenet);
    let (dancer, other) = (standing(0), standing(11));
    for _ in 0..4 {
        tracker.observe(&group(640, &[(&dancer, 0)])).unwrap();
    }
    tracker.cut();
    let pose = tracker.observe(&group(640, &[(&other, 0), (&dancer, 384)])).unwrap();
    let places: Vec<bool> = pose.people.iter().map(|person| center(person).unwrap() > 320.0).collect();
    assert_eq!(places, [true, false]);
}
