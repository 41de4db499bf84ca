//! How sure a drawn figure is: where nothing was stretched, opened, invented or laid over something else.

use image::imageops::{FilterType, resize};
use image::{GrayImage, ImageBuffer, Luma, Rgba, RgbaImage};
use imageproc::distance_transform::euclidean_squared_distance_transform;
use imageproc::filter::gaussian_blur_f32;
use imageproc::morphology::{Mask, grayscale_erode};

use crate::field::Field;
use crate::geometry::Vector;
use crate::layers::Layer;
use crate::mesh::Mesh;
use crate::parts::Part;
use crate::raster::Shade;
use crate::segment::Segmentation;

/// A triangle that is stretched or squeezed by no more is as sure as the picture, ...
const GOOD_STRETCH: f32 = 1.35;
/// ... and one by more is not sure at all.
const BAD_STRETCH: f32 = 2.2;
/// How sure it is that what lies over another part of the figure does not belong behind it.
const SURE_ORDER: f32 = 0.6;
/// How far from where a part was cut its picture is sure, in pixels of the segmentation, and at least in those that are drawn.
const CUT: f32 = 4.0;

/// For each layer its own pixels: red and green are how far from a cut they are, 0 what was invented; premultiplied by the layer's
/// opacity. `split` is the row of the segmentation above which legs are one with the trunk.
pub(crate) fn own_pixels(
    layers: &[Layer],
    segmentation: &Segmentation,
    split: Option<f32>,
) -> Vec<RgbaImage> {
    let own = |layer: &Layer| {
        let (width, height) = layer.texture.dimensions();
        let cut = CUT * (segmentation.parts.height as f32 / height as f32).max(1.0);
        let far = far_from_cuts(segmentation, layer.part, split, cut);
        let far = resize(&far, width, height, FilterType::Triangle);
        RgbaImage::from_fn(width, height, |x, y| {
            let alpha = layer.texture.get_pixel(x, y).0[3];
            let own = (far.get_pixel(x, y).0[0] * f32::from(alpha)).round() as u8;
            Rgba([own, own, 0, alpha])
        })
    };
    layers.iter().map(own).collect()
}

/// 0 on what is not the part's, rising to 1 where the other parts are `cut` pixels away.
fn far_from_cuts(
    Segmentation { parts, figure, .. }: &Segmentation,
    part: Part,
    split: Option<f32>,
    cut: f32,
) -> ImageBuffer<Luma<f32>, Vec<f32>> {
    let is_own = |x: usize, y: usize| {
        let of = parts.at(x, y);
        let joined = of.is_leg() && split.is_none_or(|row| (y as f32) < row);
        if joined { part == Part::Body } else { of == part }
    };
    let (width, height) = (parts.width as u32, parts.height as u32);
    let others = GrayImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as usize, y as usize);
        Luma([if figure.at(x, y) && !is_own(x, y) { 255 } else { 0 }])
    });
    let squares = euclidean_squared_distance_transform(&others);
    ImageBuffer::from_fn(width, height, |x, y| {
        let far = squares.get_pixel(x, y).0[0].sqrt() as f32;
        Luma([if is_own(x as usize, y as usize) { (far / cut).min(1.0) } else { 0.0 }])
    })
}

/// How the triangles of each layer are shaded when its corners are `posed`. A slit as wide as a square of the net is open.
pub(crate) fn shades(mesh: &Mesh, posed: &[Vector]) -> Vec<Vec<Shade>> {
    let mut slits = vec![0.0_f32; posed.len()];
    for [one, other] in &mesh.seams {
        let apart = (posed[*one as usize] - posed[*other as usize]).length() / mesh.step;
        for corner in [one, other] {
            slits[*corner as usize] = slits[*corner as usize].max(apart.min(1.0));
        }
    }
    let shade = |triangle: &[u32; 3]| {
        let place = |places: &[Vector]| triangle.map(|corner| places[corner as usize]);
        let open = triangle.iter().map(|corner| slits[*corner as usize]).fold(0.0, f32::max);
        let good = unstretched(place(&mesh.rest), place(posed));
        Shade { always: good * (1.0 - open), own: good * open }
    };
    mesh.triangles.iter().map(|triangles| triangles.iter().map(shade).collect()).collect()
}

/// 1 for a triangle that was turned only, 0 for one that was drawn out, squeezed flat, or turned over.
fn unstretched([a, b, c]: [Vector; 3], [d, e, f]: [Vector; 3]) -> f32 {
    let (across, down) = (b - a, c - a);
    let area = across.cross(down);
    if area.abs() < 1e-9 {
        return 0.0;
    }
    // Columns of the matrix that takes the one to the other.
    let (one, other) = (e - d, f - d);
    let x = (one * down.y - other * across.y) * (1.0 / area);
    let y = (other * across.x - one * down.x) * (1.0 / area);
    let turned = x.cross(y);
    let squares = x.dot(x) + y.dot(y);
    let spread = (squares * squares - 4.0 * turned * turned).max(0.0).sqrt();
    let longest = ((squares + spread) / 2.0).sqrt();
    let shortest = ((squares - spread) / 2.0).max(0.0).sqrt();
    if turned <= 0.0 {
        return 0.0;
    }
    let worst = longest.max(1.0 / shortest.max(1e-6));
    ((BAD_STRETCH - worst) / (BAD_STRETCH - GOOD_STRETCH)).clamp(0.0, 1.0)
}

/// Lays what one layer says over what those behind it say: red is how sure the figure is, green how much of it is its own.
pub(crate) fn over(below: &mut [f32; 4], above: [f32; 4]) {
    let through = 1.0 - above[3];
    // What is a layer's own lies over what is another's own in no picture that was cut.
    let doubt = (1.0 - SURE_ORDER) * above[1] * below[1];
    *below = [
        above[0] * (1.0 - doubt) + through * below[0],
        above[1] + through * below[1],
        0.0,
        above[3] + through * below[3],
    ];
}

/// The map of a canvas that [`over`] has made. What is beside the figure is sure; what is beside unsure places is not, as an opened
/// slit shows what is behind.
pub(crate) fn map(canvas: &Field<[f32; 4]>, step: f32) -> GrayImage {
    let sure = GrayImage::from_fn(canvas.width as u32, canvas.height as u32, |x, y| {
        let [sure, _, _, alpha] = canvas.at(x as usize, y as usize);
        Luma([((sure + 1.0 - alpha) * 255.0).round().clamp(0.0, 255.0) as u8])
    });
    let radius = (step * 0.5).round().clamp(1.0, 40.0) as u8;
    let eroded = grayscale_erode(&sure, &Mask::square(radius));
    // Blurred in floats, as bytes would lose a step everywhere.
    let eroded: ImageBuffer<Luma<f32>, Vec<f32>> =
        ImageBuffer::from_fn(sure.width(), sure.height(), |x, y| {
            Luma([f32::from(eroded.get_pixel(x, y).0[0])])
        });
    let blurred = gaussian_blur_f32(&eroded, (step * 0.25).max(0.5));
    GrayImage::from_fn(sure.width(), sure.height(), |x, y| {
        Luma([blurred.get_pixel(x, y).0[0].round().clamp(0.0, 255.0) as u8])
    })
}
