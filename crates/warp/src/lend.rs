//! What one picture of a character hides and another one shows.

use image::{Rgba, RgbaImage};

use crate::geometry::Vector;
use crate::layers::Layer;
use crate::parts::Part;
use crate::raster;

/// Both pictures show the same thing where their colours differ by less, of 255 each in red, green and blue.
const SAME: f32 = 32.0;
/// A hand on the trunk is often taken for the trunk's. Where another picture shows the trunk in other colours, by so much, that is right.
const WRONG: f32 = 40.0;
/// Pixels that both show of a layer, for each that it has: on fewer nothing can be compared.
const COMPARED: f32 = 0.05;
/// How much of a pixel has to be a layer's own to be compared with another picture's.
const OWN: f32 = 0.9;

/// A picture's layer, and how much of it is its own ([`crate::confidence::own_pixels`]).
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub layer: &'a Layer,
    pub own: &'a RgbaImage,
}

/// What another picture can do for a layer.
pub(crate) enum Lent {
    /// Nothing: both show too little of the same.
    Nothing,
    /// Nothing: it looks different there.
    Different,
    /// Its texture and its own pixels are these.
    Pixels(RgbaImage, RgbaImage),
}

/// What `other` lends a layer where that was guessed. The corners of `triangles` know where things are: those at `rest` are at `there`
/// in the other picture.
pub(crate) fn lent(
    shown: Shown,
    other: Shown,
    triangles: &[[u32; 3]],
    (rest, there): (&[Vector], &[Vector]),
) -> Lent {
    let (width, height) = shown.layer.texture.dimensions();
    let seen = own_colours(other);
    let layer = raster::Layer { texture: &seen, triangles, shades: &[] };
    let lent = raster::draw((width as usize, height as usize), &[layer], (there, rest), raster::over);
    match apart(shown, &lent) {
        None => return Lent::Nothing,
        Some(apart) if apart > SAME => return Lent::Different,
        Some(_) => {}
    }
    let is_trunk = shown.layer.part == Part::Body;
    let (mut texture, mut own) = (shown.layer.texture.clone(), shown.own.clone());
    for ((colour, own), lent) in texture.pixels_mut().zip(own.pixels_mut()).zip(&lent) {
        let is_wrong = is_trunk && lent[3] > OWN && distance(*colour, lent) > WRONG;
        let guessed = if is_wrong { 1.0 } else { 1.0 - share(*own) };
        let (taken, alpha) = (guessed * lent[3], f32::from(colour.0[3]));
        for (value, lent) in colour.0.iter_mut().zip(lent) {
            let mixed = f32::from(*value) * (1.0 - taken) + lent * guessed * alpha;
            *value = mixed.round().clamp(0.0, alpha) as u8;
        }
        let known = ((share(*own) + taken).min(1.0) * alpha).round() as u8;
        *own = Rgba([known, known, 0, own.0[3]]);
    }
    Lent::Pixels(texture, own)
}

/// How much of a pixel is the layer's own.
fn share(own: Rgba<u8>) -> f32 {
    if own.0[3] == 0 { 0.0 } else { f32::from(own.0[0]) / f32::from(own.0[3]) }
}

/// What of a layer is its own, premultiplied.
fn own_colours(shown: Shown) -> RgbaImage {
    let mut seen = shown.layer.texture.clone();
    for (colour, own) in seen.pixels_mut().zip(shown.own.pixels()) {
        let share = share(*own);
        colour.0 = colour.0.map(|value| (f32::from(value) * share).round() as u8);
    }
    seen
}

/// How far apart the colours are of what both show of a layer, if that is enough.
fn apart(shown: Shown, lent: &[[f32; 4]]) -> Option<f32> {
    let (mut compared, mut whole, mut sum) = (0, 0, 0.0);
    for ((colour, own), lent) in shown.layer.texture.pixels().zip(shown.own.pixels()).zip(lent) {
        whole += usize::from(colour.0[3] > 127);
        if colour.0[3] == 255 && share(*own) > OWN && lent[3] > OWN {
            compared += 1;
            sum += distance(*colour, lent);
        }
    }
    (compared as f32 > COMPARED * whole as f32).then(|| sum / compared as f32)
}

/// How far apart two colours are, as the mean over red, green and blue of 255 each.
fn distance(colour: Rgba<u8>, lent: &[f32; 4]) -> f32 {
    (0..3).map(|channel| (f32::from(colour.0[channel]) - 255.0 * lent[channel]).abs()).sum::<f32>() / 3.0
}
