//! Puts left and right back where a detector has taken one for the other.

use super::sequence::PoseSequence;
use super::skeleton::{Hand, Joint, Person};
use super::smooth::body_size;

/// The pairs that are exchanged together: arms, legs.
const GROUPS: [&[(Joint, Joint)]; 2] = [
    &[
        (Joint::LeftShoulder, Joint::RightShoulder),
        (Joint::LeftElbow, Joint::RightElbow),
        (Joint::LeftWrist, Joint::RightWrist),
    ],
    &[
        (Joint::LeftHip, Joint::RightHip),
        (Joint::LeftKnee, Joint::RightKnee),
        (Joint::LeftAnkle, Joint::RightAnkle),
    ],
];
/// What it costs, in body sizes a joint, to say of a frame that the detector was wrong.
const DOUBT: f64 = 0.004;

/// Exchanges left and right of arms or legs in those frames where that makes the clip's motion shortest. This is
/// Viterbi's algorithm, with a small cost for each frame that is changed. Hands go with their wrists. Returns how many
/// frames were changed.
pub fn repair_swaps(sequence: &mut PoseSequence, cuts: &[usize]) -> usize {
    let size = body_size(sequence);
    let mut repaired = vec![false; sequence.poses.len()];
    for group in GROUPS {
        for (frame, swapped) in shortest_path(sequence, group, cuts, DOUBT * size).into_iter().enumerate() {
            if let Some(person) = sequence.poses[frame].people.first_mut().filter(|_| swapped) {
                for &(left, right) in group {
                    person.body.swap(left as usize, right as usize);
                }
                exchange_hands(person);
                repaired[frame] = true;
            }
        }
    }
    repaired.into_iter().filter(|&repaired| repaired).count()
}

/// Exchanges the hands where that brings them nearer to the wrists.
fn exchange_hands(person: &mut Person) {
    let wrists = [Joint::LeftWrist, Joint::RightWrist].map(|wrist| person.joint(wrist));
    let away = |hands: [&Option<Box<Hand>>; 2]| -> f32 {
        let roots = hands.map(|hand| hand.as_ref().and_then(|points| points[0]));
        let pairs = wrists.iter().zip(roots).filter_map(|(wrist, root)| Some(((*wrist)?, root?)));
        pairs.map(|(wrist, root)| (wrist.x - root.x).hypot(wrist.y - root.y)).sum()
    };
    if away([&person.right_hand, &person.left_hand]) < away([&person.left_hand, &person.right_hand]) {
        std::mem::swap(&mut person.left_hand, &mut person.right_hand);
    }
}

/// For each frame whether left and right are exchanged.
fn shortest_path(sequence: &PoseSequence, group: &[(Joint, Joint)], cuts: &[usize], doubt: f64) -> Vec<bool> {
    let people: Vec<Option<&Person>> = sequence.poses.iter().map(|pose| pose.people.first()).collect();
    let mut costs = [0.0, doubt];
    // For each frame and state, the state of the frame before.
    let mut origins = Vec::with_capacity(people.len());
    let mut last: Option<&Person> = None;
    for (frame, person) in people.iter().enumerate() {
        if cuts.contains(&frame) {
            last = None;
        }
        let mut next = [0.0; 2];
        let mut origin = [0; 2];
        for state in 0..2 {
            let moved = |before: usize| match (last, person) {
                (Some(last), Some(person)) => distance(last, person, group, before != state),
                _ => 0.0,
            };
            let paths = [0, 1].map(|before| costs[before] + moved(before));
            origin[state] = usize::from(paths[1] < paths[0]);
            next[state] = paths[origin[state]] + if state == 1 { doubt } else { 0.0 };
        }
        (costs, last) = (next, person.or(last));
        origins.push(origin);
    }
    let mut state = usize::from(costs[1] < costs[0]);
    let mut swapped = vec![false; people.len()];
    for (frame, origin) in origins.iter().enumerate().rev() {
        swapped[frame] = state == 1;
        state = origin[state];
    }
    swapped
}

/// How far the joints that both have lie apart, on average.
fn distance(a: &Person, b: &Person, group: &[(Joint, Joint)], crossed: bool) -> f64 {
    let mut sum = 0.0;
    let mut count = 0.0;
    for &(left, right) in group {
        for (from, to) in
            if crossed { [(left, right), (right, left)] } else { [(left, left), (right, right)] }
        {
            if let (Some(from), Some(to)) = (a.joint(from), b.joint(to)) {
                sum += f64::from((from.x - to.x).hypot(from.y - to.y));
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}
