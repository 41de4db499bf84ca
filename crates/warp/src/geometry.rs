//! Points and directions in pixels. Trigonometry goes through `libm`, whose results are the same on every machine.

pub use dreamtuner_pose::{Vector, vector};

/// The angle of a direction against the x axis, clockwise as the picture is seen.
pub(crate) fn angle(direction: Vector) -> f32 {
    libm::atan2f(direction.y, direction.x)
}

/// The middle of some points.
pub(crate) fn middle(points: &[Vector]) -> Vector {
    points.iter().fold(vector(0.0, 0.0), |sum, point| sum + *point) * (1.0 / points.len() as f32)
}
