//! Feet that stand do not slide: where a dance's figure is moved to, so that its standing foot stays where it is.

use crate::figure::{Figure, FigurePose, View};
use crate::geometry::Vector;
use crate::identity::Identity;

/// Places of a dance, for each beat, at which feet are looked at.
const STEPS: f32 = 32.0;

/// How far a figure is moved to the right of the picture over one round of a dance, in sides of the canvas.
pub struct Footing {
    shifts: Vec<f32>,
}

impl Footing {
    /// For a round of `beats`, each `seconds` long, in the poses that `pose` gives.
    pub fn new(
        identity: &Identity,
        view: View,
        (beats, seconds): (f32, f32),
        pose: impl Fn(f32) -> FigurePose,
    ) -> Self {
        let count = (beats * STEPS).ceil().max(1.0) as usize;
        let stance = |step: usize| Stance::new(identity, view, &pose(step as f32 / count as f32 * beats));
        let (mut shift, mut before) = (0.0, stance(0));
        let mut shifts = vec![shift];
        for step in 1..=count {
            let now = stance(step);
            shift = now.shift_after(&before, shift, seconds * beats / count as f32);
            shifts.push(shift);
            before = now;
        }
        // What a round would leave the figure away from its place is taken back evenly.
        let rest = shift;
        for (step, shift) in shifts.iter_mut().enumerate() {
            *shift -= rest * step as f32 / count as f32;
        }
        Self { shifts }
    }

    /// The shift at a share (0 to 1) of the round.
    pub fn shift(&self, share: f32) -> f32 {
        let last = self.shifts.len() - 1;
        let place = share.clamp(0.0, 1.0) * last as f32;
        let step = (place as usize).min(last - 1);
        let (a, b) = (self.shifts[step], self.shifts[step + 1]);
        a + (b - a) * (place - step as f32)
    }
}

/// How a figure stands.
struct Stance {
    /// The ankles, in the order of the figure's legs.
    feet: [Vector; 2],
    airborne: bool,
}

impl Stance {
    fn new(identity: &Identity, view: View, pose: &FigurePose) -> Self {
        let feet = Figure::new(identity, pose, view).legs.map(|leg| leg.end);
        Self { feet, airborne: pose.jump > 0.0 }
    }

    /// The shift that keeps still what stands; in the air, the figure comes back to its place.
    fn shift_after(&self, before: &Self, shift: f32, seconds: f32) -> f32 {
        /// Seconds in which most of the way back is done.
        const RETURN: f32 = 0.15;
        if self.airborne || before.airborne {
            return shift * (1.0 - (seconds / RETURN).min(1.0));
        }
        let weight = self.weight_on_the_first();
        let moved = [0, 1].map(|foot| self.feet[foot].x - before.feet[foot].x);
        shift - weight * moved[0] - (1.0 - weight) * moved[1]
    }

    /// How much of the weight is on the first foot, 0 to 1: half where both feet are level.
    fn weight_on_the_first(&self) -> f32 {
        /// A foot this much higher than the other bears nothing, in sides of the canvas.
        const LIFT: f32 = 0.012;
        (0.5 + (self.feet[0].y - self.feet[1].y) / (2.0 * LIFT)).clamp(0.0, 1.0)
    }
}
