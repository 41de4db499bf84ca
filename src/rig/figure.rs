//! From the files to a figure that can be bent.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dreamtuner_warp::{Edits, Joints, Part, Rig};
use image::{RgbImage, RgbaImage};

use super::doubts::Doubts;
use super::file::{RigFile, check_place};
use super::names::JointEdit;
use super::scale::scale_between;
use crate::error::{Error, Result};
use crate::files::read_picture;
use crate::frame::MAX_SIDE;
use crate::inputs::reference::{FileChoice, ReferenceFiles, ReferenceInput};
use crate::picture::{off_white, opacity};
use crate::pose::{BoundingBox, Joint, Keypoint, Person, Pose, vector};

/// The files of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct RigFiles {
    /// The reference, its mask and its pose; one control.
    pub reference: ReferenceFiles,
    /// What was found before, and edited by hand: then nothing is looked for, and its picture of parts is the mask.
    pub rig: Option<PathBuf>,
    /// Joints that are known better.
    pub joints: Vec<JointEdit>,
    /// Other pictures of the same character, which lend what the reference hides. All is found in them.
    pub others: Vec<PathBuf>,
}

/// A figure that was found.
#[derive(Debug)]
pub struct Figure {
    /// The picture, opaque.
    picture: RgbImage,
    /// The figure alone, transparent around.
    cut_out: RgbaImage,
    /// Its joints, on a canvas of the picture's size.
    pose: Pose,
    edits: Edits,
    /// The character in other pictures.
    others: Vec<Figure>,
    path: PathBuf,
    /// Arms that stay as they are drawn, once somebody asks.
    still: OnceLock<Vec<Part>>,
}

impl RigFiles {
    /// A figure of which all is found in its picture.
    pub fn found_in(reference: &ReferenceFiles) -> Self {
        let reference = ReferenceFiles { controls: vec![FileChoice::Auto], ..reference.clone() };
        Self { reference, rig: None, joints: Vec::new(), others: Vec::new() }
    }

    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.reference.files().chain(self.rig.as_deref()).chain(self.others.iter().map(PathBuf::as_path))
    }

    /// Reads all there is, and looks for what there is not.
    ///
    /// # Errors
    /// Files that cannot be read or do not go together; a picture that shows nobody.
    pub fn read(&self) -> Result<Figure> {
        let other = |picture: &PathBuf| {
            let reference = ReferenceFiles {
                picture: picture.clone(),
                mask: FileChoice::Auto,
                controls: Vec::new(),
                model: self.reference.model.clone(),
            };
            Self::found_in(&reference).read_one()
        };
        let others = self.others.iter().map(other).collect::<Result<_>>()?;
        Ok(Figure { others, ..self.read_one()? })
    }

    fn read_one(&self) -> Result<Figure> {
        let path = self.reference.picture.clone();
        let Some(file) = &self.rig else {
            let reference = self.reference.read()?;
            let cut_out = reference.cut_out()?;
            let found = reference.pose().and_then(|pose| pose.people.into_iter().next());
            let person = self.edited(found, &reference)?;
            let edits = Edits { parts: None, order: Part::ALL.to_vec() };
            return Ok(Figure::new(path, reference.picture().clone(), cut_out, person, edits));
        };
        let unsearched = ReferenceFiles { controls: Vec::new(), ..self.reference.clone() };
        let reference = unsearched.read()?;
        let picture = reference.picture();
        let rig = RigFile::read(file, picture)?;
        let person = self.edited(Some(rig.person(file)?), &reference)?;
        let parts = read_parts(&rig.parts(file), picture)?;
        let cut_out = off_white(picture, &opacity(&parts));
        let edits = Edits { parts: Some(parts), order: rig.order(file)? };
        Ok(Figure::new(path, picture.clone(), cut_out, person, edits))
    }

    /// The person with the joints that are known better.
    fn edited(&self, found: Option<Person>, reference: &ReferenceInput) -> Result<Person> {
        let path = &self.reference.picture;
        if found.is_none() && self.joints.is_empty() {
            return Err(Error::input(path, "nobody's joints are known in it; give its pose"));
        }
        let mut person = found.unwrap_or_default();
        for JointEdit { joint, place } in &self.joints {
            if let Some(place) = place {
                check_place(path, *joint, *place, reference.size())?;
            }
            person.body[*joint as usize] = place.map(|(x, y)| Keypoint { x, y, confidence: 1.0 });
        }
        let is_edited = |joint: Joint| self.joints.iter().any(|edit| edit.joint == joint);
        let shoulders = [Joint::RightShoulder, Joint::LeftShoulder];
        if shoulders.into_iter().any(is_edited) && !is_edited(Joint::Neck) {
            let [right, left] = shoulders.map(|joint| person.joint(joint));
            person.body[Joint::Neck as usize] = right.zip(left).map(|(right, left)| right.towards(left, 0.5));
        }
        Ok(person)
    }
}

