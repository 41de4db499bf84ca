//! Tells pictures of drawn skeletons from ordinary ones, and those with red and blue swapped from proper ones.
//!
//! A drawn skeleton is black with a few saturated colours. Which colours lie beside which is fixed by the figure: upper
//! arm beside lower arm, thigh beside shin, eyes beside nose. That holds whatever the pose, the size, the view or a
//! mirror. With red and blue swapped other pairs meet. So the neighbourhoods of hues in the samples are compared with
//! those of a few figures drawn here, in both orders of the channels.

use std::collections::HashMap;
use std::sync::LazyLock;

use image::{GrayImage, Luma, Rgb, RgbImage, imageops};
use imageproc::region_labelling::{Connectivity, connected_components};

use super::draw::{DrawSettings, draw_pose};
use super::skeleton::{Joint, Keypoint, Person, Pose};

/// What the frames of a video show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlKind {
    /// Drawn skeletons: control images that can be used as they are, once red and blue are right.
    Skeleton {
        /// Red and blue are swapped; see [`swap_red_blue`].
        swapped: bool,
    },
    /// Anything else.
    NotSkeleton {
        /// What the pictures lack, for a message.
        why: String,
    },
}

/// Pictures are looked at with no longer side than this, in pixels.
const ANALYSIS_SIZE: u32 = 320;
/// A pixel whose brightest channel is below this is background: black with the noise of compression.
const DARK: u8 = 40;
/// A lit pixel is coloured if its darkest channel is at most this share of the brightest.
const COLORED: f32 = 0.5;
/// Least share of background in a picture of skeletons.
const LEAST_DARK: f64 = 0.6;
/// Least share of coloured pixels among the lit ones; the rest are the white dots of faces and blurred edges.
const LEAST_COLORED: f64 = 0.4;
/// Fewer lit pixels than this show nobody.
const LEAST_LIT: usize = 24;
/// Least likeness, in [0, 1], of the neighbourhoods of hues to those of a figure.
const LEAST_LIKENESS: f64 = 0.5;
/// Most connected pieces that hold two thirds of the lit pixels: a figure hangs together, lights are scattered.
const MOST_PIECES: usize = 24;
/// Share of the pictures with anything in them that have to be skeletons.
const LEAST_AGREEING: f64 = 0.7;

/// Hues in steps of 20°, as in the table of colours.
const HUES: usize = 18;
/// Share of pixels of one hue (row) near another (column); symmetric, sums to 1.
type Neighbourhood = [[f64; HUES]; HUES];

/// Swapping red and blue turns hue h into 240° − h.
fn swapped_hue(hue: usize) -> usize {
    (12 + HUES - hue) % HUES
}

/// Recognises rendered skeletons from a few frames of a video or folder (eight spread over it are plenty). Frames
/// that are all black are passed over: a detector has found nobody there.
pub fn classify(samples: &[RgbImage]) -> ControlKind {
    let mut total = [[0.0; HUES]; HUES];
    let (mut lit, mut agreeing, mut reason) = (0_usize, 0_usize, None);
    for sample in samples {
        match neighbourhood(sample) {
            Look::Empty => {}
            Look::Other(why) => {
                lit += 1;
                reason = reason.or(Some(why));
            }
            Look::Lines(found) => {
                lit += 1;
                agreeing += 1;
                add(&mut total, &found);
            }
        }
    }
    if lit == 0 {
        let why = if samples.is_empty() { "there are no pictures" } else { "all pictures are black" };
        return ControlKind::NotSkeleton { why: why.to_owned() };
    }
    if (agreeing as f64) < lit as f64 * LEAST_AGREEING {
        return ControlKind::NotSkeleton { why: reason.unwrap_or_default() };
    }
    judge(&normalized(total))
}

