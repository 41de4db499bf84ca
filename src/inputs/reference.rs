//! The reference: a picture file, its mask and its pose, brought to the size of the frames.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, RgbImage, RgbaImage};

use super::dance::holds_poses;
use crate::detect::{Figure, PoseModel, find_figure, find_foreground, find_masked_person};
use crate::error::{Error, Result};
use crate::files::read_picture;
use crate::mask::Mask;
use crate::picture::{BLACK, Fit, WHITE, fit_grey, fit_image, off_white, on_colour, opacity};
use crate::pose::{
    ControlKind, DrawSettings, Person, PersonChoice, Pose, PoseSequence, ReadSettings, classify, draw_pose,
    read_poses, swap_red_blue,
};
use crate::render::animator::ReferencePicture;

/// Where something that belongs to the reference comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FileChoice {
    /// It is found in the picture.
    #[default]
    Auto,
    /// There is none.
    None,
    /// The picture itself, for ControlNets that are shown pictures.
    Itself,
    /// A file.
    File(PathBuf),
}

impl FileChoice {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Auto | Self::None | Self::Itself => None,
        }
    }
}

/// As on the command line: `auto`, `none`, or a file.
impl From<&str> for FileChoice {
    fn from(text: &str) -> Self {
        match text {
            "auto" => Self::Auto,
            "none" => Self::None,
            path => Self::File(path.into()),
        }
    }
}

/// The files of a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceFiles {
    /// The picture.
    pub picture: PathBuf,
    /// Its mask: a grey picture of its size, in which white is the subject. Otherwise it is the reference's
    /// transparency, if it has any, else its foreground, or the whole picture where nothing stands out. Where there is
    /// to be no mask, it is the whole picture.
    pub mask: FileChoice,
    /// Its control image for each ControlNet: a picture or pose JSON. Otherwise it is the pose that is found in the
    /// picture, if somebody is there. Where there is none, the ControlNet says nothing of the reference.
    pub controls: Vec<FileChoice>,
    /// The network that finds its pose.
    pub model: PoseModel,
}

impl ReferenceFiles {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let controls = self.controls.iter().filter_map(FileChoice::file);
        [self.picture.as_path()]
            .into_iter()
            .chain(self.mask.file())
            .chain(controls)
            .chain(self.model.choice().file())
    }

    /// The pose in a pose file, or of the person in a picture.
    ///
    /// # Errors
    /// A file that cannot be read, a picture in which nobody is found.
    pub fn body(path: &Path, model: &PoseModel) -> Result<Pose> {
        if holds_poses(path) {
            let mut poses = read_poses(path, &ReadSettings::default())?;
            poses.choose_person(PersonChoice::Largest)?;
            return Ok(poses.poses.into_iter().find(|pose| !pose.people.is_empty()).unwrap_or_default());
        }
        body_in(path, read_picture(path)?, model)
    }

    /// Reads everything.
    ///
    /// # Errors
    /// Files that cannot be read, sizes that differ, a mask without a subject, nobody's pose.
    pub fn read(&self) -> Result<ReferenceInput> {
        let (picture, alpha) = read_with_alpha(&self.picture)?;
        let size = picture.dimensions();
        let (mut mask, mask_path) = match &self.mask {
            FileChoice::Auto => {
                (alpha.map_or(ReferenceMask::Foreground, ReferenceMask::Picture), &self.picture)
            }
            FileChoice::None | FileChoice::Itself => (ReferenceMask::Whole, &self.picture),
            FileChoice::File(path) => (ReferenceMask::Picture(read_mask(path, size)?), path),
        };
        if matches!(&mask, ReferenceMask::Picture(mask) if is_black(mask)) {
            let problem = if *mask_path == self.picture { TRANSPARENT } else { BLACK_MASK };
            return Err(Error::input(mask_path, problem));
        }
        let searched = self.controls.contains(&FileChoice::Auto);
        let estimated = match (searched, &mask) {
            (false, _) => None,
            (true, ReferenceMask::Foreground) => {
                let Figure { person, foreground } = find_figure(&self.model.voters()?, &picture)?;
                mask = foreground.map_or(ReferenceMask::Whole, ReferenceMask::Picture);
                person.map(|found| found.person)
            }
            (true, ReferenceMask::Picture(mask)) => person_in(&picture, Some(mask), &self.model)?,
            (true, ReferenceMask::Whole) => person_in(&picture, None, &self.model)?,
        };
        let control = |choice: &FileChoice| match choice {
            FileChoice::None => Ok(None),
            FileChoice::Itself => Ok(Some(ReferenceControl::Picture(picture.clone()))),
            FileChoice::Auto => {
                Ok(estimated.clone().map(|person| ReferenceControl::Poses(alone(person, size))))
            }
            FileChoice::File(path) => read_control(path, size).map(Some),
        };
        let controls = self.controls.iter().map(control).collect::<Result<_>>()?;
        let unsearched = (!searched).then(|| self.model.clone());
        Ok(ReferenceInput { picture, mask, mask_path: mask_path.clone(), controls, unsearched })
    }
}

