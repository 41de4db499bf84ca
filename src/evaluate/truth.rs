//! What a result is compared with: a dance, drawn for one puppet.

use std::path::Path;

use image::RgbImage;

use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::puppet::choreography::{Choreography, ClipSettings, shots};
use crate::puppet::{
    Expression, Identity, Picture, Scene, Shot, View, caption, open_dance, reference_shot, render,
    render_labelled, scene_caption,
};
use crate::render::animator::ReferencePicture;

/// What the faces of references do.
const REFERENCE_EXPRESSION: Expression = Expression::Smile;

/// A dance as the benchmark sees it.
#[derive(Debug, Clone)]
pub struct Dance {
    /// Its name, which is part of file names.
    pub name: String,
    /// The key poses.
    pub choreography: Choreography,
    /// Number of frames.
    pub frames: usize,
    /// Frames a second.
    pub frames_per_second: f32,
    /// What the faces do; those of references smile.
    pub expression: Shown<Expression>,
    /// Where the puppets are; references stand on white.
    pub scene: Shown<Scene>,
}

/// What the puppets of a benchmark are shown with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<Kind> {
    /// All with the same.
    Same(Kind),
    /// Each with the next one of all kinds, in the order of the puppets' seeds.
    Various,
}

impl<Kind: Copy> Shown<Kind> {
    fn of(self, kinds: &[Kind], identity: &Identity) -> Kind {
        match self {
            Self::Same(kind) => kind,
            Self::Various => kinds[(identity.seed % kinds.len() as u64) as usize],
        }
    }
}

impl Dance {
    /// A dance by its name, or from a file with its text; seen from the front, smiling, on white.
    ///
    /// # Errors
    /// [`Error::Setting`] for an unknown name, [`Error::Io`] and [`Error::Input`] for a file that cannot be used.
    pub fn open(dance: &str, frames: usize, frames_per_second: f32) -> Result<Self> {
        if !(0.01..=1000.0).contains(&frames_per_second) {
            return Err(Error::setting("fps", format!("{frames_per_second}; 0.01 to 1000 is allowed")));
        }
        let choreography = open_dance(dance)?;
        let name = Path::new(dance).file_stem().map_or_else(|| dance.into(), |stem| stem.to_string_lossy());
        let (expression, scene) = (Shown::Same(REFERENCE_EXPRESSION), Shown::Same(Scene::White));
        Ok(Self { name: name.into_owned(), choreography, frames, frames_per_second, expression, scene })
    }

    /// What `identity` is shown with, seen from the front.
    fn clip(&self, identity: &Identity) -> ClipSettings {
        ClipSettings {
            frames: self.frames,
            frames_per_second: self.frames_per_second,
            view: View::Front,
            expression: self.expression.of(Expression::ALL, identity),
            scene: self.scene.of(Scene::ALL, identity),
        }
    }
}

/// One puppet's dance, with the picture that a render gets to know the puppet by.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The reference: the puppet in a pose of its own before a white background.
    pub reference: Picture,
    /// The true frames, with labels.
    pub frames: Vec<Picture>,
    /// What the frames show: everything.
    pub caption: String,
    /// What the frames show: expression and scene only.
    pub scene_caption: String,
    /// What the reference shows: everything.
    pub reference_caption: String,
    /// What the reference shows: expression and scene only.
    pub reference_scene_caption: String,
    identity: Identity,
    shots: Vec<Shot>,
}

impl Truth {
    /// Draws `dance` for `identity`, `size` × `size` pixels.
    pub fn new(identity: &Identity, dance: &Dance, size: u32) -> Self {
        let shot = reference_shot(REFERENCE_EXPRESSION);
        let shots = shots(identity, &dance.choreography, &dance.clip(identity));
        let first = shots.first().unwrap_or(&shot);
        Self {
            reference: render(identity, &shot, size),
            frames: shots.iter().map(|shot| render_labelled(identity, shot, size)).collect(),
            caption: caption(identity, first),
            scene_caption: scene_caption(first),
            reference_caption: caption(identity, &shot),
            reference_scene_caption: scene_caption(&shot),
            identity: identity.clone(),
            shots,
        }
    }

    /// A true frame if its face did what the reference's does; `None` where it does.
    pub fn untold(&self, frame: usize) -> Option<RgbImage> {
        let shot = self.shots.get(frame).filter(|shot| shot.expression != REFERENCE_EXPRESSION)?;
        let shot = Shot { expression: REFERENCE_EXPRESSION, ..*shot };
        Some(render(&self.identity, &shot, self.reference.image.width()).image)
    }

    /// The true frames' pictures.
    pub fn pictures(&self) -> Vec<RgbImage> {
        self.frames.iter().map(|frame| frame.image.clone()).collect()
    }

    /// The reference as the animator takes it, for `controls` ControlNets that all see the pose.
    ///
    /// # Errors
    /// None in practice: the puppet's mask is one.
    pub fn reference_picture(&self, with_mask: bool, controls: usize) -> Result<ReferencePicture> {
        let mask = with_mask.then(|| Mask::from_image(&self.reference.mask)).transpose()?;
        let control = self.reference.control_image();
        Ok(ReferencePicture {
            image: self.reference.image.clone(),
            mask,
            controls: vec![Some(control); controls],
        })
    }

    /// A hash of everything that results are made from and compared with.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for picture in std::iter::once(&self.reference).chain(&self.frames) {
            hasher.update(picture.image.as_raw()).update(picture.mask.as_raw());
            hasher.update(picture.control_image().as_raw());
        }
        for text in [&self.caption, &self.reference_caption] {
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex()[..16].to_string()
    }
}
