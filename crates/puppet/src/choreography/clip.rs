//! A dance as the shots of a clip, with the motion that makes hair and cloth swing.

use super::Choreography;
use super::footing::Footing;
use crate::figure::{Figure, FigurePose, View};
use crate::geometry::{Vector, vector};
use crate::identity::Identity;
use crate::poses::{is_inside, reference_pose};
use crate::scene::Scene;
use crate::shot::{Expression, Motion, Shot};

/// What a clip shows besides the dance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipSettings {
    /// Number of frames. The dance begins again where they are more than it has.
    pub frames: usize,
    /// Frames a second, above 0.
    pub frames_per_second: f32,
    /// Which way the figure faces.
    pub view: View,
    /// What the face does.
    pub expression: Expression,
    /// Where the figure is.
    pub scene: Scene,
}

/// The shots of a clip in which `identity` dances. Where a pose would reach beyond the canvas, the whole dance is made
/// smaller, towards the reference pose.
pub fn shots(identity: &Identity, dance: &Choreography, settings: &ClipSettings) -> Vec<Shot> {
    let danced = danced(identity, dance, settings.view, extent(identity, dance, settings.view));
    let pose = |seconds: f32| danced(seconds * dance.tempo / 60.0);
    let mut swing = Swing::new(identity, settings.view, pose(0.0));
    // A round before the clip begins, so that it begins in full swing.
    let round = dance.seconds();
    let lead = (round * settings.frames_per_second) as usize;
    let time = |frame: usize| frame as f32 / settings.frames_per_second;
    for frame in 0..lead {
        swing.advance(pose(time(frame) - time(lead)), 1.0 / settings.frames_per_second);
    }
    (0..settings.frames)
        .map(|frame| {
            let pose = pose(time(frame));
            let motion = swing.advance(pose, 1.0 / settings.frames_per_second);
            Shot { pose, view: settings.view, expression: settings.expression, scene: settings.scene, motion }
        })
        .collect()
}

/// The pose of `identity` at each beat, on feet that do not slide, the dance being a `share` of the way from the reference
/// pose.
fn danced(identity: &Identity, dance: &Choreography, view: View, share: f32) -> impl Fn(f32) -> FigurePose {
    let pose = move |beat| lowered(identity, reference_pose().toward(&dance.pose(beat), share), view);
    let footing = Footing::new(identity, view, (dance.length, 60.0 / dance.tempo), pose);
    move |beat| {
        let mut pose = pose(beat);
        pose.shift += footing.shift(beat.rem_euclid(dance.length) / dance.length);
        pose
    }
}

/// The largest share of the dance, at most 1, with which `identity` stays on the canvas.
fn extent(identity: &Identity, dance: &Choreography, view: View) -> f32 {
    let beats = (dance.length * 8.0) as usize;
    let fits = |share: f32| {
        let pose = danced(identity, dance, view, share);
        (0..beats).all(|step| is_inside(identity, &pose(step as f32 / 8.0), view))
    };
    [1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.6].into_iter().find(|&share| fits(share)).unwrap_or(0.5)
}

/// The pose with a jump that is not higher than hat and hands have room for.
fn lowered(identity: &Identity, mut pose: FigurePose, view: View) -> FigurePose {
    /// Room that hands need above the wrists, in sides of the canvas.
    const HAND: f32 = 0.055;
    if pose.jump > 0.0 {
        let figure = Figure::new(identity, &pose, view);
        let hat = figure.head.at(0.0, identity.crest()).y - 0.006;
        let highest = figure.joints.iter().flatten().fold(hat, |highest, joint| highest.min(joint.y - HAND));
        pose.jump = (pose.jump + highest.min(0.0) / figure.height).max(0.0);
    }
    pose
}

/// Hair and cloth as a pendulum: it takes up the body's velocity late, and overshoots.
struct Swing<'puppet> {
    identity: &'puppet Identity,
    view: View,
    body: Pendulum,
    head: Pendulum,
}

struct Pendulum {
    position: Vector,
    velocity: Vector,
    acceleration: Vector,
}

impl<'puppet> Swing<'puppet> {
    fn new(identity: &'puppet Identity, view: View, pose: FigurePose) -> Self {
        let figure = Figure::new(identity, &pose, view);
        let (body, head) = (Pendulum::at(figure.torso.origin), Pendulum::at(figure.head.origin));
        Self { identity, view, body, head }
    }

    fn advance(&mut self, pose: FigurePose, seconds: f32) -> Motion {
        let figure = Figure::new(self.identity, &pose, self.view);
        Motion {
            body: self.body.advance(figure.torso.origin, seconds),
            head: self.head.advance(figure.head.origin, seconds),
        }
    }
}

impl Pendulum {
    fn at(position: Vector) -> Self {
        let still = vector(0.0, 0.0);
        Self { position, velocity: still, acceleration: still }
    }

    /// Moves the point it hangs from, and returns the velocity it shows, in canvas sides a second.
    fn advance(&mut self, position: Vector, seconds: f32) -> Vector {
        /// Angular frequency in radians a second: about two swings a second.
        const FREQUENCY: f32 = 12.0;
        /// 1 would be no overshoot at all.
        const DAMPING: f32 = 0.5;
        /// The spring is integrated in steps that are short against its period.
        const STEPS: usize = 8;
        /// What a picture can show, in canvas sides a second.
        const FASTEST: f32 = 0.7;
        let wanted = (position - self.position) * (1.0 / seconds);
        self.position = position;
        let step = seconds / STEPS as f32;
        for _ in 0..STEPS {
            let pull = (wanted - self.velocity) * (FREQUENCY * FREQUENCY);
            let force = pull - self.acceleration * (2.0 * DAMPING * FREQUENCY);
            self.acceleration = self.acceleration + force * step;
            self.velocity = self.velocity + self.acceleration * step;
        }
        let speed = self.velocity.length();
        if speed > FASTEST { self.velocity * (FASTEST / speed) } else { self.velocity }
    }
}
