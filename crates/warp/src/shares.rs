//! How much of each pixel is a part's.

use image::{ImageBuffer, Luma};
use imageproc::filter::gaussian_blur_f32;

use crate::geometry::Vector;
use crate::lines::with_lines;
use crate::parts::Part;
use crate::segment::Segmentation;

/// A pixel of whose surroundings less than this share is a part's is not shown with it, ...
const LEAST: f32 = 0.15;
/// ... and one with more than this is wholly. Half is the boundary.
const WHOLE: f32 = 0.35;

/// How much of each pixel's surroundings is a part's, 0 to 1: half on its boundary, which is smooth thereby.
pub(crate) struct Shares(Vec<(Part, Smoothed)>);

type Smoothed = ImageBuffer<Luma<f32>, Vec<f32>>;

impl Shares {
    /// `scale` is how many pixels of the segmentation there are for each of the picture.
    pub fn new(segmentation: &Segmentation, scale: f32) -> Self {
        // Steps of a coarse segmentation are smoothed; a fine one has none, and may have parts of few pixels.
        let deviation = if scale < 0.8 { 1.2 } else { 0.5 * scale.max(1.0) };
        let of_part = |part: Part| {
            let with_lines = with_lines(segmentation, part);
            let is_part = ImageBuffer::from_fn(with_lines.width as u32, with_lines.height as u32, |x, y| {
                Luma([f32::from(with_lines.at(x as usize, y as usize))])
            });
            (part, gaussian_blur_f32(&is_part, deviation))
        };
        let parts = &segmentation.parts.values;
        Self(Part::ALL.into_iter().filter(|part| parts.contains(part)).map(of_part).collect())
    }

    /// How much of a place a part shows, 0 to 1; between only on its boundary. Neighbours overlap by a pixel or two, so that nothing shines
    /// through between them, and both keep the outline that parts them.
    pub fn shown(&self, part: Part, place: Vector) -> f32 {
        ((self.at(part, place) - LEAST) / (WHOLE - LEAST)).clamp(0.0, 1.0)
    }

    /// Between the pixels.
    fn at(&self, part: Part, place: Vector) -> f32 {
        let Some((_, shares)) = self.0.iter().find(|(of, _)| *of == part) else { return 0.0 };
        let (x, y) = (place.x - 0.5, place.y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (x - left, y - top);
        let near = |value: f32, size: u32| (value.max(0.0) as u32).min(size - 1);
        let at = |x: f32, y: f32| shares.get_pixel(near(x, shares.width()), near(y, shares.height())).0[0];
        (1.0 - down) * ((1.0 - across) * at(left, top) + across * at(left + 1.0, top))
            + down * ((1.0 - across) * at(left, top + 1.0) + across * at(left + 1.0, top + 1.0))
    }
}
