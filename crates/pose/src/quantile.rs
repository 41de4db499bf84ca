//! Values that are usual.

/// Of the lengths that something has over a clip this share is shorter than its full length. It is longest where it lies in the plane of
/// the picture, apart from a few frames that are wrong.
const FULL_LENGTH: f64 = 0.9;

/// How long something is that has these lengths over a clip; `None` where there are none.
pub fn full_length(lengths: impl Iterator<Item = f32>) -> Option<f32> {
    quantile(lengths, FULL_LENGTH)
}

/// The upper one of the two in the middle of an even number; `None` where there are none.
pub fn median(values: impl Iterator<Item = f32>) -> Option<f32> {
    quantile(values, 0.5)
}

fn quantile(values: impl Iterator<Item = f32>, share: f64) -> Option<f32> {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied()
}
