//! Shots to learn from. Each identity has a reference picture (variant 0: standing, from the front, on white) and
//! others in dance poses. Each dance pose has three moments, as neighbouring frames of a clip (1 to 3, 4 to 6, …).

use dreamtuner_random::Random;

use crate::figure::View;
use crate::geometry::vector;
use crate::identity::Identity;
use crate::poses::{is_inside, random_pose, reference_pose};
use crate::scene::Scene;
use crate::shot::{Expression, Motion, Shot};

/// What picture `variant` of `identity` shows; variant 0 is the reference.
pub fn training_shot(identity: &Identity, seed: u64, variant: u32) -> Shot {
    // Each picture has its own stream, so that a folder with more of them begins with the same ones.
    let random = &mut Random::new(seed, (1 << 63) | (identity.seed << 7) | u64::from(variant));
    if let Some(before) = follows(variant) {
        return moment_after(identity, training_shot(identity, seed, before), random);
    }
    if variant == 0 {
        return reference_shot(if random.chance(0.7) { Expression::Smile } else { Expression::Neutral });
    }
    let view = random.pick(&[View::Front, View::Front, View::ThreeQuarterLeft, View::ThreeQuarterRight]);
    Shot {
        pose: random_pose(identity, view, random),
        view,
        expression: random.pick(Expression::ALL),
        scene: if random.chance(0.4) { Scene::White } else { random.pick(&Scene::ALL[1..]) },
        motion: random_motion(random),
    }
}

/// The variant that shows the moment before `variant`; `None` where it begins a dance of its own.
pub fn follows(variant: u32) -> Option<u32> {
    /// Moments of one dance.
    const MOMENTS: u32 = 3;
    let before = variant.checked_sub(1)?;
    (before % MOMENTS != 0).then_some(before)
}

/// The next frame of a dance: the same but for a part of the way to another pose.
fn moment_after(identity: &Identity, shot: Shot, random: &mut Random) -> Shot {
    /// Most that a pose changes between two frames, as a share of the way to the next key pose.
    const LARGEST_STEP: f32 = 0.3;
    let next = random_pose(identity, shot.view, random);
    let share = LARGEST_STEP * random.range(0.0, 1.0);
    let mut pose = shot.pose.toward(&next, share);
    if !is_inside(identity, &pose, shot.view) {
        pose = shot.pose;
    }
    let sway = |random: &mut Random| vector(random.range(-0.1, 0.1), random.range(-0.05, 0.05));
    let motion = Motion { body: shot.motion.body + sway(random), head: shot.motion.head + sway(random) };
    Shot { pose, motion, ..shot }
}

/// A puppet as its reference picture shows it: standing at rest, from the front, on white.
pub fn reference_shot(expression: Expression) -> Shot {
    Shot {
        pose: reference_pose(),
        view: View::Front,
        expression,
        scene: Scene::White,
        motion: Motion::default(),
    }
}

/// The speed of a dancer, often none.
fn random_motion(random: &mut Random) -> Motion {
    if random.chance(0.3) {
        return Motion::default();
    }
    let body = vector(random.range(-0.5, 0.5), random.range(-0.3, 0.3));
    let head = body + vector(random.range(-0.2, 0.2), random.range(-0.1, 0.1));
    Motion { body, head }
}