fn read_parts(path: &Path, picture: &RgbImage) -> Result<RgbaImage> {
    let parts = read_picture(path)?.into_rgba8();
    if parts.dimensions() != picture.dimensions() {
        let ((width, height), (wanted_width, wanted_height)) = (parts.dimensions(), picture.dimensions());
        let problem = format!("is {width}×{height} pixels, the reference {wanted_width}×{wanted_height}");
        return Err(Error::input(path, problem));
    }
    if parts.pixels().all(|pixel| pixel.0[3] == 0) {
        return Err(Error::input(path, "shows no part: it is transparent all over"));
    }
    Ok(parts)
}

impl Figure {
    fn new(path: PathBuf, picture: RgbImage, cut_out: RgbaImage, person: Person, edits: Edits) -> Self {
        let (width, height) = picture.dimensions();
        Self {
            picture,
            cut_out,
            pose: Pose { width, height, people: vec![person] },
            edits,
            others: Vec::new(),
            path,
            still: OnceLock::new(),
        }
    }

    /// The picture, opaque.
    pub fn picture(&self) -> &RgbImage {
        &self.picture
    }

    /// The figure alone, as large as the picture, transparent around.
    pub fn cut_out(&self) -> &RgbaImage {
        &self.cut_out
    }

    /// Where the figure is in the picture, without its transparent edges.
    pub fn bounds(&self) -> BoundingBox {
        let seen = self.cut_out.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] > 127);
        let (width, height) = self.cut_out.dimensions();
        let whole = BoundingBox { left: 0.0, top: 0.0, right: width as f32, bottom: height as f32 };
        BoundingBox::of(seen.map(|(x, y, _)| vector(x as f32, y as f32))).unwrap_or(whole)
    }

    /// Its joints, on a canvas of the picture's size.
    pub fn pose(&self) -> &Pose {
        &self.pose
    }

    /// The person.
    pub fn person(&self) -> &Person {
        &self.pose.people[0]
    }

    /// The parts, from back to front.
    pub fn order(&self) -> &[Part] {
        &self.edits.order
    }

    /// What each pixel is, in the colours of [`Part::colour`], as opaque as the figure is.
    pub(super) fn parts(&self) -> Result<RgbaImage> {
        let parts = self.rig(1.0)?.parts();
        let mut picture = self.cut_out.clone();
        for (pixel, part) in picture.pixels_mut().zip(parts.pixels()) {
            let opacity = pixel.0[3];
            let [red, green, blue] = if opacity > 0 { part.0 } else { [0; 3] };
            pixel.0 = [red, green, blue, opacity];
        }
        Ok(picture)
    }

    /// What may be wrong with it.
    pub fn doubts(&self) -> Doubts {
        Doubts { still: self.still().to_vec(), ..Doubts::of(self.person()) }
    }

    /// The joints of what moves.
    pub(crate) fn moved_joints(&self) -> Joints {
        Joints::of(self.person()).without(self.still())
    }

    fn still(&self) -> &[Part] {
        // What cannot be cut at all is an error of `rig`.
        let found = || Rig::still(&self.cut_out, &Joints::of(self.person()), &self.edits).unwrap_or_default();
        self.still.get_or_init(found)
    }

    /// A hash of all that decides what it looks like in a pose.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.picture.as_raw()).update(self.cut_out.as_raw());
        if let Some(parts) = &self.edits.parts {
            hasher.update(parts.as_raw());
        }
        hasher.update(format!("{:?} {:?}", self.pose, self.edits.order).as_bytes());
        self.others.iter().for_each(|other| {
            hasher.update(other.fingerprint().as_bytes());
        });
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// The figure, cut, `scale` times as large.
    ///
    /// # Errors
    /// A picture that shows nothing or would be too large, or shoulders that are not known.
    pub fn rig(&self, scale: f32) -> Result<Rig> {
        let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
        let (width, height) = (side(self.cut_out.width()), side(self.cut_out.height()));
        if width.max(height) > MAX_SIDE {
            let problem = format!(
                "would be {width}×{height} pixels large in these frames; {MAX_SIDE} a side are allowed"
            );
            return Err(Error::input(&self.path, problem));
        }
        let joints = Joints::of(self.person());
        let mut rig = Rig::with(&self.cut_out, &joints, &self.edits, scale)
            .map_err(|error| Error::input(&self.path, error.to_string()))?;
        for other in &self.others {
            let larger = scale_between(&Joints::of(other.person()), &[joints]).unwrap_or(1.0);
            if !rig.borrow_from(&other.rig(scale * larger)?) {
                let path = other.path.display();
                tracing::warn!("{path}: looks different where both show the same; nothing is taken from it");
            }
        }
        Ok(rig)
    }
}
