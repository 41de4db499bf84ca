//! What every pose network of this module can do.

use image::RgbImage;

use super::region::Region;
use crate::error::Result;
use crate::pose::Person;

/// A person in a picture, and what the network said of the joints.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The joints that count as seen, in pixels of the picture.
    pub person: Person,
    /// Mean score of COCO's 17 joints, 0 to 1.
    pub score: f32,
}

/// Finds people and their joints in pictures. All fail where memory is short, or where a network from a file does not
/// work.
pub trait Estimator: Send + Sync {
    /// The joints of the person in a region.
    fn find(&self, picture: &RgbImage, region: Region) -> Result<Found>;

    /// Everyone in a frame of a video, at most one finding for each.
    fn find_people(&self, picture: &RgbImage) -> Result<Vec<Found>>;

    /// The one person in a still, drawn or photographed, looked for thoroughly; `None` where there is nobody.
    fn find_person(&self, picture: &RgbImage) -> Result<Option<Found>>;

    /// Where to look in a picture of `width` × `height` pixels for somebody who is expected there; `None` where too
    /// little is known of them.
    fn region_for(&self, person: &Person, width: u32, height: u32) -> Option<Region>;
}
