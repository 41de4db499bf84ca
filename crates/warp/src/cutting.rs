//! A figure cut at the size at which figures are cut, and what of it moves.

use image::RgbaImage;
use image::imageops::FilterType;

use crate::error::{Error, Result};
use crate::joints::Joints;
use crate::parts::{self, Part};
use crate::rig::{Edits, scaled};
use crate::segment::Segmentation;
use crate::still::{absent, still};

/// Height in pixels at which figures are cut.
const CUT_HEIGHT: f32 = 320.0;

/// A figure, cut.
pub(crate) struct Cutting {
    /// How high the figure is in the picture.
    pub height: f32,
    /// Pixels that are cut for each of the picture.
    pub scale: f32,
    pub segmentation: Segmentation,
    /// The joints of what moves, in pixels of the segmentation.
    pub joints: Joints,
    /// Arms that are pieces of the trunk.
    pub still: Vec<Part>,
}

impl Cutting {
    /// Cuts the figure in `picture` around its `joints`, in pixels.
    pub fn new(picture: &RgbaImage, joints: &Joints, edits: &Edits) -> Result<Self> {
        let height = height(picture).ok_or(Error::NoFigure)?;
        let scale = (CUT_HEIGHT / height).min(1.0);
        let small = scaled(picture, scale, FilterType::Triangle);
        let joints = joints.placed(scale, Default::default());
        let torso = joints.torso().ok_or(Error::NoShoulders)?;
        let (width, rows) = (small.width() as usize, small.height() as usize);
        let given = edits.parts.as_ref().and_then(|parts| parts::read(parts, width, rows));
        let is_given = given.is_some();
        let mut segmentation = Segmentation::new(&small, &joints, &torso, given);
        let still = if is_given { absent(&segmentation) } else { still(&segmentation, &joints) };
        let joints = joints.without(&still);
        if !is_given && !still.is_empty() {
            segmentation = Segmentation::new(&small, &joints, &torso, None);
        }
        Ok(Self { height, scale, segmentation, joints, still })
    }
}

/// How high the figure is; `None` where there is none.
fn height(picture: &RgbaImage) -> Option<f32> {
    let is_seen = |y: &u32| (0..picture.width()).any(|x| picture.get_pixel(x, *y).0[3] > 127);
    let first = (0..picture.height()).find(is_seen)?;
    let last = (0..picture.height()).rfind(is_seen)?;
    Some((last - first + 1) as f32)
}
