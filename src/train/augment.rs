//! Changes of a reference picture that leave its subject what it is: elastic deformation, flip, blur, scale and rotation.
//! They are made so that the subject encoder learns who is shown, not where each pixel lies.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use dreamtuner_random::Random;

/// Shares of pictures that are flipped and blurred.
const FLIPPED: f32 = 0.5;
const BLURRED: f32 = 0.3;
/// Largest deviation of the blur, as a share of the side.
const LARGEST_BLUR: f32 = 1.0 / 100.0;
/// Smallest and largest scale.
const SCALES: (f32, f32) = (0.8, 1.05);
/// Largest turn in either direction, in radians: 15°.
const LARGEST_TURN: f32 = 0.262;
/// Points along each side that are moved, and how far at most, as a share of the side.
const GRID: usize = 5;
const LARGEST_MOVE: f32 = 0.025;

/// A square picture on white, changed by chance.
pub fn augment(picture: &RgbImage, random: &mut Random) -> RgbImage {
    let side = picture.width();
    let warp = Warp::new(random);
    let mut changed = RgbImage::from_fn(side, side, |x, y| {
        let place = |pixel: u32| (pixel as f32 + 0.5) / side as f32 - 0.5;
        let (x, y) = warp.source(place(x), place(y));
        sample(picture, (x + 0.5) * side as f32 - 0.5, (y + 0.5) * side as f32 - 0.5)
    });
    if random.chance(FLIPPED) {
        changed = imageops::flip_horizontal(&changed);
    }
    if random.chance(BLURRED) {
        let deviation = side as f32 * LARGEST_BLUR * random.range(0.2, 1.0);
        changed = imageops::blur(&changed, deviation);
    }
    changed
}

/// A picture scaled down before it is changed needs no more than twice what the network sees.
pub fn shrink(picture: RgbImage, side: u32) -> RgbImage {
    if picture.width() <= 2 * side {
        return picture;
    }
    imageops::resize(&picture, 2 * side, 2 * side, FilterType::Triangle)
}

/// Where each point of the changed picture comes from; coordinates are shares of the side, 0 in the middle.
struct Warp {
    scale: f32,
    sine: f32,
    cosine: f32,
    moves: Vec<[f32; 2]>,
}

impl Warp {
    fn new(random: &mut Random) -> Self {
        let scale = random.range(SCALES.0, SCALES.1);
        let (sine, cosine) = random.range(-LARGEST_TURN, LARGEST_TURN).sin_cos();
        let mut step = || random.range(-LARGEST_MOVE, LARGEST_MOVE);
        let moves = (0..GRID * GRID).map(|_| [step(), step()]).collect();
        Self { scale, sine, cosine, moves }
    }

    fn source(&self, x: f32, y: f32) -> (f32, f32) {
        let [dx, dy] = self.moved(x, y);
        let (x, y) = (x / self.scale, y / self.scale);
        (x * self.cosine - y * self.sine + dx, x * self.sine + y * self.cosine + dy)
    }

    /// The moves of the four points around, blended smoothly.
    fn moved(&self, x: f32, y: f32) -> [f32; 2] {
        let last = (GRID - 1) as f32;
        let cell = |value: f32| {
            let value = ((value + 0.5) * last).clamp(0.0, last);
            let start = (value as usize).min(GRID - 2);
            let share = value - start as f32;
            (start, share * share * (3.0 - 2.0 * share))
        };
        let ((column, across), (row, down)) = (cell(x), cell(y));
        let at = |row: usize, column: usize, axis: usize| self.moves[row * GRID + column][axis];
        [0, 1].map(|axis| {
            let upper = at(row, column, axis) * (1.0 - across) + at(row, column + 1, axis) * across;
            let lower = at(row + 1, column, axis) * (1.0 - across) + at(row + 1, column + 1, axis) * across;
            upper * (1.0 - down) + lower * down
        })
    }
}

/// The picture between its pixels; white around it.
fn sample(picture: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let (left, top) = (x.floor(), y.floor());
    let pixel = |x: f32, y: f32| {
        let inside = x >= 0.0 && y >= 0.0 && x < picture.width() as f32 && y < picture.height() as f32;
        if inside { picture.get_pixel(x as u32, y as u32).0 } else { [255; 3] }
    };
    let (across, down) = (x - left, y - top);
    let corners = [
        (pixel(left, top), (1.0 - across) * (1.0 - down)),
        (pixel(left + 1.0, top), across * (1.0 - down)),
        (pixel(left, top + 1.0), (1.0 - across) * down),
        (pixel(left + 1.0, top + 1.0), across * down),
    ];
    Rgb([0, 1, 2].map(|channel| {
        let sum: f32 = corners.iter().map(|(pixel, share)| f32::from(pixel[channel]) * share).sum();
        sum.round() as u8
    }))
}
