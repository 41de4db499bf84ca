//! Poses that a dancer could strike, by chance.

use crate::figure::{Figure, FigurePose, View};
use crate::geometry::Vector;
use crate::identity::Identity;
use dreamtuner_random::Random;

/// How the reference picture stands: upright, arms and legs somewhat apart, so that every garment is seen.
pub fn reference_pose() -> FigurePose {
    FigurePose {
        right_arm: 24.0,
        right_elbow: 4.0,
        left_arm: 24.0,
        left_elbow: 4.0,
        right_leg: 6.0,
        left_leg: 6.0,
        ..FigurePose::default()
    }
}

/// A dance pose in which the whole of `identity` stays on the canvas.
pub fn random_pose(identity: &Identity, view: View, random: &mut Random) -> FigurePose {
    /// Draws before the last one is pulled in towards the reference pose instead.
    const ATTEMPTS: usize = 24;
    let mut pose = drawn(random);
    for _ in 1..ATTEMPTS {
        if is_inside(identity, &pose, view) {
            return pose;
        }
        pose = drawn(random);
    }
    for _ in 0..16 {
        if is_inside(identity, &pose, view) {
            break;
        }
        pose = pose.toward(&reference_pose(), 0.3);
    }
    pose
}

/// True where joints, hands, shoes and the hat of `identity` in `pose` lie within the canvas.
pub fn is_inside(identity: &Identity, pose: &FigurePose, view: View) -> bool {
    /// How near joints may come to the edge, in sides of the canvas.
    const MARGIN: f32 = 0.03;
    let figure = Figure::new(identity, pose, view);
    let within = |point: &Vector, margin: f32| {
        let allowed = margin..=1.0 - margin;
        allowed.contains(&point.x) && allowed.contains(&point.y)
    };
    let hand = figure.limb * 1.3 + 0.01;
    let head = figure.head;
    let ends = figure.arms.iter().chain(&figure.legs).map(|limb| limb.end);
    figure.joints.iter().flatten().all(|joint| within(joint, MARGIN))
        && ends.into_iter().all(|end| within(&end, hand))
        && [(0.0, identity.crest()), (-1.15, 0.0), (1.15, 0.0)]
            .iter()
            .all(|&(x, y)| within(&head.at(x, y), 0.005))
}

fn drawn(random: &mut Random) -> FigurePose {
    let mut pose = FigurePose {
        shift: random.range(-0.06, 0.06),
        lean: random.range(-10.0, 10.0),
        head: random.range(-12.0, 12.0),
        ..FigurePose::default()
    };
    if random.chance(0.15) {
        pose.lean = random.range(10.0, 24.0) * if random.chance(0.5) { 1.0 } else { -1.0 };
    }
    (pose.right_arm, pose.right_elbow) = arm(random);
    (pose.left_arm, pose.left_elbow) = arm(random);
    if random.chance(0.3) {
        // Dancers often move both arms alike.
        pose.left_arm = pose.right_arm + random.range(-6.0, 6.0);
        pose.left_elbow = pose.right_elbow + random.range(-6.0, 6.0);
    }
    legs(&mut pose, random);
    pose
}

/// Angles of shoulder and elbow.
fn arm(random: &mut Random) -> (f32, f32) {
    let (shoulder, elbow) = match random.below(8) {
        // Hanging.
        0 | 1 => ((6.0, 32.0), (-18.0, 24.0)),
        // On the hip.
        2 => ((38.0, 54.0), (-104.0, -78.0)),
        // Held out, the forearm anywhere.
        3 => ((58.0, 108.0), (-45.0, 40.0)),
        // Waving: the forearm up.
        4 => ((72.0, 112.0), (50.0, 95.0)),
        // Up.
        5 | 6 => ((128.0, 176.0), (-30.0, 28.0)),
        // Before the body.
        _ => ((0.0, 26.0), (-84.0, -40.0)),
    };
    (random.range(shoulder.0, shoulder.1), random.range(elbow.0, elbow.1))
}

fn legs(pose: &mut FigurePose, random: &mut Random) {
    let kind = random.below(10);
    let mut pair =
        |thigh: (f32, f32), knee: (f32, f32)| (random.range(thigh.0, thigh.1), random.range(knee.0, knee.1));
    let (one, other) = match kind {
        // Standing, feet together or apart.
        0..=3 => (pair((0.0, 14.0), (-10.0, 4.0)), pair((0.0, 14.0), (-10.0, 4.0))),
        4 => (pair((18.0, 34.0), (-20.0, 4.0)), pair((18.0, 34.0), (-20.0, 4.0))),
        // Crouching.
        5 => (pair((34.0, 58.0), (-92.0, -52.0)), pair((34.0, 58.0), (-92.0, -52.0))),
        // A kick to the side.
        6 => (pair((44.0, 88.0), (-24.0, 6.0)), pair((-2.0, 8.0), (-8.0, 2.0))),
        // A knee up.
        7 => (pair((46.0, 84.0), (-128.0, -70.0)), pair((-2.0, 8.0), (-8.0, 2.0))),
        // A lunge: one knee bent, the other leg stretched.
        8 => (pair((28.0, 46.0), (-58.0, -34.0)), pair((20.0, 36.0), (-6.0, 4.0))),
        // A jump.
        _ => (pair((12.0, 44.0), (-60.0, 0.0)), pair((12.0, 44.0), (-60.0, 0.0))),
    };
    let jumps = one.0 > 12.0 && other.0 > 12.0 && random.chance(0.35);
    if jumps {
        pose.jump = random.range(0.03, 0.13);
    }
    let (right, left) = if random.chance(0.5) { (one, other) } else { (other, one) };
    (pose.right_leg, pose.right_knee) = right;
    (pose.left_leg, pose.left_knee) = left;
}
