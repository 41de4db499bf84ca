//! Points and directions in pixels. Trigonometry goes through `libm`, whose results are the same on every machine.

pub use dreamtuner_pose::{Vector, vector};

/// The angle of a direction against the x axis, clockwise as the picture is seen.
pub(crate) fn angle(direction: Vector) -> f32 {
    libm::atan2f(direction.y, direction.x)
}

/// How much of the way to what is seen now something smoothed has gone that follows in `slowness` seconds.
pub(crate) fn share_gone(since: f64, now: f64, slowness: f32) -> f32 {
    1.0 - libm::expf(-(now - since).max(0.0) as f32 / slowness)
}

/// The middle of some points.
pub(crate) fn middle(points: &[Vector]) -> Vector {
    points.iter().fold(vector(0.0, 0.0), |sum, point| sum + *point) * (1.0 / points.len() as f32)
}
