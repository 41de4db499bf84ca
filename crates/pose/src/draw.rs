//! The control image of a pose, as OpenPose ControlNets were trained on it.
//!
//! Follows the drawing of `controlnet_aux`, which OpenCV does there: whole-pixel, without anti-aliasing, coordinates
//! rounded towards zero. Limbs come first, as filled ellipses at 0.6 of their colour, then joints, as discs at full
//! colour.

use image::{Rgb, RgbImage};

use super::skeleton::{BODY_COLORS, Body, Face, HAND_EDGES, Hand, Joint, LIMBS, Pose};
use crate::fit::Fit;

/// Half-width of a limb and radius of a joint, in pixels, on the 512 pixels that ControlNet was trained on.
const STICK: u32 = 4;
const HAND_LINE: u32 = 2;
const HAND_DOT: u32 = 4;
const FACE_DOT: u32 = 3;
const TRAINED_SIZE: f64 = 512.0;

/// How thick limbs are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum StickWidth {
    /// All lines and dots grow with the canvas: half-width 4 pixels where the shorter side is 512, at least 1.
    /// The figure looks the same at every size.
    #[default]
    Proportional,
    /// Half-width 4 pixels at every size: `controlnet_aux`.
    Fixed,
    /// `controlnet_aux` with `xinsr_stick_scaling`: limbs of 4 pixels under 500 pixels on the longer side, else
    /// × min(2 + side / 1000, 7); joints stay at 4 pixels.
    BySize,
}

/// What of a pose is drawn, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawSettings {
    /// Draw hands. Default: true.
    pub hands: bool,
    /// Draw faces. Default: true.
    pub face: bool,
    /// Thickness of the limbs. Default: [`StickWidth::Proportional`].
    pub stick_width: StickWidth,
}

impl Default for DrawSettings {
    fn default() -> Self {
        Self { hands: true, face: true, stick_width: StickWidth::default() }
    }
}

/// Draws `pose` on a black picture of `width` × `height` pixels. A pose of another canvas is stretched to it
/// ([`Pose::fit`] has the other ways). Points outside of the picture are allowed.
pub fn draw_pose(pose: &Pose, width: u32, height: u32, settings: &DrawSettings) -> RgbImage {
    let mut image = RgbImage::new(width, height);
    let brush = Brush::new(settings.stick_width, width, height);
    for person in &pose.fit(width, height, Fit::Stretch).people {
        draw_body(&mut image, &person.body, &brush);
        for hand in [&person.left_hand, &person.right_hand].into_iter().flatten().filter(|_| settings.hands) {
            draw_hand(&mut image, hand, &brush);
        }
        if let Some(face) = person.face.as_ref().filter(|_| settings.face) {
            draw_face(&mut image, face, &brush);
        }
    }
    image
}

/// Sizes in pixels.
struct Brush {
    limb: u32,
    joint: u32,
    hand_line: u32,
    hand_dot: u32,
    face_dot: u32,
}

impl Brush {
    fn new(rule: StickWidth, width: u32, height: u32) -> Self {
        let fixed =
            Self { limb: STICK, joint: STICK, hand_line: HAND_LINE, hand_dot: HAND_DOT, face_dot: FACE_DOT };
        match rule {
            StickWidth::Fixed => fixed,
            StickWidth::BySize => {
                let side = width.max(height);
                let scale = if side < 500 { 1 } else { (2 + side / 1000).min(7) };
                Self { limb: STICK * scale, ..fixed }
            }
            StickWidth::Proportional => {
                let scale = f64::from(width.min(height)) / TRAINED_SIZE;
                let scaled = |size: u32| ((f64::from(size) * scale).round_ties_even() as u32).max(1);
                Self {
                    limb: scaled(STICK),
                    joint: scaled(STICK),
                    hand_line: scaled(HAND_LINE),
                    hand_dot: scaled(HAND_DOT),
                    face_dot: scaled(FACE_DOT),
                }
            }
        }
    }
}

fn draw_body(image: &mut RgbImage, body: &Body, brush: &Brush) {
    for ((from, to), color) in LIMBS.into_iter().zip(BODY_COLORS) {
        if let (Some(a), Some(b)) = (body[from as usize], body[to as usize]) {
            let dimmed = Rgb(color.0.map(|channel| (f32::from(channel) * 0.6) as u8));
            fill_convex(image, &limb_outline(point(a.x, a.y), point(b.x, b.y), brush.limb), dimmed);
        }
    }
    for joint in Joint::ALL {
        if let Some(at) = body[joint as usize] {
            draw_disc(image, whole(at.x, at.y), brush.joint, joint.color());
        }
    }
}

fn draw_hand(image: &mut RgbImage, hand: &Hand, brush: &Brush) {
    for (edge, (from, to)) in HAND_EDGES.into_iter().enumerate() {
        if let (Some(a), Some(b)) = (hand[from], hand[to]) {
            let color = hue_color(edge as f32 / HAND_EDGES.len() as f32);
            draw_line(image, whole(a.x, a.y), whole(b.x, b.y), brush.hand_line, color);
        }
    }
    for at in hand.iter().flatten() {
        draw_disc(image, whole(at.x, at.y), brush.hand_dot, Rgb([0, 0, 255]));
    }
}