/// The person whom a picture shows; its foreground helps, whether it is known or not.
fn person_in(picture: &RgbImage, mask: Option<&GrayImage>, model: &PoseModel) -> Result<Option<Person>> {
    let found = match mask {
        Some(mask) => find_masked_person(&model.voters()?, picture, mask)?,
        None => find_figure(&model.voters()?, picture)?.person,
    };
    Ok(found.map(|found| found.person))
}

/// One person on a canvas of `size`.
fn alone(person: Person, (width, height): (u32, u32)) -> PoseSequence {
    let pose = Pose { width, height, people: vec![person] };
    PoseSequence { width, height, poses: vec![pose], ..PoseSequence::default() }
}

/// A reference that has been read, at its own size.
#[derive(Debug)]
pub struct ReferenceInput {
    picture: RgbImage,
    mask: ReferenceMask,
    mask_path: PathBuf,
    controls: Vec<Option<ReferenceControl>>,
    /// The network that may still find somebody in the picture, if none has looked.
    unsearched: Option<PoseModel>,
}

#[derive(Debug)]
enum ReferenceMask {
    Whole,
    Picture(GrayImage),
    /// To be found when it is needed, as that takes long.
    Foreground,
}

#[derive(Debug)]
enum ReferenceControl {
    Picture(RgbImage),
    Poses(PoseSequence),
}

impl ReferenceInput {
    /// The picture, as large as it came.
    pub fn picture(&self) -> &RgbImage {
        &self.picture
    }

    /// The figure alone, as large as it came: transparent where the mask is black.
    ///
    /// # Errors
    /// Nothing stands out of the background.
    pub fn cut_out(&self) -> Result<RgbaImage> {
        let mask = self.mask()?.ok_or_else(|| {
            Error::input(&self.mask_path, "shows no figure in front of a background; give a mask")
        })?;
        Ok(off_white(&self.picture, &mask))
    }

    /// Where the figure is, found where no mask was given; `None` where the whole picture counts.
    fn mask(&self) -> Result<Option<Cow<'_, GrayImage>>> {
        Ok(match &self.mask {
            ReferenceMask::Whole => None,
            ReferenceMask::Picture(mask) => Some(Cow::Borrowed(mask)),
            ReferenceMask::Foreground => find_foreground(&self.picture, || self.person())?.map(Cow::Owned),
        })
    }

    /// Width and height of the picture in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.picture.dimensions()
    }

    /// The reference's pose, on a canvas of its picture's size, where it was given as JSON or found.
    pub fn pose(&self) -> Option<Pose> {
        let (width, height) = self.picture.dimensions();
        let pose = self.controls.iter().flatten().find_map(|control| match control {
            ReferenceControl::Poses(poses) => poses.poses.iter().find(|pose| !pose.people.is_empty()),
            ReferenceControl::Picture(_) => None,
        })?;
        Some(pose.fit(width, height, Fit::Contain))
    }

    /// The person whose foreground is looked for, in pixels of the picture.
    fn person(&self) -> Result<Option<Person>> {
        match (self.pose(), &self.unsearched) {
            (Some(pose), _) => Ok(pose.people.into_iter().next()),
            (None, Some(model)) => {
                Ok(model.estimator_for_stills()?.find_person(&self.picture)?.map(|found| found.person))
            }
            (None, None) => Ok(None),
        }
    }

    /// Lays everything into frames of `width` × `height` pixels, whole, on white; finds the foreground where no mask was
    /// given.
    ///
    /// # Errors
    /// A mask of which nothing is left at this size.
    pub fn fit(&self, width: u32, height: u32) -> Result<ReferencePicture> {
        let mask = self.mask()?;
        let mask = fit_mask(mask.as_deref(), self.picture.dimensions(), width, height);
        if mask.as_ref().is_some_and(is_black) {
            return Err(Error::input(&self.mask_path, BLACK_MASK));
        }
        let control = |control: &ReferenceControl| control.draw(width, height);
        Ok(ReferencePicture {
            image: fit_image(&self.picture, width, height, Fit::Contain, WHITE),
            mask: mask.as_ref().map(Mask::from_image).transpose()?,
            controls: self.controls.iter().map(|choice| choice.as_ref().map(control)).collect(),
        })
    }
}

impl ReferenceControl {
    fn draw(&self, width: u32, height: u32) -> RgbImage {
        match self {
            Self::Picture(picture) => fit_image(picture, width, height, Fit::Contain, BLACK),
            Self::Poses(poses) => {
                let fitted = poses.fit(width, height, Fit::Contain);
                let shown = fitted.poses.iter().find(|pose| !pose.people.is_empty());
                let nobody = || RgbImage::from_pixel(width, height, BLACK);
                shown.map_or_else(nobody, |pose| draw_pose(pose, width, height, &DrawSettings::default()))
            }
        }
    }
}

