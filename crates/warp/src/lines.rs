//! Outlines between parts, which are both's.

use image::{GrayImage, Luma};
use imageproc::morphology::{Mask, grayscale_dilate};

use crate::field::{Field, spread};
use crate::parts::Part;
use crate::segment::Segmentation;

/// What is so near to a line or to another part, in shoulders' widths, is mixed with it.
const MIXED: f32 = 0.04;

/// Where colours are those of lines, or of two parts.
pub(crate) fn mixed(segmentation: &Segmentation) -> Field<bool> {
    let Segmentation { parts, figure, edges, unit, .. } = segmentation;
    // Legs are one with the trunk above their split.
    let layer = |part: Part| if part.is_leg() { Part::Body } else { part };
    let differs = |(x, y): (usize, usize), (right, below): (usize, usize)| {
        let (x2, y2) = ((x + right).min(parts.width - 1), (y + below).min(parts.height - 1));
        let both = figure.at(x, y) && figure.at(x2, y2);
        both && layer(parts.at(x, y)) != layer(parts.at(x2, y2))
    };
    let between = GrayImage::from_fn(parts.width as u32, parts.height as u32, |x, y| {
        let place = (x as usize, y as usize);
        let is_between = edges.lines.at(place.0, place.1) || differs(place, (1, 0)) || differs(place, (0, 1));
        Luma([if is_between { 255 } else { 0 }])
    });
    let reach = (MIXED * unit).round().clamp(1.0, 255.0) as u8;
    let values =
        grayscale_dilate(&between, &Mask::square(reach)).pixels().map(|pixel| pixel.0[0] > 0).collect();
    Field { width: parts.width, height: parts.height, values }
}

/// Widest line, in pixels of the segmentation.
const LINE: f32 = 3.0;

/// Where a part is, with the lines around it: an outline between two parts is both's.
pub(crate) fn with_lines(segmentation: &Segmentation, part: Part) -> Field<bool> {
    along_lines(segmentation, segmentation.parts.map(|of| (of == part).then_some(())))
}

/// Where a part is crossed by the outlines of what lies over it: lines that are near to other parts, and not to the background.
pub(crate) fn outlines_of_others(segmentation: &Segmentation, part: Part) -> Field<bool> {
    let Segmentation { parts, figure, .. } = segmentation;
    let mut others = parts.map(|of| (of != part).then_some(()));
    others.values.iter_mut().zip(&figure.values).filter(|(_, seen)| !**seen).for_each(|(of, _)| *of = None);
    along_lines(segmentation, others)
}

/// What is reached from some pixels along the lines that touch them.
fn along_lines(segmentation: &Segmentation, mut from: Field<Option<()>>) -> Field<bool> {
    let lines = &segmentation.edges.lines;
    let far = spread(&mut from, |_, to, distance| lines.values[to].then_some(distance));
    far.map(|far| far <= LINE)
}