fn judge(found: &Neighbourhood) -> ControlKind {
    let exchanged: Neighbourhood =
        std::array::from_fn(|a| std::array::from_fn(|b| found[swapped_hue(a)][swapped_hue(b)]));
    let (all, meeting) = (&*FIGURES, distinct(&FIGURES));
    let like = |found: &Neighbourhood| (overlap(found, all), overlap(&distinct(found), &meeting));
    let (proper, swapped) = (like(found), like(&exchanged));
    let likeness = |like: (f64, f64)| (like.0 + like.1) / 2.0;
    if likeness(proper).max(likeness(swapped)) < LEAST_LIKENESS {
        let why = "the colours beside each other are not those of an OpenPose skeleton".to_owned();
        return ControlKind::NotSkeleton { why };
    }
    // Which different hues meet tells most in clear pictures; small and blurred ones need all that is there.
    ControlKind::Skeleton { swapped: proper.1 - swapped.1 + log_ratio(found) < 0.0 }
}

/// Swaps the red and the blue channel.
pub fn swap_red_blue(image: &mut RgbImage) {
    for pixel in image.pixels_mut() {
        pixel.0.swap(0, 2);
    }
}

/// How much two neighbourhoods overlap (Bhattacharyya coefficient), in [0, 1].
fn overlap(a: &Neighbourhood, b: &Neighbourhood) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(p, q)| (p * q).sqrt()).sum()
}

/// Only the pairs of hues that are clearly different (by 40° or more), which no single line or gradient has.
fn distinct(all: &Neighbourhood) -> Neighbourhood {
    let far = |a: usize, b: usize| (2..=HUES - 2).contains(&a.abs_diff(b));
    normalized(std::array::from_fn(|a| std::array::from_fn(|b| if far(a, b) { all[a][b] } else { 0.0 })))
}

/// Mean log-likelihood ratio of proper against swapped channels: positive for proper ones.
fn log_ratio(found: &Neighbourhood) -> f64 {
    // Keeps hues that never meet in the figures from deciding alone.
    const FLOOR: f64 = 1e-3;
    let mut sum = 0.0;
    for (a, row) in found.iter().enumerate() {
        for (b, share) in row.iter().enumerate() {
            let ratio = (FIGURES[a][b] + FLOOR) / (FIGURES[swapped_hue(a)][swapped_hue(b)] + FLOOR);
            sum += share * ratio.ln();
        }
    }
    sum
}

fn add(total: &mut Neighbourhood, other: &Neighbourhood) {
    for (to, from) in total.iter_mut().flatten().zip(other.iter().flatten()) {
        *to += from;
    }
}

fn normalized(mut counts: Neighbourhood) -> Neighbourhood {
    let sum: f64 = counts.iter().flatten().sum();
    counts.iter_mut().flatten().for_each(|count| *count /= sum.max(f64::MIN_POSITIVE));
    counts
}

/// What one picture shows.
enum Look {
    /// Nothing but background.
    Empty,
    /// Coloured lines on black.
    Lines(Box<Neighbourhood>),
    /// Something else, and why.
    Other(String),
}

/// A coloured pixel: place, hue in steps of 20°, and weight (more for bright, saturated ones).
struct Spot {
    x: u32,
    y: u32,
    hue: f64,
    weight: f64,
}

fn neighbourhood(image: &RgbImage) -> Look {
    let longer = image.width().max(image.height());
    let shrunk = (longer > ANALYSIS_SIZE).then(|| {
        let side =
            |length: u32| (u64::from(length) * u64::from(ANALYSIS_SIZE) / u64::from(longer)).max(1) as u32;
        imageops::thumbnail(image, side(image.width()), side(image.height()))
    });
    let image = shrunk.as_ref().unwrap_or(image);
    let lit = image.pixels().filter(|pixel| is_lit(pixel)).count();
    let all = (image.width() as usize * image.height() as usize).max(1);
    if lit < LEAST_LIT.min(all) {
        return Look::Empty;
    }
    let dark = 1.0 - lit as f64 / all as f64;
    if dark < LEAST_DARK {
        let why = format!("{:.0} % of the picture are black, a skeleton leaves 60 % or more", dark * 100.0);
        return Look::Other(why);
    }
    let pieces = pieces(image);
    if pieces > MOST_PIECES {
        return Look::Other(format!(
            "the picture is scattered over {pieces} or more pieces, a skeleton hangs together"
        ));
    }
    let spots: Vec<Spot> = image.enumerate_pixels().filter_map(|(x, y, pixel)| spot(x, y, pixel.0)).collect();
    let colored = spots.len() as f64 / lit as f64;
    if colored < LEAST_COLORED {
        let why =
            format!("{:.0} % of the lit pixels are coloured, a skeleton has 40 % or more", colored * 100.0);
        return Look::Other(why);
    }
    Look::Lines(Box::new(normalized(neighbours(&spots))))
}