const TRANSPARENT: &str = "is transparent all over: there is no subject";
const BLACK_MASK: &str = "as a mask is black all over: no subject is left";

fn is_black(mask: &GrayImage) -> bool {
    mask.as_raw().iter().all(|&value| value == 0)
}

/// A picture on white, and its transparency if any of it is transparent.
fn read_with_alpha(path: &Path) -> Result<(RgbImage, Option<GrayImage>)> {
    read_picture(path).map(with_alpha)
}

/// A picture on white, where it is transparent.
pub(crate) fn opaque(image: DynamicImage) -> RgbImage {
    with_alpha(image).0
}

fn with_alpha(image: DynamicImage) -> (RgbImage, Option<GrayImage>) {
    if !image.color().has_alpha() {
        return (image.into_rgb8(), None);
    }
    let image = image.into_rgba8();
    let alpha = opacity(&image);
    let on_white = on_colour(&image, WHITE);
    let transparent = alpha.as_raw().iter().any(|&value| value < 255);
    (on_white, transparent.then_some(alpha))
}

fn read_mask(path: &Path, size: (u32, u32)) -> Result<GrayImage> {
    let mask = read_picture(path)?.into_luma8();
    if mask.dimensions() != size {
        let ((width, height), (wanted_width, wanted_height)) = (mask.dimensions(), size);
        let problem = format!("is {width}×{height} pixels, the reference {wanted_width}×{wanted_height}");
        return Err(Error::input(path, problem));
    }
    Ok(mask)
}

/// The mask in the frame. The margins beside a reference of another shape are background.
fn fit_mask(mask: Option<&GrayImage>, size: (u32, u32), width: u32, height: u32) -> Option<GrayImage> {
    let same_shape = u64::from(size.0) * u64::from(height) == u64::from(size.1) * u64::from(width);
    if mask.is_none() && same_shape {
        return None;
    }
    let whole = GrayImage::from_pixel(size.0, size.1, Luma([255]));
    Some(fit_grey(mask.unwrap_or(&whole), width, height, Fit::Contain, BLACK))
}

/// What ControlNets are shown for a picture of `width` × `height` pixels. A pose JSON gives its first pose with
/// somebody in it, and a drawn skeleton is shown as it is. Any other picture gives the pose of the person in it.
///
/// # Errors
/// A file that cannot be read, nobody in it.
pub fn pose_image(path: &Path, model: &PoseModel, width: u32, height: u32) -> Result<RgbImage> {
    let pose = if holds_poses(path) {
        ReferenceFiles::body(path, model)?
    } else {
        let picture = read_picture(path)?;
        if let Some(skeleton) = skeleton_in(path, &picture) {
            return Ok(fit_image(&skeleton, width, height, Fit::Contain, BLACK));
        }
        body_in(path, picture, model)?
    };
    if pose.people.is_empty() {
        return Err(Error::input(path, "shows nobody"));
    }
    let pose = pose.fit(width, height, Fit::Contain);
    Ok(draw_pose(&pose, width, height, &DrawSettings::default()))
}

/// The pose of the person in a picture.
fn body_in(path: &Path, picture: DynamicImage, model: &PoseModel) -> Result<Pose> {
    let (picture, alpha) = with_alpha(picture);
    let person = person_in(&picture, alpha.as_ref(), model)?
        .ok_or_else(|| Error::input(path, "nobody is found in it"))?;
    Ok(Pose { width: picture.width(), height: picture.height(), people: vec![person] })
}

/// The picture, if it is a drawn skeleton, with red and blue in their places.
fn skeleton_in(path: &Path, picture: &DynamicImage) -> Option<RgbImage> {
    let mut picture = picture.to_rgb8();
    let ControlKind::Skeleton { swapped } = classify(std::slice::from_ref(&picture)) else { return None };
    if swapped {
        tracing::warn!("{}: red and blue were swapped in the skeleton; they were put right", path.display());
        swap_red_blue(&mut picture);
    }
    Some(picture)
}

/// The reference's own control image: pose JSON, or a picture as it is.
fn read_control(path: &Path, reference: (u32, u32)) -> Result<ReferenceControl> {
    if !holds_poses(path) {
        let picture = read_picture(path)?;
        let skeleton = skeleton_in(path, &picture);
        return Ok(ReferenceControl::Picture(skeleton.unwrap_or_else(|| picture.into_rgb8())));
    }
    let mut poses = read_poses(path, &ReadSettings { canvas: Some(reference), ..Default::default() })?;
    poses.choose_person(PersonChoice::Largest)?;
    Ok(ReferenceControl::Poses(poses))
}
