//! `hero.rig.json`: what is known of a figure, small and to be edited by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dreamtuner_warp::Part;
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::names::{joint_name, joint_named, part_name, part_named};
use crate::error::{Error, Result};
use crate::files::read_text;
use crate::pose::{Joint, Keypoint, Person};

/// Longest file that is read.
const MAX_BYTES: u64 = 1 << 20;
const VERSION: u32 = 1;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RigFile {
    version: u32,
    picture: PictureKey,
    joints: BTreeMap<String, Place>,
    /// The parts, from back to front.
    order: Vec<String>,
    /// The picture of parts beside the file.
    parts: String,
    /// What the colours in it mean.
    #[serde(default)]
    colours: BTreeMap<String, String>,
}

/// Which picture it is the rig of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PictureKey {
    width: u32,
    height: u32,
    /// BLAKE3 of its pixels on white, RGB.
    blake3: String,
}

/// Where a joint is, in pixels, and how sure that is, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    x: f32,
    y: f32,
    #[serde(default = "certain")]
    confidence: f32,
}

fn certain() -> f32 {
    1.0
}

impl PictureKey {
    fn of(picture: &RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        Self { width, height, blake3: blake3::hash(picture.as_raw()).to_hex()[..16].to_owned() }
    }
}

/// The name of the picture of parts beside a rig's file: `hero.rig.png` of `hero.rig.json`.
pub fn parts_beside(file: &Path) -> PathBuf {
    file.with_extension("png")
}

impl RigFile {
    pub fn new(picture: &RgbImage, person: &Person, order: &[Part], file: &Path) -> Self {
        let place = |joint: Joint| {
            let Keypoint { x, y, confidence } = person.joint(joint)?;
            let short = |value: f32, digits: f32| (value * digits).round() / digits;
            let place = Place { x: short(x, 10.0), y: short(y, 10.0), confidence: short(confidence, 100.0) };
            Some((joint_name(joint), place))
        };
        let parts = parts_beside(file);
        let hexadecimal = |[red, green, blue]: [u8; 3]| format!("#{red:02x}{green:02x}{blue:02x}");
        Self {
            version: VERSION,
            picture: PictureKey::of(picture),
            joints: Joint::ALL.into_iter().filter_map(place).collect(),
            order: order.iter().map(|part| part_name(*part)).collect(),
            parts: parts.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            colours: Part::ALL
                .into_iter()
                .map(|part| (part_name(part), hexadecimal(part.colour())))
                .collect(),
        }
    }

    /// Reads the rig of a picture.
    ///
    /// # Errors
    /// A file that is not one, or that of another picture.
    pub fn read(path: &Path, picture: &RgbImage) -> Result<Self> {
        let bad = |problem: String| Error::input(path, problem);
        let file: Self = serde_json::from_str(&read_text(path, MAX_BYTES)?)
            .map_err(|error| bad(format!("is no rig of a figure: {error}")))?;
        if file.version != VERSION {
            return Err(bad(format!("is of version {}; {VERSION} is read", file.version)));
        }
        let key = PictureKey::of(picture);
        if file.picture != key {
            let PictureKey { width, height, .. } = file.picture;
            let problem = format!(
                "is the rig of another picture, of {width}×{height} pixels; the reference has {}×{}, or other colours",
                key.width, key.height
            );
            return Err(bad(problem));
        }
        Ok(file)
    }

    /// The joints.
    ///
    /// # Errors
    /// Unknown names, and places far outside the picture.
    pub fn person(&self, path: &Path) -> Result<Person> {
        let mut person = Person::default();
        for (name, place) in &self.joints {
            let joint = joint_named(name).map_err(|problem| Error::input(path, problem))?;
            check_place(path, joint, (place.x, place.y), (self.picture.width, self.picture.height))?;
            let confidence = place.confidence;
            person.body[joint as usize] = Some(Keypoint { x: place.x, y: place.y, confidence });
        }
        Ok(person)
    }

    /// The parts, from back to front.
    ///
    /// # Errors
    /// Unknown names, and names that come twice.
    pub fn order(&self, path: &Path) -> Result<Vec<Part>> {
        let mut order = Vec::new();
        for name in &self.order {
            let part = part_named(name).map_err(|problem| Error::input(path, problem))?;
            if order.contains(&part) {
                return Err(Error::input(path, format!("{name} comes twice in the order")));
            }
            order.push(part);
        }
        Ok(order)
    }

    /// The picture of the parts.
    pub fn parts(&self, path: &Path) -> PathBuf {
        path.with_file_name(&self.parts)
    }
}

/// Refuses a joint more than a picture's size outside of it.
pub(super) fn check_place(
    path: &Path,
    joint: Joint,
    (x, y): (f32, f32),
    (width, height): (u32, u32),
) -> Result<()> {
    let within = |value: f32, length: u32| (-(length as f32)..=2.0 * length as f32).contains(&value);
    if within(x, width) && within(y, height) {
        return Ok(());
    }
    let name = joint_name(joint);
    let problem = format!("{name} at {x},{y} is far outside the picture of {width}×{height} pixels");
    Err(Error::input(path, problem))
}
