//! Values for each pixel, and shortest ways over them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A value for each pixel, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Field<T> {
    pub width: usize,
    pub height: usize,
    pub values: Vec<T>,
}

impl<T: Copy> Field<T> {
    pub fn filled(width: usize, height: usize, value: T) -> Self {
        Self { width, height, values: vec![value; width * height] }
    }

    pub fn at(&self, x: usize, y: usize) -> T {
        self.values[y * self.width + x]
    }

    pub fn map<U>(&self, change: impl Fn(T) -> U) -> Field<U> {
        Field {
            width: self.width,
            height: self.height,
            values: self.values.iter().map(|value| change(*value)).collect(),
        }
    }

    /// Column and row of a pixel by its number.
    pub fn place(&self, index: usize) -> (usize, usize) {
        (index % self.width, index / self.width)
    }
}

/// Spreads labels from the pixels that have one to those that have none, each to the pixels that are nearest to it. `step` is what
/// the way from one pixel to its neighbour (the distance between them is given) costs; `None` where there is no way. The cost of
/// each pixel's way comes back, infinite where no label got to.
pub(crate) fn spread<L: Copy>(
    labels: &mut Field<Option<L>>,
    step: impl Fn(usize, usize, f32) -> Option<f32>,
) -> Field<f32> {
    let (width, height) = (labels.width, labels.height);
    let mut costs = labels.map(|label| if label.is_some() { 0.0 } else { f32::INFINITY });
    let sources = labels.values.iter().enumerate().filter(|(_, label)| label.is_some());
    // The nearest first. Costs are positive, and positive numbers are ordered as their bits are.
    let mut heap: BinaryHeap<Reverse<(u32, usize)>> = sources.map(|(index, _)| Reverse((0, index))).collect();
    while let Some(Reverse((bits, index))) = heap.pop() {
        let cost = f32::from_bits(bits);
        if cost > costs.values[index] {
            continue;
        }
        let (x, y) = (index % width, index / width);
        for (across, down) in [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)] {
            let (Some(x), Some(y)) = (x.checked_add_signed(across), y.checked_add_signed(down)) else {
                continue;
            };
            if x >= width || y >= height {
                continue;
            }
            let next = y * width + x;
            let distance = if across != 0 && down != 0 { std::f32::consts::SQRT_2 } else { 1.0 };
            let Some(more) = step(index, next, distance) else { continue };
            if cost + more < costs.values[next] {
                costs.values[next] = cost + more;
                labels.values[next] = labels.values[index];
                heap.push(Reverse(((cost + more).to_bits(), next)));
            }
        }
    }
    costs
}
