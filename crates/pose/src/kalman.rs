//! A Rauch-Tung-Striebel smoother for one coordinate: what every frame, before and after, says of a moving point.

/// One coordinate in one frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measurement {
    /// What the detector says.
    pub(super) value: f64,
    /// Variance of its error.
    pub(super) variance: f64,
}

/// Position and velocity, and their covariance.
#[derive(Debug, Clone, Copy)]
struct State {
    mean: [f64; 2],
    covariance: [[f64; 2]; 2],
}

/// Position and velocity of each frame. `accelerations` holds the variance of the acceleration in each frame; frames
/// without a measurement are bridged. Rauch, Tung and Striebel 1965; unlike a filter it does not lag behind.
pub(super) fn smooth(measurements: &[Option<Measurement>], accelerations: &[f64]) -> Vec<[f64; 2]> {
    let Some(first) = measurements.iter().flatten().next() else { return Vec::new() };
    let mut state = State {
        mean: [first.value, 0.0],
        covariance: [
            [first.variance, 0.0],
            [0.0, accelerations.iter().copied().fold(first.variance, f64::max)],
        ],
    };
    // 1. Forward: predict, then correct.
    let mut predicted = Vec::with_capacity(measurements.len());
    let mut filtered = Vec::with_capacity(measurements.len());
    for (frame, (measurement, &acceleration)) in measurements.iter().zip(accelerations).enumerate() {
        if frame > 0 {
            state = state.predict(acceleration);
        }
        predicted.push(state);
        if let Some(measurement) = measurement {
            state = state.correct(*measurement);
        }
        filtered.push(state);
    }
    // 2. Backward: each frame learns what the next one knows.
    let mut means: Vec<[f64; 2]> = filtered.iter().map(|state| state.mean).collect();
    for frame in (0..means.len().saturating_sub(1)).rev() {
        let gain = filtered[frame].gain(&predicted[frame + 1]);
        let later = means[frame + 1];
        let change = [later[0] - predicted[frame + 1].mean[0], later[1] - predicted[frame + 1].mean[1]];
        for (value, row) in means[frame].iter_mut().zip(gain) {
            *value += row[0] * change[0] + row[1] * change[1];
        }
    }
    means
}

impl State {
    /// One frame later; the acceleration is constant within a frame.
    fn predict(&self, acceleration: f64) -> Self {
        let [[a, b], [_, c]] = self.covariance;
        let covariance = [
            [a + 2.0 * b + c + acceleration / 4.0, b + c + acceleration / 2.0],
            [b + c + acceleration / 2.0, c + acceleration],
        ];
        Self { mean: [self.mean[0] + self.mean[1], self.mean[1]], covariance }
    }

    fn correct(&self, measurement: Measurement) -> Self {
        let [[a, b], [_, c]] = self.covariance;
        let total = a + measurement.variance;
        let gain = [a / total, b / total];
        let surprise = measurement.value - self.mean[0];
        Self {
            mean: [self.mean[0] + gain[0] * surprise, self.mean[1] + gain[1] * surprise],
            covariance: [[a - gain[0] * a, b - gain[0] * b], [b - gain[0] * b, c - gain[1] * b]],
        }
    }

    /// Covariance × transitionᵀ × (covariance of the next frame's prediction)⁻¹.
    fn gain(&self, next: &Self) -> [[f64; 2]; 2] {
        let [[a, b], [_, c]] = self.covariance;
        let [[p, q], [_, r]] = next.covariance;
        let determinant = p * r - q * q;
        let inverse = [[r / determinant, -q / determinant], [-q / determinant, p / determinant]];
        let carried = [[a + b, b], [b + c, c]];
        carried.map(|row| {
            [row[0] * inverse[0][0] + row[1] * inverse[1][0], row[0] * inverse[0][1] + row[1] * inverse[1][1]]
        })
    }
}
