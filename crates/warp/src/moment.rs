//! What is known of a moment of a dance.

use crate::blink::OPEN;
use crate::facing::Heads;
use crate::geometry::{Vector, vector};
use crate::joints::Joints;
use crate::order::Depths;
use crate::sides::Sides;
use crate::swing::Swing;

/// A moment of a dance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Where the joints are, in pixels.
    pub joints: Joints,
    /// How loose things trail behind them, in pixels, where they are free.
    pub trail: Vector,
    /// How much the head is turned away from how it usually is, to its own left: how far the nose moves against the eyes, in distances
    /// between the eyes.
    pub turn: f32,
    /// How far away the parts are, where that is known, or the dance lets it be guessed: it decides which lies over which.
    pub depths: Option<Depths>,
    /// How far the figure's right and left eye are open, 0 to 1; 1 is as in the picture.
    pub eyes: [f32; 2],
}

/// A moment in which nothing trails, and head and face are as usual.
impl From<&Joints> for Moment {
    fn from(joints: &Joints) -> Self {
        Self { joints: *joints, trail: vector(0.0, 0.0), turn: 0.0, depths: None, eyes: OPEN }
    }
}

/// The moments of a dance, whose poses are shown from `times` on, in seconds. At `cuts` everything hangs still.
///
/// The same poses give the same moments on every machine.
pub fn moments(poses: &[Joints], times: &[f64], cuts: &[usize]) -> Vec<Moment> {
    let mut heads = Heads::new(poses);
    let mut sides = Sides::new(poses);
    let mut swing = Swing::default();
    let mut moments = Vec::with_capacity(poses.len());
    for (index, (joints, time)) in poses.iter().zip(times).enumerate() {
        if cuts.contains(&index) {
            swing = Swing::default();
            heads.cut();
            sides.cut();
        }
        let (trail, turn) = (swing.advance(joints, *time), heads.advance(joints, *time));
        let depths = sides.advance(joints, *time);
        moments.push(Moment { joints: *joints, trail, turn, depths, eyes: OPEN });
    }
    moments
}
