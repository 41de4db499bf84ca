//! Points and directions of a plane.

use std::ops::{Add, Mul, Neg, Sub};

/// A point or a direction. x runs to the right, y down; what their unit is depends on the plane.
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
    /// The product of both lengths and the cosine of the angle between them.
    pub fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// The product of both lengths and the sine of the angle from this one to `other`, clockwise as seen.
    pub fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }

    /// Euclidean length.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
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

    /// How far it is from the straight line between two points.
    pub fn distance_to_line(self, from: Self, to: Self) -> f32 {
        let along = to - from;
        let share = ((self - from).dot(along) / along.dot(along).max(1e-6)).clamp(0.0, 1.0);
        (self - from.toward(to, share)).length()
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