fn is_lit(pixel: &Rgb<u8>) -> bool {
    pixel.0.iter().any(|&channel| channel >= DARK)
}

/// How many connected pieces, the largest first, it takes to hold two thirds of the lit pixels.
fn pieces(image: &RgbImage) -> usize {
    if image.width() * image.height() < 2 {
        // `connected_components` has no number for a single pixel.
        return image.pixels().filter(|pixel| is_lit(pixel)).count();
    }
    let mask = GrayImage::from_fn(image.width(), image.height(), |x, y| {
        Luma([u8::from(is_lit(image.get_pixel(x, y)))])
    });
    let mut sizes: HashMap<u32, usize> = HashMap::new();
    for label in connected_components(&mask, Connectivity::Eight, Luma([0])).as_raw() {
        *sizes.entry(*label).or_default() += 1;
    }
    // Label 0 is the background.
    sizes.remove(&0);
    let mut sizes: Vec<usize> = sizes.into_values().collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let total: usize = sizes.iter().sum();
    let mut held = 0;
    for (count, size) in sizes.iter().enumerate() {
        held += size;
        if held * 3 >= total * 2 {
            return count + 1;
        }
    }
    sizes.len()
}

fn spot(x: u32, y: u32, [red, green, blue]: [u8; 3]) -> Option<Spot> {
    let brightest = red.max(green).max(blue);
    let darkest = red.min(green).min(blue);
    if brightest < DARK || f32::from(darkest) > f32::from(brightest) * COLORED {
        return None;
    }
    let chroma = f64::from(brightest - darkest);
    let [r, g, b] = [red, green, blue].map(f64::from);
    let sixth = if brightest == red {
        ((g - b) / chroma).rem_euclid(6.0)
    } else if brightest == green {
        (b - r) / chroma + 2.0
    } else {
        (r - g) / chroma + 4.0
    };
    Some(Spot { x, y, hue: sixth * 3.0, weight: chroma / 255.0 })
}

/// Counts which hues lie near each other: within a cell of a grid over the figure, or in cells that touch.
fn neighbours(spots: &[Spot]) -> Neighbourhood {
    let (left, right) = extent(spots.iter().map(|spot| spot.x));
    let (top, bottom) = extent(spots.iter().map(|spot| spot.y));
    let size = f64::from(right - left).hypot(f64::from(bottom - top));
    let cell = (size / 48.0).max(2.0);
    let columns = (f64::from(right - left) / cell) as usize + 1;
    let rows = (f64::from(bottom - top) / cell) as usize + 1;
    let mut cells = vec![[0.0_f64; HUES]; columns * rows];
    for spot in spots.iter().filter(|s| (left..=right).contains(&s.x) && (top..=bottom).contains(&s.y)) {
        let column = (f64::from(spot.x - left) / cell) as usize;
        let row = (f64::from(spot.y - top) / cell) as usize;
        // A hue between two steps counts for both.
        let (low, share) = (spot.hue.floor(), spot.hue.fract());
        let hues = &mut cells[row * columns + column];
        hues[low as usize % HUES] += spot.weight * (1.0 - share);
        hues[(low as usize + 1) % HUES] += spot.weight * share;
    }
    let mut counts = [[0.0; HUES]; HUES];
    for (index, hues) in cells.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        for (down, across) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            if row + down < rows && column + across < columns {
                count_pairs(&mut counts, hues, &cells[(row + down) * columns + column + across]);
            }
        }
        if row + 1 < rows && column > 0 {
            count_pairs(&mut counts, hues, &cells[(row + 1) * columns + column - 1]);
        }
    }
    counts
}

/// The span that leaves out the outermost hundredth on either side, so that specks do not widen it.
fn extent(values: impl Iterator<Item = u32>) -> (u32, u32) {
    let mut sorted: Vec<u32> = values.collect();
    sorted.sort_unstable();
    let margin = sorted.len() / 100;
    let low = sorted.get(margin).copied().unwrap_or(0);
    (low, sorted.iter().rev().nth(margin).copied().unwrap_or(low).max(low))
}

