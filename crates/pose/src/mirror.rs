//! Poses as a mirror shows them.

use super::skeleton::{FACE_POINTS, Face, Joint, Person, Pose};

impl Pose {
    /// The pose that the mirrored picture shows: what was on the figure's left is on its right.
    pub fn mirrored(&self) -> Self {
        let offset = (self.width as f32, 0.0);
        let people = self.people.iter().map(|person| swapped(person.transformed((-1.0, 1.0), offset)));
        Self { people: people.collect(), ..self.clone() }
    }
}

/// A person with left and right exchanged.
fn swapped(mut person: Person) -> Person {
    use Joint::*;
    for (left, right) in [
        (LeftShoulder, RightShoulder),
        (LeftElbow, RightElbow),
        (LeftWrist, RightWrist),
        (LeftHip, RightHip),
        (LeftKnee, RightKnee),
        (LeftAnkle, RightAnkle),
        (LeftEye, RightEye),
        (LeftEar, RightEar),
    ] {
        person.body.swap(left as usize, right as usize);
        if let Some(depths) = &mut person.depths {
            depths.swap(left as usize, right as usize);
        }
    }
    std::mem::swap(&mut person.left_hand, &mut person.right_hand);
    person.face = person.face.map(|face| Box::new(other_side(&face)));
    person
}

/// The points of iBUG 68 on the other side: each run of points is numbered from the face's right to its left, or around.
fn other_side(face: &Face) -> Face {
    /// First point and number of points whose order turns around.
    const RUNS: [(usize, usize); 3] = [(0, 17), (17, 10), (31, 5)];
    /// Points of the right eye, and the left eye's opposite them.
    const EYES: [(usize, usize); 6] = [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)];
    /// Runs of the lips.
    const LIPS: [(usize, usize); 4] = [(48, 7), (55, 5), (60, 5), (65, 3)];
    let mut from: [usize; FACE_POINTS] = std::array::from_fn(|point| point);
    for (first, count) in RUNS.into_iter().chain(LIPS) {
        from[first..first + count].reverse();
    }
    for (right, left) in EYES {
        from.swap(right, left);
    }
    std::array::from_fn(|point| face[from[point]])
}
