//! MoveNet: the 17 joints of COCO of one person, from weights that are part of the program.

mod decode;
mod layers;
mod network;

use image::RgbImage;
use serde::{Deserialize, Serialize};

pub use decode::Detection;
use network::Network;

use super::estimator::Found;
use super::region::Region;
use crate::error::Result;
use crate::pose::{COCO_POINTS, Joint, Keypoint, Person};

/// The two sizes of MoveNet that were published, and one of them trained on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Variant {
    /// The more exact one: 256×256 pixels, 6.2 million weights.
    #[default]
    Thunder,
    /// The faster one: 192×192 pixels, 2.3 million weights.
    Lightning,
    /// Thunder, trained on for drawn figures (`models/movenet/train_drawn.py`).
    Drawn,
}

impl Variant {
    /// A score as the published networks would give it. Of drawn joints found with a tenth of it, four of five are right.
    fn calibrated(self, score: f32) -> f32 {
        match self {
            Self::Thunder | Self::Lightning => score,
            Self::Drawn => score.max(0.0).sqrt(),
        }
    }
}

#[cfg(embedded_weights)]
fn weights(variant: Variant) -> Result<&'static [u8]> {
    Ok(match variant {
        Variant::Thunder => include_bytes!("../../../models/movenet/thunder.safetensors"),
        Variant::Lightning => include_bytes!("../../../models/movenet/lightning.safetensors"),
        Variant::Drawn => include_bytes!("../../../models/movenet/drawn.safetensors"),
    })
}

#[cfg(not(embedded_weights))]
fn weights(_: Variant) -> Result<&'static [u8]> {
    let problem = "this build has no MoveNet inside; name an ONNX file: --pose-model FILE";
    Err(crate::Error::setting("pose-model", problem))
}

/// Where less of a picture, in torso lengths, is left below the hips, it does not show the legs.
const LEAST_LEG: f32 = 0.25;

/// The network that finds the joints of one person.
#[derive(Debug)]
pub struct MoveNet {
    network: Network,
    side: u32,
    variant: Variant,
}

impl MoveNet {
    /// The network with its published weights.
    ///
    /// # Errors
    /// Failures of memory; a build without the weights.
    pub fn new(variant: Variant) -> Result<Self> {
        let (width, side) = match variant {
            Variant::Thunder | Variant::Drawn => (1.75, 256),
            Variant::Lightning => (1.0, 192),
        };
        Ok(Self { network: Network::load(weights(variant)?, width)?, side, variant })
    }

    /// Pixels of a side of the pictures that the network sees.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// The 17 joints of COCO of the person in a picture of [`MoveNet::side`] × [`MoveNet::side`] pixels; of several
    /// people, of the one in the middle.
    ///
    /// # Errors
    /// A picture of another size.
    pub fn detect(&self, picture: &RgbImage) -> Result<[Detection; COCO_POINTS]> {
        if picture.dimensions() != (self.side, self.side) {
            let ((width, height), side) = (picture.dimensions(), self.side);
            let problem = format!("{width}×{height} pixels; MoveNet takes {side}×{side}");
            return Err(crate::Error::setting("picture", problem));
        }
        let side = self.side as usize;
        let maps = self.network.forward(picture.as_raw(), side)?;
        Ok(decode::decode(&maps, side / 4))
    }

    /// The person in a region of a picture.
    ///
    /// # Errors
    /// Failures of memory.
    pub fn find(&self, picture: &RgbImage, region: Region) -> Result<Found> {
        let mut joints = self.detect(&region.cut(picture, self.side, self.side))?;
        joints.iter_mut().for_each(|joint| joint.score = self.variant.calibrated(joint.score));
        let place = |joint: Detection| {
            let (x, y) = (region.left + joint.x * region.width, region.top + joint.y * region.height);
            Keypoint::seen(x, y, confidence(joint.score))
        };
        let mut person = Person::from_coco(&joints.map(place));
        drop_legs_below(&mut person, picture.height() as f32);
        Ok(Found { person, score: joints.iter().map(|joint| joint.score).sum::<f32>() / joints.len() as f32 })
    }
}

/// The square root, which takes the scores from which MoveNet's authors draw joints (0.11) to the confidence from which
/// ControlNet's preprocessors do (0.3).
fn confidence(score: f32) -> f32 {
    score.max(0.0).sqrt()
}

/// MoveNet also finds legs where the picture ends at the hips, at `bottom`: somewhere in what it is shown.
pub(super) fn drop_legs_below(person: &mut Person, bottom: f32) {
    let below = |joint: Joint| person.joint(joint).map(|point| point.y);
    let hips = [Joint::LeftHip, Joint::RightHip].into_iter().filter_map(below).reduce(f32::max);
    let (Some(neck), Some(hips)) = (below(Joint::Neck), hips) else { return };
    if bottom - hips < LEAST_LEG * (hips - neck) {
        for joint in [Joint::LeftKnee, Joint::RightKnee, Joint::LeftAnkle, Joint::RightAnkle] {
            person.body[joint as usize] = None;
        }
    }
}
