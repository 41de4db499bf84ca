//! A rig to look at: the numbered joints, the parts, and where each joint is.

use dreamtuner_warp::Part;
use image::imageops::{FilterType, crop_imm, overlay, resize};
use image::{Rgb, RgbImage, RgbaImage};
use imageproc::drawing::{
    draw_filled_circle_mut, draw_filled_rect_mut, draw_hollow_circle_mut, draw_line_segment_mut,
};
use imageproc::rect::Rect;

use super::doubts::Doubts;
use super::figure::Figure;
use super::names::{joint_name, part_name};
use crate::picture::label::{LINE_HEIGHT, write};
use crate::picture::on_colour;
use crate::pose::{BoundingBox, Joint, Keypoint, LIMBS};

/// Longest side of each of the two pictures.
const SIDE: f32 = 640.0;
const MARGIN: u32 = 16;
const BACKGROUND: Rgb<u8> = Rgb([24, 24, 28]);
const PAPER: Rgb<u8> = Rgb([255; 3]);
const DOUBTFUL: Rgb<u8> = Rgb([255, 40, 40]);
const SURE: Rgb<u8> = Rgb([40, 44, 52]);
/// Width of a column of the legend.
const COLUMN: u32 = 290;

/// The picture with numbered joints, beside it the parts, and below what the numbers mean.
pub(super) fn sheet(figure: &Figure, parts: &RgbaImage) -> RgbImage {
    let (left, top, width, height) = around(figure);
    let scale = SIDE / width.max(height) as f32;
    let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
    let shown = on_colour(&crop_imm(figure.cut_out(), left, top, width, height).to_image(), PAPER);
    let parts = crop_imm(parts, left, top, width, height).to_image();
    let (width, height) = (side(width), side(height));
    let shown = resize(&shown, width, height, FilterType::CatmullRom);
    let parts = tinted(&shown, &resize(&parts, width, height, FilterType::Nearest));
    let view = View { corner: (left as f32, top as f32), scale };
    let columns = ((2 * width + MARGIN) / COLUMN).max(2);
    let lines = (Joint::COUNT + Part::ALL.len()) as u32;
    let rows = lines.div_ceil(columns);
    let mut sheet = RgbImage::from_pixel(
        (2 * width + MARGIN).max(columns * COLUMN) + 2 * MARGIN,
        height + 3 * MARGIN + rows * LINE_HEIGHT,
        BACKGROUND,
    );
    overlay(&mut sheet, &marked(shown, figure, &view), i64::from(MARGIN), i64::from(MARGIN));
    overlay(&mut sheet, &parts, i64::from(2 * MARGIN + width), i64::from(MARGIN));
    for (line, (colour, text)) in legend(figure).into_iter().enumerate() {
        let (column, row) = (line as u32 / rows, line as u32 % rows);
        let (left, top) = (MARGIN + column * COLUMN, height + 2 * MARGIN + row * LINE_HEIGHT);
        draw_filled_rect_mut(&mut sheet, Rect::at(left as i32, top as i32 + 4).of_size(10, 10), colour);
        write(&mut sheet, left + 18, top, &text);
    }
    sheet
}

/// Left and top edge, width and height of what is shown: the figure and its joints, with a little around.
fn around(figure: &Figure) -> (u32, u32, u32, u32) {
    let (width, height) = figure.picture().dimensions();
    let joints = BoundingBox::around(figure.person().body.iter().flatten());
    let bounds = joints.into_iter().fold(figure.bounds(), BoundingBox::united);
    let margin = 0.04 * bounds.width().max(bounds.height());
    let within = |value: f32, length: u32| value.clamp(0.0, length as f32) as u32;
    let (left, top) = (within(bounds.left - margin, width - 1), within(bounds.top - margin, height - 1));
    let (right, bottom) = (within(bounds.right + margin, width), within(bounds.bottom + margin, height));
    (left, top, right.saturating_sub(left).max(1), bottom.saturating_sub(top).max(1))
}

/// How the picture lies on the sheet.
struct View {
    corner: (f32, f32),
    scale: f32,
}

impl View {
    fn place(&self, point: Keypoint) -> (f32, f32) {
        ((point.x - self.corner.0) * self.scale, (point.y - self.corner.1) * self.scale)
    }
}

/// The picture, paler, with bones and numbered joints.
fn marked(mut picture: RgbImage, figure: &Figure, view: &View) -> RgbImage {
    picture.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| 128 + value / 2));
    let place = |joint: Joint| figure.person().joint(joint).map(|point| view.place(point));
    for (from, to) in LIMBS {
        if let Some((from, to)) = place(from).zip(place(to)) {
            draw_line_segment_mut(&mut picture, from, to, SURE);
        }
    }
    let doubts = figure.doubts();
    for joint in Joint::ALL {
        let Some((x, y)) = place(joint) else { continue };
        let centre = (x.round() as i32, y.round() as i32);
        draw_filled_circle_mut(&mut picture, centre, 10, colour_of(joint, &doubts));
        draw_hollow_circle_mut(&mut picture, centre, 10, PAPER);
        let text = number(joint);
        let left = centre.0 - if text.len() > 1 { 8 } else { 4 };
        write(&mut picture, left.max(0) as u32, (centre.1 - 9).max(0) as u32, &text);
    }
    picture
}

fn colour_of(joint: Joint, doubts: &Doubts) -> Rgb<u8> {
    if doubts.doubtful.contains(&joint) { DOUBTFUL } else { SURE }
}

fn number(joint: Joint) -> String {
    (joint as usize + 1).to_string()
}

/// Parts in their colours over the picture.
fn tinted(picture: &RgbImage, parts: &RgbaImage) -> RgbImage {
    let mut tinted = picture.clone();
    for (pixel, part) in tinted.pixels_mut().zip(parts.pixels()) {
        if part.0[3] > 127 {
            let mixed = |below: u8, above: u8| ((u16::from(below) + u16::from(above)) / 2) as u8;
            pixel.0 = std::array::from_fn(|channel| mixed(pixel.0[channel], part.0[channel]));
        }
    }
    tinted
}

fn legend(figure: &Figure) -> Vec<(Rgb<u8>, String)> {
    let doubts = figure.doubts();
    let joint = |joint: Joint| {
        let (number, name) = (number(joint), joint_name(joint));
        match figure.person().joint(joint) {
            None => (BACKGROUND, format!("{number}  {name}: not found")),
            Some(point) => {
                let doubt = if doubts.doubtful.contains(&joint) { "  doubtful" } else { "" };
                (colour_of(joint, &doubts), format!("{number}  {name} {:.0},{:.0}{doubt}", point.x, point.y))
            }
        }
    };
    let joints = Joint::ALL.into_iter().map(joint);
    joints.chain(figure.order().iter().map(|part| (Rgb(part.colour()), part_name(*part)))).collect()
}
