//! RTMPose and DWPose: for each point a row of likelihoods over columns and one over rows of the picture ("SimCC").

use image::RgbImage;

use crate::detect::estimator::Found;
use crate::detect::normalized::normalized;
use crate::detect::onnx::Onnx;
use crate::detect::region::Region;
use crate::error::Result;
use crate::pose::{COCO_POINTS, FACE_POINTS, HAND_POINTS, Joint, Keypoint, Person};

/// How much larger than a person's box a region is, as the networks were trained.
const MARGIN: f32 = 1.25;
/// COCO-WholeBody: body, feet, face, left hand, right hand.
const WHOLE_BODY_POINTS: usize = 133;
const FACE: usize = 23;
const HANDS: usize = FACE + FACE_POINTS;

/// The pose network.
pub struct RtmPose {
    network: Onnx,
    width: usize,
    height: usize,
    /// Columns for each pixel across, rows for each pixel down.
    resolution: (usize, usize),
}

impl RtmPose {
    /// A network from a file.
    ///
    /// # Errors
    /// Inputs or outputs of other shapes than these networks have.
    pub fn new(network: Onnx) -> Result<Self> {
        let shape = || -> Option<_> {
            let &[1, 3, height, width] = network.input() else { return None };
            let [across, down] = network.outputs() else { return None };
            let (&[1, points, columns], &[1, rows_of, rows]) = (across.as_slice(), down.as_slice()) else {
                return None;
            };
            let fits = columns.is_multiple_of(width) && rows.is_multiple_of(height) && columns.min(rows) > 0;
            let known = points == rows_of && [COCO_POINTS, WHOLE_BODY_POINTS].contains(&points);
            (fits && known).then_some((width, height, (columns / width, rows / height)))
        };
        match shape() {
            Some((width, height, resolution)) => Ok(Self { network, width, height, resolution }),
            None => Err(network.is_no(
                "RTMPose or DWPose",
                "(1, 17 or 133, columns) and (1, 17 or 133, rows) for (1, 3, height, width) are expected",
            )),
        }
    }

    /// What the network is shown of a person in a box.
    pub fn region(&self, bounds: Region) -> Region {
        bounds.scaled(MARGIN, MARGIN).shaped(self.width as f32 / self.height as f32)
    }

    /// The points of the person in a region.
    ///
    /// # Errors
    /// A network that fails.
    pub fn find(&self, picture: &RgbImage, region: Region) -> Result<Found> {
        let view = region.cut(picture, self.width as u32, self.height as u32);
        let maps = self.network.run(&normalized(&view, 255.0))?;
        let (columns, rows) = (self.width * self.resolution.0, self.height * self.resolution.1);
        let likelihoods = maps[0].chunks_exact(columns).zip(maps[1].chunks_exact(rows));
        let places: Vec<(f32, f32, f32)> = likelihoods
            .map(|(across, down)| {
                let ((column, sure_across), (row, sure_down)) = (likeliest(across), likeliest(down));
                let x = region.left + column as f32 / columns as f32 * region.width;
                let y = region.top + row as f32 / rows as f32 * region.height;
                (x, y, sure_across.min(sure_down))
            })
            .collect();
        let body = places[..COCO_POINTS].iter();
        let score = body.map(|(_, _, score)| score.clamp(0.0, 1.0)).sum::<f32>() / COCO_POINTS as f32;
        let points: Vec<Option<Keypoint>> =
            places.into_iter().map(|(x, y, score)| Keypoint::seen(x, y, score)).collect();
        Ok(Found { person: person(&points), score })
    }
}

/// Body, and with whole body's points also face and hands where any of them is seen.
fn person(points: &[Option<Keypoint>]) -> Person {
    let body = Person::from_coco(points);
    if points.len() < WHOLE_BODY_POINTS {
        return body;
    }
    let mut row = body.points();
    let (hands, face) = row[Joint::COUNT..].split_at_mut(2 * HAND_POINTS);
    hands.copy_from_slice(&points[HANDS..]);
    face.copy_from_slice(&points[FACE..HANDS]);
    Person::from_points(&row)
}

/// The first largest value and its index.
fn likeliest(values: &[f32]) -> (usize, f32) {
    let larger = |best: (usize, f32), (index, &value): (usize, &f32)| {
        if value > best.1 { (index, value) } else { best }
    };
    values.iter().enumerate().fold((0, f32::NEG_INFINITY), larger)
}