fn count_pairs(counts: &mut Neighbourhood, some: &[f64; HUES], others: &[f64; HUES]) {
    for (a, &first) in some.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        for (b, &second) in others.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            counts[a][b] += first * second;
            counts[b][a] += first * second;
        }
    }
}

/// The neighbourhoods of hues in a few typical figures with proper colours.
static FIGURES: LazyLock<Neighbourhood> = LazyLock::new(|| {
    let mut total = [[0.0; HUES]; HUES];
    for pose in typical_poses() {
        if let Look::Lines(found) = neighbourhood(&draw_pose(&pose, 320, 320, &DrawSettings::default())) {
            add(&mut total, &found);
        }
    }
    normalized(total)
});

/// Angles in degrees away from hanging straight down, outwards: upper arm, lower arm, thigh, shin.
type Side = [f32; 4];

fn typical_poses() -> Vec<Pose> {
    const SIDES: [(Side, Side); 6] = [
        ([12.0, 8.0, 4.0, 2.0], [12.0, 8.0, 4.0, 2.0]),
        ([90.0, 90.0, 20.0, 15.0], [90.0, 90.0, 20.0, 15.0]),
        ([165.0, 175.0, 10.0, 5.0], [40.0, 110.0, 15.0, -10.0]),
        ([50.0, -40.0, 35.0, -20.0], [120.0, 60.0, 5.0, 0.0]),
        ([30.0, 140.0, 60.0, -10.0], [20.0, -30.0, 8.0, 4.0]),
        ([70.0, 20.0, 25.0, 30.0], [150.0, 100.0, 70.0, 0.0]),
    ];
    let mut poses: Vec<Pose> = SIDES.iter().map(|(right, left)| figure(right, left)).collect();
    let mut away = poses.clone();
    for body in away.iter_mut().flat_map(|pose| &mut pose.people).map(|person| &mut person.body) {
        for joint in [Joint::Nose, Joint::RightEye, Joint::LeftEye] {
            body[joint as usize] = None;
        }
    }
    poses.extend(away.into_iter().take(2));
    poses
}

/// A figure on a canvas of 320 × 320 pixels.
fn figure(right: &Side, left: &Side) -> Pose {
    let mut body = [None; Joint::COUNT];
    let mut put = |joint: Joint, (x, y): (f32, f32)| {
        body[joint as usize] = Some(Keypoint { x: x * 320.0, y: y * 320.0, confidence: 1.0 });
    };
    put(Joint::Nose, (0.5, 0.22));
    put(Joint::Neck, (0.5, 0.32));
    use Joint::*;
    let sides = [
        (
            -1.0,
            right,
            [RightShoulder, RightElbow, RightWrist, RightHip, RightKnee, RightAnkle, RightEye, RightEar],
        ),
        (1.0, left, [LeftShoulder, LeftElbow, LeftWrist, LeftHip, LeftKnee, LeftAnkle, LeftEye, LeftEar]),
    ];
    for (side, angles, [shoulder, elbow, wrist, hip, knee, ankle, eye, ear]) in sides {
        let step = |(x, y): (f32, f32), angle: f32, length: f32| {
            let (sin, cos) = angle.to_radians().sin_cos();
            (x + side * sin * length, y + cos * length)
        };
        let [upper_arm, lower_arm, thigh, shin] = *angles;
        let (at_shoulder, at_hip) = ((0.5 + side * 0.08, 0.33), (0.5 + side * 0.05, 0.55));
        put(shoulder, at_shoulder);
        put(elbow, step(at_shoulder, upper_arm, 0.12));
        put(wrist, step(step(at_shoulder, upper_arm, 0.12), lower_arm, 0.11));
        put(hip, at_hip);
        put(knee, step(at_hip, thigh, 0.17));
        put(ankle, step(step(at_hip, thigh, 0.17), shin, 0.17));
        put(eye, (0.5 + side * 0.025, 0.2));
        put(ear, (0.5 + side * 0.055, 0.21));
    }
    Pose { width: 320, height: 320, people: vec![Person { body, ..Person::default() }] }
}
