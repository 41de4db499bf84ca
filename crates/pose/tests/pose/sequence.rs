use dreamtuner_pose::{Joint, Keypoint, PersonChoice, PoseSequence, fill_gaps};

use crate::figures::{keypoint, sequence, standing};

fn centers(sequence: &PoseSequence) -> Vec<Option<i32>> {
    let center = |person: &dreamtuner_pose::Person| person.bounding_box().unwrap().center().0.round() as i32;
    sequence.poses.iter().map(|pose| pose.people.first().map(center)).collect()
}

/// A large dancer at x 300 who moves right, a small one at x 100, and in frame 2 a passer-by at the far left. The order
/// in the file changes from frame to frame.
fn crowd() -> PoseSequence {
    sequence(
        (0..8)
            .map(|frame| {
                let mut people =
                    vec![standing(300.0 + 5.0 * frame as f32, 256.0, 300.0), standing(100.0, 256.0, 200.0)];
                if frame == 2 {
                    people.insert(0, standing(20.0, 256.0, 100.0));
                }
                if frame % 2 == 1 {
                    people.reverse();
                }
                people
            })
            .collect(),
    )
}

#[test]
fn people_are_chosen_and_followed() {
    let dancer = |frame: i32| Some(300 + 5 * frame + 1);
    for (choice, expected) in [
        (PersonChoice::Largest, (0..8).map(dancer).collect::<Vec<_>>()),
        (PersonChoice::Right, (0..8).map(dancer).collect()),
        (PersonChoice::Left, vec![Some(101); 8]),
        (PersonChoice::Index(0), (0..8).map(dancer).collect()),
        (PersonChoice::Index(1), vec![Some(101); 8]),
        (PersonChoice::Index(2), (0..8).map(|frame| (frame == 2).then_some(20)).collect()),
    ] {
        let mut crowd = crowd();
        crowd.choose_person(choice).unwrap();
        let near = |(a, b): (&Option<i32>, &Option<i32>)| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 2,
            (a, b) => a == b,
        };
        let found = centers(&crowd);
        assert!(found.iter().zip(&expected).all(near), "{choice}: {found:?} instead of {expected:?}");
    }
}

#[test]
fn an_unknown_person_is_an_error() {
    let error = crowd().choose_person(PersonChoice::Index(3)).unwrap_err().to_string();
    assert_eq!(error, "person: 3 is not in 0..=2");
    assert!(sequence(vec![vec![]]).choose_person(PersonChoice::Largest).is_err());
}

#[test]
fn choices_are_spelled_as_shown() {
    let choices = [PersonChoice::Largest, PersonChoice::Left, PersonChoice::Right, PersonChoice::Index(4)];
    for choice in choices {
        assert_eq!(choice.to_string().parse(), Ok(choice));
    }
    assert!("middle".parse::<PersonChoice>().unwrap_err().contains("largest, left, right"));
}

#[test]
fn someone_absent_for_a_while_stays_the_same() {
    let mut frames = vec![vec![standing(300.0, 256.0, 300.0), standing(100.0, 256.0, 200.0)]; 6];
    frames[2].remove(0);
    frames[3].remove(0);
    let mut sequence = sequence(frames);
    sequence.choose_person(PersonChoice::Largest).unwrap();
    let present: Vec<bool> = sequence.poses.iter().map(|pose| !pose.people.is_empty()).collect();
    assert_eq!(present, [true, true, false, false, true, true]);
}

#[test]
fn empty_frames_are_interpolated_and_ends_held() {
    let at = |x: f32| vec![standing(x, 256.0, 300.0)];
    let mut sequence = sequence(vec![vec![], at(100.0), vec![], vec![], at(130.0), vec![]]);
    let report = fill_gaps(&mut sequence).unwrap();
    assert_eq!((report.frames, report.filled_frames, report.filled_joints), (6, 4, 0));
    let necks: Vec<f32> =
        sequence.poses.iter().map(|pose| pose.people[0].joint(Joint::Neck).unwrap().x.round()).collect();
    assert_eq!(necks, [100.0, 100.0, 110.0, 120.0, 130.0, 130.0]);
}

#[test]
fn missing_joints_are_interpolated() {
    let mut frames = vec![vec![standing(256.0, 256.0, 300.0)]; 30];
    let wrist = Joint::LeftWrist as usize;
    frames[0][0].body[wrist] = Some(keypoint(10.0, 20.0));
    for frame in &mut frames[1..20] {
        frame[0].body[wrist] = None;
    }
    frames[20][0].body[wrist] = Some(Keypoint { x: 30.0, y: 40.0, confidence: 0.5 });
    // A face that is away for long is turned away: it stays so. A short gap is the detector's.
    for frame in &mut frames[3..20] {
        frame[0].body[Joint::Nose as usize] = None;
    }
    for frame in &mut frames[23..26] {
        frame[0].body[Joint::LeftEye as usize] = None;
    }
    let mut sequence = sequence(frames);
    let report = fill_gaps(&mut sequence).unwrap();
    assert_eq!((report.filled_frames, report.filled_joints), (0, 19 + 3));
    let middle = sequence.poses[10].people[0].joint(Joint::LeftWrist).unwrap();
    assert_eq!(middle, Keypoint { x: 20.0, y: 30.0, confidence: 0.5 });
    assert_eq!(sequence.poses[10].people[0].joint(Joint::Nose), None);
    assert!(sequence.poses[24].people[0].joint(Joint::LeftEye).is_some());
}

#[test]
fn gaps_need_somebody_and_one_person() {
    assert!(
        fill_gaps(&mut sequence(vec![vec![], vec![]]))
            .unwrap_err()
            .to_string()
            .contains("any of the 2 frames")
    );
    assert!(fill_gaps(&mut sequence(vec![])).is_err());
    let two = vec![standing(100.0, 100.0, 50.0), standing(200.0, 100.0, 50.0)];
    assert!(fill_gaps(&mut sequence(vec![two])).unwrap_err().to_string().contains("holds 2 people"));
}
