//! Points and directions of the picture's plane, in pixels; y goes down.

use std::ops::{Add, Mul, Sub};

/// A point or a direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vector {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

pub(crate) const fn vector(x: f32, y: f32) -> Vector {
    Vector { x, y }
}

impl Vector {
    pub(crate) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// Positive where `other` lies clockwise of this one, as the picture is seen.
    pub(crate) fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }

    pub(crate) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction with length 1; to the right where there is none.
    pub(crate) fn direction(self) -> Self {
        let length = self.length();
        if length > 1e-6 { self * (1.0 / length) } else { vector(1.0, 0.0) }
    }

    /// Its angle against the x axis, clockwise as the picture is seen.
    pub(crate) fn angle(self) -> f32 {
        libm::atan2f(self.y, self.x)
    }

    /// A point on the way to `other`: 0 here, 1 there.
    pub(crate) fn toward(self, other: Self, share: f32) -> Self {
        self + (other - self) * share
    }

    /// Its distance from the line between two points.
    pub(crate) fn distance_to_line(self, from: Self, to: Self) -> f32 {
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

impl Mul<f32> for Vector {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        vector(self.x * factor, self.y * factor)
    }
}
