#![doc = include_str!("../README.md")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random choices.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `seed`; streams with other `purpose`s are independent of it.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose);
        Self(generator)
    }

    /// The stream of `seed` for what is called `name`.
    pub fn named(seed: u64, name: &str) -> Self {
        let hash = blake3::hash(name.as_bytes());
        let purpose = hash.as_bytes().iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        Self::new(seed, purpose)
    }

    /// Uniform in [0, 1), in steps of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Standard normal numbers by the transform of Box & Muller (1958), in pairs.
    pub fn normals(&mut self, count: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            // 1 − u is above 0, so that its logarithm is finite.
            let radius = (-2.0 * libm::logf(1.0 - self.unit())).sqrt();
            let angle = std::f32::consts::TAU * self.unit();
            values.extend([radius * libm::cosf(angle), radius * libm::sinf(angle)]);
        }
        values.truncate(count);
        values
    }

    /// Uniform in 0..count.
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }

    /// One of the choices, each as likely.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
