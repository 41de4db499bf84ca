//! The frames of a draft.

use std::path::Path;

use dreamtuner_warp::{Depths, Joints, Moment, Rig, moments, open_eyes};
use image::{GrayImage, Luma, RgbImage, RgbaImage};

use super::background::of_reference;
use crate::error::{Error, Result};
use crate::inputs::dance::PoseSource;
use crate::picture::{Fit, WHITE, fit_grey, fit_image, over_picture};
use crate::pose::Pose;
use crate::render::draft::DraftFrame;
use crate::rig::{Figure, scale_between};

/// A dance on the reference's body.
#[derive(Debug)]
pub struct Danced<'a> {
    /// Its file.
    pub path: &'a Path,
    /// The pose of each frame.
    pub poses: Vec<&'a Pose>,
    /// When each frame is shown, in seconds.
    pub times: Vec<f64>,
    /// Frames that begin another scene.
    pub cuts: &'a [usize],
}

impl<'a> Danced<'a> {
    /// That of a source of poses.
    ///
    /// # Errors
    /// Pictures that are used as they are.
    pub fn of(dance: &'a PoseSource) -> Result<Self> {
        let poses = dance.poses().ok_or_else(|| {
            Error::input(
                dance.path(),
                "is a video of drawn skeletons, or pictures; a draft needs a video of somebody, or a pose file",
            )
        })?;
        let (poses, times) = poses.unzip();
        Ok(Self { path: dance.path(), poses, times, cuts: &dance.cuts })
    }

    /// Its moments, where the joints of each frame are at `places`.
    pub(super) fn moments(&self, places: &[Joints]) -> Vec<Moment> {
        let mut moments = moments(places, &self.times, self.cuts);
        let people = || self.poses.iter().map(|pose| pose.people.first());
        for ((moment, person), eyes) in moments.iter_mut().zip(people()).zip(open_eyes(people())) {
            moment.depths = person.and_then(Depths::of).or(moment.depths);
            moment.eyes = eyes;
        }
        moments
    }
}

/// The drafts of a clip's frames: the figure in each pose, before a background.
#[derive(Debug)]
pub struct FrameDrafts {
    rig: Rig,
    moments: Vec<Moment>,
    background: RgbImage,
    /// Where the background is known, 255, or filled in, 0.
    known: GrayImage,
}

impl FrameDrafts {
    /// Drafts of a figure at `moments`, whose joints are places on the `background`, as large as the rig.
    pub(super) fn before(rig: Rig, moments: Vec<Moment>, background: RgbImage) -> Self {
        let known = GrayImage::from_pixel(background.width(), background.height(), Luma([255]));
        Self { rig, moments, background, known }
    }

    /// Drafts of `figure` as it dances, in frames of `width` × `height`, before the reference's own background. That is laid into them
    /// as the dance is, by `fit`.
    ///
    /// # Errors
    /// A figure without shoulders; a dance that shows too little of a body.
    pub fn new(figure: &Figure, dance: &Danced, (width, height): (u32, u32), fit: Fit) -> Result<Self> {
        let place = |pose: &Pose| Joints::of_first(&pose.fit(width, height, fit));
        let joints: Vec<Joints> = dance.poses.iter().map(|pose| place(pose)).collect();
        let scale = scale_between(&Joints::of(figure.person()), &joints)
            .ok_or_else(|| Error::input(dance.path, "shows too little of a body for drafts"))?;
        let (background, known) = of_reference(figure);
        let background = fit_image(&background, width, height, fit, WHITE);
        let known = fit_grey(&known, width, height, fit, WHITE);
        let moments = dance.moments(&joints);
        Ok(Self { rig: figure.rig(scale)?, moments, background, known })
    }

    /// Width and height of the frames.
    pub(super) fn size(&self) -> (u32, u32) {
        self.background.dimensions()
    }

    /// How much of the picture does not hang together with the figure, 0 to 1.
    pub(super) fn apart(&self) -> f32 {
        self.rig.apart()
    }

    /// The figure alone, by the frame's number.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn figure(&self, index: usize) -> Result<RgbaImage> {
        let (width, height) = self.size();
        Ok(self.rig.draw(self.moment(index)?, width, height))
    }

    /// The figure before its background.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn picture(&self, index: usize) -> Result<RgbImage> {
        Ok(over_picture(&self.figure(index)?, &self.background))
    }

    /// How sure each pixel of the figure is, 0 to 255; what is beside it is sure.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn confidence(&self, index: usize) -> Result<GrayImage> {
        let (width, height) = self.size();
        Ok(self.rig.confidence(self.moment(index)?, width, height))
    }

    /// The draft of a frame: what was behind the figure in the reference is not sure, unless the background has one colour.
    ///
    /// # Errors
    /// A number for which there is no pose.
    pub fn frame(&self, index: usize) -> Result<DraftFrame> {
        let figure = self.figure(index)?;
        Ok(DraftFrame::before(&figure, self.confidence(index)?, &self.background, &self.known))
    }

    fn moment(&self, index: usize) -> Result<Moment> {
        self.moments.get(index).copied().ok_or_else(|| Error::setting("draft", "the frame has no pose"))
    }
}
