//! Textured triangles on a canvas, layer over layer.

use image::RgbaImage;
use rayon::prelude::*;

use crate::geometry::Vector;

/// Rows of the canvas that a thread draws at once. The result does not depend on it.
const ROWS: usize = 32;

/// What is drawn in one layer.
pub(crate) struct Layer<'a> {
    /// Premultiplied.
    pub texture: &'a RgbaImage,
    pub triangles: &'a [[u32; 3]],
    /// What becomes of the texture in each triangle; it stays as it is where there are none.
    pub shades: &'a [Shade],
}

/// Turns a texture's red into `always` (where there is anything) and `own` times itself; green stays, blue goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shade {
    pub always: f32,
    pub own: f32,
}

impl Shade {
    fn apply(self, [red, green, _, alpha]: [f32; 4]) -> [f32; 4] {
        [self.always * alpha + self.own * red, green, 0.0, alpha]
    }
}

/// Lays a premultiplied colour over another.
pub(crate) fn over(below: &mut [f32; 4], above: [f32; 4]) {
    let through = 1.0 - above[3];
    below.iter_mut().zip(above).for_each(|(below, above)| *below = above + through * *below);
}

/// The layers on a transparent canvas of `width` × `height`, the first at the back, each laid `over` the others. `rest` is where
/// vertices are in the textures, `posed` where they are on the canvas. Premultiplied. The same bytes for any number of threads.
pub(crate) fn draw(
    (width, height): (usize, usize),
    layers: &[Layer],
    (rest, posed): (&[Vector], &[Vector]),
    over: fn(&mut [f32; 4], [f32; 4]),
) -> Vec<[f32; 4]> {
    let mut canvas = vec![[0.0; 4]; width * height];
    let bands = canvas.par_chunks_mut((width * ROWS).max(1)).enumerate();
    bands.for_each(|(index, canvas)| {
        let band = Band { width, top: index * ROWS, rows: canvas.len() / width };
        let mut drawn = vec![[0.0; 4]; canvas.len()];
        for layer in layers {
            if band.draw(layer, rest, posed, &mut drawn) {
                canvas.iter_mut().zip(&mut drawn).for_each(|(below, above)| {
                    over(below, *above);
                    *above = [0.0; 4];
                });
            }
        }
    });
    canvas
}

/// Some rows of the canvas.
struct Band {
    width: usize,
    top: usize,
    rows: usize,
}

impl Band {
    /// Draws a layer; whether anything of it lies here. Where its triangles overlap, the more opaque pixel stays.
    fn draw(&self, layer: &Layer, rest: &[Vector], posed: &[Vector], drawn: &mut [[f32; 4]]) -> bool {
        let mut any = false;
        for (number, triangle) in layer.triangles.iter().enumerate() {
            let shade = layer.shades.get(number);
            let corners = triangle.map(|vertex| posed[vertex as usize]);
            let (first, end) = extent(corners.map(|corner| corner.y), self.top, self.top + self.rows);
            let (left, right) = extent(corners.map(|corner| corner.x), 0, self.width);
            let [a, b, c] = corners;
            let area = (b - a).cross(c - a);
            if first >= end || left >= right || area.abs() < 1e-6 {
                continue;
            }
            any = true;
            let [ra, rb, rc] = triangle.map(|vertex| rest[vertex as usize]);
            // How much of the corners b and c a place is.
            let shares = |x: f32, y: f32| {
                let point = Vector { x, y } - a;
                (point.cross(c - a) / area, (b - a).cross(point) / area)
            };
            for y in first..end {
                let line = &mut drawn[(y - self.top) * self.width..][..self.width];
                for (x, pixel) in line.iter_mut().enumerate().take(right).skip(left) {
                    let (of_b, of_c) = shares(x as f32 + 0.5, y as f32 + 0.5);
                    if of_b < -EDGE || of_c < -EDGE || of_b + of_c > 1.0 + EDGE {
                        continue;
                    }
                    let place = ra + (rb - ra) * of_b + (rc - ra) * of_c;
                    let colour = sample(layer.texture, place);
                    let colour = shade.map_or(colour, |shade| shade.apply(colour));
                    if colour[3] >= pixel[3] {
                        *pixel = colour;
                    }
                }
            }
        }
        any
    }
}

/// Pixels on an edge belong to both triangles.
const EDGE: f32 = 1e-5;

/// The pixels, of those from `low` to `high`, whose middles may lie between some values.
fn extent(values: [f32; 3], low: usize, high: usize) -> (usize, usize) {
    let least = values.into_iter().fold(f32::INFINITY, f32::min);
    let most = values.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let from = ((least - 0.5).floor().max(low as f32) as usize).max(low);
    let to = ((most - 0.5).ceil() + 1.0).clamp(low as f32, high as f32) as usize;
    (from, to)
}

/// The texture between its pixels, by cubic splines through them (Catmull and Rom 1974), which keep outlines sharp; transparent
/// outside.
pub(crate) fn sample(texture: &RgbaImage, place: Vector) -> [f32; 4] {
    let (x, y) = (place.x - 0.5, place.y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (weights(x - left), weights(y - top));
    let (left, top) = (left as i64 - 1, top as i64 - 1);
    let (width, height) = (i64::from(texture.width()), i64::from(texture.height()));
    let mut sum = [0.0; 4];
    for (y, down) in (top..top + 4).zip(down).filter(|(y, _)| (0..height).contains(y)) {
        for (x, across) in (left..left + 4).zip(across).filter(|(x, _)| (0..width).contains(x)) {
            let start = 4 * (y * width + x) as usize;
            let weight = across * down / 255.0;
            let value = &texture.as_raw()[start..start + 4];
            sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * f32::from(*value));
        }
    }
    // Splines may overshoot; a premultiplied colour is no greater than its opacity.
    let alpha = sum[3].clamp(0.0, 1.0);
    sum.map(|value| value.clamp(0.0, alpha))
}

/// How much each of four neighbours counts, `share` of the way from the second to the third.
fn weights(share: f32) -> [f32; 4] {
    let (square, cube) = (share * share, share * share * share);
    [
        -0.5 * cube + square - 0.5 * share,
        1.5 * cube - 2.5 * square + 1.0,
        -1.5 * cube + 2.0 * square + 0.5 * share,
        0.5 * cube - 0.5 * square,
    ]
}
