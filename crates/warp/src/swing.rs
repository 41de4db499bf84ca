//! What hangs loose takes up the body's motion late, and overshoots.

use crate::geometry::{Vector, vector};
use crate::joints::Joints;
use crate::order::Depths;

/// A moment of a dance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Where the joints are, in pixels.
    pub joints: Joints,
    /// How loose things trail behind them, in pixels, where they are free.
    pub trail: Vector,
    /// How far away the parts are, where that is known: it decides which lies over which.
    pub depths: Option<Depths>,
}

/// A moment in which nothing trails.
impl From<&Joints> for Moment {
    fn from(joints: &Joints) -> Self {
        Self { joints: *joints, trail: vector(0.0, 0.0), depths: None }
    }
}

/// Angular frequency in radians a second: about two swings a second.
const FREQUENCY: f32 = 12.0;
/// 1 would be no overshoot at all.
const DAMPING: f32 = 0.5;
/// The spring is integrated in steps that are short against its period.
const STEP: f32 = 0.012;
/// Free ends are where their roots were so many seconds ago.
const LATE: f32 = 0.14;
/// They trail no farther than so many shoulders' widths.
const FARTHEST: f32 = 0.6;

/// The moments of a dance, whose poses are shown from `times` on, in seconds. At `cuts` everything hangs still.
///
/// The same poses give the same moments on every machine.
pub fn moments(poses: &[Joints], times: &[f64], cuts: &[usize]) -> Vec<Moment> {
    let mut pendulum = Pendulum::default();
    let mut last: Option<(Vector, f64)> = None;
    let mut moments = Vec::with_capacity(poses.len());
    for (index, (joints, time)) in poses.iter().zip(times).enumerate() {
        if cuts.contains(&index) {
            (pendulum, last) = (Pendulum::default(), None);
        }
        let torso = joints.torso();
        if let Some(torso) = &torso {
            let place = torso.neck.toward(torso.hips(), 0.5);
            if let Some((before, since)) = last {
                pendulum.advance(place - before, (time - since) as f32);
            }
            last = Some((place, *time));
        }
        let most = torso.map_or(0.0, |torso| FARTHEST * (torso.right - torso.left).length());
        let trail = pendulum.velocity * -LATE;
        let long = trail.length().max(1e-6);
        moments.push(Moment { joints: *joints, trail: trail * (most / long).min(1.0), depths: None });
    }
    moments
}

/// A damped spring that follows a velocity, in pixels a second.
#[derive(Debug, Clone, Copy)]
struct Pendulum {
    velocity: Vector,
    acceleration: Vector,
}

impl Default for Pendulum {
    fn default() -> Self {
        Self { velocity: vector(0.0, 0.0), acceleration: vector(0.0, 0.0) }
    }
}

impl Pendulum {
    /// Its root moves by `way` in some seconds.
    fn advance(&mut self, way: Vector, seconds: f32) {
        if seconds <= 0.0 {
            return;
        }
        let wanted = way * (1.0 / seconds);
        // After a second nothing is left of what was before.
        let steps = (seconds.min(1.0) / STEP).ceil().max(1.0);
        let step = seconds.min(1.0) / steps;
        for _ in 0..steps as usize {
            let pull = (wanted - self.velocity) * (FREQUENCY * FREQUENCY);
            let force = pull - self.acceleration * (2.0 * DAMPING * FREQUENCY);
            self.acceleration = self.acceleration + force * step;
            self.velocity = self.velocity + self.acceleration * step;
        }
    }
}
