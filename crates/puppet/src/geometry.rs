//! Points and directions on the canvas. Trigonometry goes through `libm`, whose results are the same on every machine.

use std::ops::{Add, Mul, Neg, Sub};

/// A point or a direction. x runs to the right, y down; 1 is the side of the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vector {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// Short for [`Vector`] from its two coordinates.
pub const fn vector(x: f32, y: f32) -> Vector {
    Vector { x, y }
}

impl Vector {
    /// Euclidean length.
    pub fn length(self) -> f32 {
        (self.x * self.x + self.y * self.y).sqrt()
    }

    /// The direction alone, of length 1; straight down for a vector without length.
    pub fn unit(self) -> Self {
        let length = self.length();
        if length > 0.0 { self * (1.0 / length) } else { vector(0.0, 1.0) }
    }

    /// Turned by a quarter: what points up points to the right afterwards.
    pub fn quarter_turn(self) -> Self {
        vector(-self.y, self.x)
    }

    /// The point a part `share` of the way to `other`.
    pub fn toward(self, other: Self, share: f32) -> Self {
        self * (1.0 - share) + other * share
    }
}

impl Add for Vector {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        vector(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Vector {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        vector(self.x - other.x, self.y - other.y)
    }
}

impl Neg for Vector {
    type Output = Self;
    fn neg(self) -> Self {
        vector(-self.x, -self.y)
    }
}

impl Mul<f32> for Vector {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        vector(self.x * factor, self.y * factor)
    }
}

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