fn draw_face(image: &mut RgbImage, face: &Face, brush: &Brush) {
    for at in face.iter().flatten() {
        draw_disc(image, whole(at.x, at.y), brush.face_dot, Rgb([255, 255, 255]));
    }
}

type Point = (f64, f64);

fn point(x: f32, y: f32) -> Point {
    (f64::from(x), f64::from(y))
}

fn whole(x: f32, y: f32) -> Point {
    (f64::from(x.trunc()), f64::from(y.trunc()))
}

/// The fully saturated, bright colour of a hue in [0, 1).
fn hue_color(hue: f32) -> Rgb<u8> {
    let channel = |shift: f32| {
        let ramp = ((hue * 6.0 + shift).rem_euclid(6.0) - 3.0).abs() - 1.0;
        (ramp.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    Rgb([channel(0.0), channel(4.0), channel(2.0)])
}

/// The ellipse over the limb from `a` to `b` as a polygon of whole pixels, one corner a degree (OpenCV's
/// `ellipse2Poly` with whole middle, half-axes and angle).
fn limb_outline(a: Point, b: Point, half_width: u32) -> Vec<Point> {
    let middle = (((a.0 + b.0) / 2.0).trunc(), ((a.1 + b.1) / 2.0).trunc());
    let (dx, dy) = (a.0 - b.0, a.1 - b.1);
    let half_length = (dx.hypot(dy) / 2.0).trunc();
    let (sin, cos) = dy.atan2(dx).to_degrees().trunc().to_radians().sin_cos();
    let corner = |degree: u32| {
        let (across, along) = f64::from(degree).to_radians().sin_cos();
        let (along, across) = (along * half_length, across * f64::from(half_width));
        ((middle.0 + along * cos - across * sin).round(), (middle.1 + along * sin + across * cos).round())
    };
    (0..360).map(corner).collect()
}

/// A line with round ends.
fn draw_line(image: &mut RgbImage, a: Point, b: Point, thickness: u32, color: Rgb<u8>) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy);
    if length > 0.0 {
        let half = f64::from(thickness) / 2.0;
        let (across, down) = (dy / length * half, -dx / length * half);
        let corners = [
            (a.0 + across, a.1 + down),
            (b.0 + across, b.1 + down),
            (b.0 - across, b.1 - down),
            (a.0 - across, a.1 - down),
        ];
        fill_convex(image, &corners, color);
    }
    draw_disc(image, a, thickness / 2, color);
    draw_disc(image, b, thickness / 2, color);
}

/// All pixels within `radius` of a whole pixel, as OpenCV's `circle` fills it (imageproc's disc is wider).
fn draw_disc(image: &mut RgbImage, center: Point, radius: u32, color: Rgb<u8>) {
    let squared = f64::from(radius * radius);
    for step in 0..=2 * radius {
        let down = f64::from(step) - f64::from(radius);
        let half = (squared - down * down).sqrt().floor();
        fill_row(image, center.1 + down, center.0 - half, center.0 + half, color);
    }
}

/// Fills the pixels of row `y` from column `left` to `right`, as far as they lie in the picture.
fn fill_row(image: &mut RgbImage, y: f64, left: f64, right: f64, color: Rgb<u8>) {
    if y < 0.0 || y >= f64::from(image.height()) {
        return;
    }
    let (left, right) = (left.max(0.0), right.min(f64::from(image.width()) - 1.0));
    if left <= right {
        (left as u32..=right as u32).for_each(|x| image.put_pixel(x, y as u32, color));
    }
}

/// Fills a convex polygon, edges included. Unlike imageproc's, its time depends on the picture's height alone, not
/// on how far off the corners lie.
fn fill_convex(image: &mut RgbImage, corners: &[Point], color: Rgb<u8>) {
    let mut rows = vec![(f64::INFINITY, f64::NEG_INFINITY); image.height() as usize];
    let ends = corners.iter().cycle().skip(1);
    for (&from, &to) in corners.iter().zip(ends) {
        widen_rows(&mut rows, from, to);
    }
    for (y, (left, right)) in rows.into_iter().enumerate() {
        fill_row(image, y as f64, left.round(), right.round(), color);
    }
}

/// Widens the span (least x, greatest x) of every row so that it holds the edge from `from` to `to`, drawn one
/// pixel wide.
fn widen_rows(rows: &mut [(f64, f64)], from: Point, to: Point) {
    let (top, bottom) = if from.1 <= to.1 { (from, to) } else { (to, from) };
    let (height, slope) = (bottom.1 - top.1, (bottom.0 - top.0) / (bottom.1 - top.1));
    let steep = height >= (bottom.0 - top.0).abs();
    let first = top.1.round().max(0.0) as usize;
    let beyond = (bottom.1.round() + 1.0).clamp(0.0, rows.len() as f64) as usize;
    for (y, row) in rows.iter_mut().enumerate().take(beyond).skip(first) {
        let at =
            |y: f64| if height > 0.0 { top.0 + (y.clamp(top.1, bottom.1) - top.1) * slope } else { top.0 };
        // Where the edge is flat a row holds all columns whose nearest row it is.
        let reach = if steep { 0.0 } else { 0.5 };
        let (mut enter, mut leave) = (at(y as f64 - reach), at(y as f64 + reach));
        if height == 0.0 {
            (enter, leave) = (top.0, bottom.0);
        }
        *row = (row.0.min(enter).min(leave), row.1.max(enter).max(leave));
    }
}
