//! What hangs loose takes up the body's motion late, and overshoots.

use crate::geometry::{Vector, vector};
use crate::joints::Joints;

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

/// What hangs on a trunk while it moves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Swing {
    pendulum: Pendulum,
    last: Option<(Vector, f64)>,
}

impl Swing {
    /// How far free ends trail, in pixels, when the trunk has come to where `joints` are at a time in seconds.
    pub fn advance(&mut self, joints: &Joints, time: f64) -> Vector {
        let torso = joints.torso();
        if let Some(torso) = &torso {
            let place = torso.neck.toward(torso.hips(), 0.5);
            if let Some((before, since)) = self.last {
                self.pendulum.advance(place - before, (time - since) as f32);
            }
            self.last = Some((place, time));
        }
        let most = torso.map_or(0.0, |torso| FARTHEST * (torso.right - torso.left).length());
        let trail = self.pendulum.velocity * -LATE;
        trail * (most / trail.length().max(1e-6)).min(1.0)
    }
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
