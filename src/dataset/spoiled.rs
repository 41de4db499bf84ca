//! Drafts of training pictures, as wrong as those of strangers' drawings are: joints are off, and parts lie in the wrong order.

use dreamtuner_puppet::{Picture, Random};
use dreamtuner_warp::{Edits, Joints, Part, Rig, without_figure};
use image::{GrayImage, Luma, RgbImage};

use crate::error::{Error, Result};
use crate::picture::{WHITE, off_white};
use crate::pose::{Joint, vector};
use crate::render::draft::DraftFrame;

/// A reference whose joints were not found exactly.
pub(super) struct SpoiledRig {
    rig: Rig,
    /// The true joints in the reference, and those that were found.
    rest: Joints,
    found: Joints,
    /// Whether drafts lie before the picture's own background; on white otherwise, which says nothing of another scene.
    keeps_background: bool,
}

impl SpoiledRig {
    /// Cuts a reference with errors of its own: in one of six rigs none.
    ///
    /// # Errors
    /// A reference that cannot be cut.
    pub fn new(reference: &Picture, random: &mut Random) -> Result<Self> {
        let rest = Joints::of_first(&reference.pose);
        let found =
            if random.chance(0.16) { rest } else { mistaken(&rest, reference.image.height(), random) };
        let edits = Edits { parts: None, order: order(random) };
        let figure = off_white(&reference.image, &reference.mask);
        let rig = Rig::with(&figure, &found, &edits, 1.0)
            .map_err(|error| Error::setting("drafts", error.to_string()))?;
        Ok(Self { rig, rest, found, keeps_background: random.chance(0.5) })
    }

    /// The draft of a picture in another pose.
    pub fn draft(&self, picture: &Picture) -> DraftFrame {
        let pose = Joints::of_first(&picture.pose);
        let joints =
            Joints::from_fn(|joint| Some(self.found.at(joint)? + (pose.at(joint)? - self.rest.at(joint)?)));
        let (width, height) = picture.image.dimensions();
        let (figure, confidence) =
            (self.rig.draw(&joints, width, height), self.rig.confidence(&joints, width, height));
        let is_white = picture
            .image
            .pixels()
            .zip(picture.mask.pixels())
            .all(|(pixel, mask)| mask.0[0] > 0 || pixel.0 == WHITE.0);
        let (background, known) = if is_white {
            (RgbImage::from_pixel(width, height, WHITE), GrayImage::from_pixel(width, height, Luma([255])))
        } else if self.keeps_background {
            let seen = |x, y| Luma([if picture.mask.get_pixel(x, y).0[0] == 0 { 255 } else { 0 }]);
            (without_figure(&picture.image, &picture.mask), GrayImage::from_fn(width, height, seen))
        } else {
            (RgbImage::from_pixel(width, height, WHITE), GrayImage::new(width, height))
        };
        DraftFrame::before(&figure, confidence, &background, &known)
    }
}

/// Joints that are off by a little everywhere, and now and then one by much.
fn mistaken(rest: &Joints, height: u32, random: &mut Random) -> Joints {
    /// In heights of the picture.
    const LITTLE: (f32, f32) = (0.002, 0.018);
    const MUCH: (f32, f32) = (0.03, 0.1);
    let little = random.range(LITTLE.0, LITTLE.1) * height as f32;
    let errors = random.normals(2 * Joint::ALL.len());
    let wrong = random.chance(0.2).then(|| random.pick(&LIMBS));
    let much = random.range(MUCH.0, MUCH.1) * height as f32;
    Joints::from_fn(|joint| {
        let index = 2 * joint as usize;
        let scale = if wrong == Some(joint) { much } else { little };
        Some(rest.at(joint)? + vector(errors[index], errors[index + 1]) * scale)
    })
}

/// Joints that are found in the wrong place more often than others.
const LIMBS: [Joint; 8] = [
    Joint::RightElbow,
    Joint::LeftElbow,
    Joint::RightWrist,
    Joint::LeftWrist,
    Joint::RightKnee,
    Joint::LeftKnee,
    Joint::RightAnkle,
    Joint::LeftAnkle,
];

/// Parts from back to front; in one rig of ten one of them lies elsewhere.
fn order(random: &mut Random) -> Vec<Part> {
    let mut order = Part::ALL.to_vec();
    if random.chance(0.1) {
        let part = order.remove(random.below(order.len()));
        order.insert(random.below(order.len() + 1), part);
    }
    order
}
