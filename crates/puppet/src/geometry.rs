//! Points and directions on the canvas, whose side is 1. Trigonometry goes through `libm`, whose results are the same on every machine.

pub use dreamtuner_pose::{Vector, vector};

/// Sine of an angle in degrees.
pub fn sine(degrees: f32) -> f32 {
    libm::sinf(degrees.to_radians())
}

/// Cosine of an angle in degrees.
pub fn cosine(degrees: f32) -> f32 {
    libm::cosf(degrees.to_radians())
}

/// The direction that leans `degrees` to the right of straight up.
pub fn upward(degrees: f32) -> Vector {
    vector(sine(degrees), -cosine(degrees))
}

/// A place with its own axes: local (x, y) is `origin + right·x + up·y`, in units of `scale`.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The local origin, on the canvas.
    pub origin: Vector,
    /// Direction of local x, of length 1. Towards the right of the picture on an upright figure.
    pub right: Vector,
    /// Direction of local y, of length 1.
    pub up: Vector,
    /// Length of a local unit, on the canvas.
    pub scale: f32,
}

impl Place {
    /// A place whose `up` is given; `right` is a quarter turn from it.
    pub fn new(origin: Vector, up: Vector, scale: f32) -> Self {
        Self { origin, right: up.quarter_turn(), up, scale }
    }

    /// The local point (x, y) on the canvas.
    pub fn at(&self, x: f32, y: f32) -> Vector {
        self.origin + (self.right * x + self.up * y) * self.scale
    }
}
