//! A drawn figure that can be moved.

use std::borrow::Cow;
use std::sync::OnceLock;

use image::imageops::{FilterType, resize};
use image::{GrayImage, RgbImage, Rgba, RgbaImage};

use crate::blink::OPEN;
use crate::confidence;
use crate::cutting::Cutting;
use crate::error::{Error, Result};
use crate::face::Eyes;
use crate::field::Field;
use crate::geometry::Vector;
use crate::joints::Joints;
use crate::layers::{Cut, Layer};
use crate::lend::{Lent, Shown, lent};
use crate::lines::mixed;
use crate::mesh::Mesh;
use crate::moment::Moment;
use crate::order::order;
use crate::parts::{self, Part};
use crate::raster::{self, Shade};
use crate::segment::Segmentation;
use crate::shares::Shares;
use crate::skin::posed;
use crate::split::{Split, split};

/// A figure cut into layers, and the net that bends them.
#[derive(Debug, Clone)]
pub struct Rig {
    joints: Joints,
    layers: Vec<Layer>,
    mesh: Mesh,
    segmentation: Segmentation,
    /// Where legs are two things.
    split: Option<Split>,
    /// Width and height of the picture.
    size: (u32, u32),
    /// What [`confidence::own_pixels`] says of each layer, once somebody asks.
    own_pixels: OnceLock<Vec<RgbaImage>>,
    /// Where the eyes are, once they blink; `None` where that is not known.
    eyes: OnceLock<Option<Eyes>>,
}

/// What is known better than the rig would find it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edits {
    /// What each pixel is, in the colours of [`Part::colour`]; what is transparent is as its nearest neighbour. Of any size.
    pub parts: Option<RgbaImage>,
    /// How the parts lie over each other, from back to front; those that are left out lie behind.
    pub order: Vec<Part>,
}

/// Squares of the net in the height of a figure.
const SQUARES: f32 = 60.0;
/// Smallest square in pixels.
const LEAST_SQUARE: f32 = 1.8;

impl Rig {
    /// Cuts the figure in `picture`, whose transparency is the figure's, around its `joints`, in pixels.
    ///
    /// # Errors
    /// A picture that shows nothing, or of which the shoulders are not known.
    pub fn new(picture: &RgbaImage, joints: &Joints) -> Result<Self> {
        Self::with(picture, joints, &Edits::default(), 1.0)
    }

    /// As [`Rig::new`], `scale` times as large, where more is known. A smaller figure is cut as the picture shows it.
    ///
    /// # Errors
    /// Those of [`Rig::new`].
    pub fn with(picture: &RgbaImage, joints: &Joints, edits: &Edits, scale: f32) -> Result<Self> {
        let drawn =
            scaled(picture, scale, if scale < 1.0 { FilterType::Lanczos3 } else { FilterType::CatmullRom });
        let drawn_joints = joints.placed(scale, Default::default());
        let torso = drawn_joints.torso().ok_or(Error::NoShoulders)?;
        // The larger one shows more of where to cut.
        let (source, source_joints, source_scale) =
            if scale < 1.0 { (picture, joints, scale) } else { (drawn.as_ref(), &drawn_joints, 1.0) };
        let Cutting { height, scale: cut_scale, segmentation, joints: cut_joints, still } =
            Cutting::new(source, source_joints, edits)?;
        // Pixels that are cut for each that is drawn.
        let ratio = cut_scale / source_scale;
        let moved_joints = drawn_joints.without(&still);
        let split = split(&segmentation, &cut_joints).map(|split| split.scaled(1.0 / ratio));
        let premultiplied = premultiplied(&drawn);
        let shares = &Shares::new(&segmentation, ratio);
        let cut = Cut {
            picture: &premultiplied,
            joints: &moved_joints,
            torso: &torso,
            segmentation: &segmentation,
            shares,
            mixed: &mixed(&segmentation),
            scale: ratio,
            split,
        };
        let layers = cut.layers(&edits.order);
        let mesh = Mesh::new(
            &layers,
            &moved_joints,
            &torso,
            split,
            (height * source_scale / SQUARES).max(LEAST_SQUARE),
        );
        let (size, own_pixels, eyes) = (drawn.dimensions(), OnceLock::new(), OnceLock::new());
        Ok(Self { joints: drawn_joints, layers, mesh, segmentation, split, size, own_pixels, eyes })
    }

    /// The joints in the picture.
    pub fn joints(&self) -> &Joints {
        &self.joints
    }

    /// Takes what this picture hides from another picture of the same character, as far as that shows it: what an arm lies over, or a
    /// leg. Both should be of about the same size. Takes nothing, and says so by `false`, where most of what both show looks different.
    pub fn borrow_from(&mut self, other: &Self) -> bool {
        let there = posed(&self.mesh, &self.joints, &Moment::from(&other.joints));
        let corners = (&self.mesh.rest[..], &there[..]);
        let lend = |(number, layer): (usize, &Layer)| {
            let place = self.layers[..number].iter().filter(|of| of.part == layer.part).count();
            let same = other
                .layers
                .iter()
                .zip(other.own_pixels())
                .filter(|(of, _)| of.part == layer.part)
                .nth(place);
            same.map_or(Lent::Nothing, |(of, of_own)| {
                let shown = Shown { layer, own: &self.own_pixels()[number] };
                lent(shown, Shown { layer: of, own: of_own }, &self.mesh.triangles[number], corners)
            })
        };
        let lent: Vec<Lent> = self.layers.iter().enumerate().map(lend).collect();
        let count = |is: fn(&Lent) -> bool| lent.iter().filter(|lent| is(lent)).count();
        if count(|lent| matches!(lent, Lent::Pixels(..))) <= count(|lent| matches!(lent, Lent::Different)) {
            return false;
        }
        let mut own_pixels = self.own_pixels().clone();
        for ((layer, own), lent) in self.layers.iter_mut().zip(&mut own_pixels).zip(lent) {
            if let Lent::Pixels(texture, pixels) = lent {
                (layer.texture, *own) = (texture, pixels);
            }
        }
        self.own_pixels = own_pixels.into();
        true
    }

    /// How much of what the picture shows does not hang together with the figure, 0 to 1: a ball, a shadow, another person.
    pub fn apart(&self) -> f32 {
        self.segmentation.apart
    }

    /// Arms that stay as they are drawn, pieces of the trunk, since they would come off: something lies between the arm and its hand,
    /// or the upper arm is too short for its forearm, so that the elbow must be somewhere else, or what was taken for the arm is hair.
    /// Where the parts are given, those that are not among them.
    ///
    /// # Errors
    /// Those of [`Rig::new`].
    pub fn still(picture: &RgbaImage, joints: &Joints, edits: &Edits) -> Result<Vec<Part>> {
        Ok(Cutting::new(picture, joints, edits)?.still)
    }

    /// What each pixel was taken for, in the colours of [`Part::colour`]; beside the figure as what is nearest. As large as the
    /// picture.
    pub fn parts(&self) -> RgbImage {
        parts::picture(&self.segmentation.parts, self.size.0, self.size.1)
    }

    /// The figure in a pose, or a moment of a dance, whose joints are pixels of a transparent canvas of `width` × `height`; one pixel
    /// of the picture is one of the canvas.
    pub fn draw(&self, moment: impl Into<Moment>, width: u32, height: u32) -> RgbaImage {
        let moment = moment.into();
        let head = self.blinking(moment.eyes);
        let textures: Vec<&RgbaImage> = self
            .layers
            .iter()
            .map(|layer| match &head {
                Some(head) if layer.part == Part::Head => head,
                _ => &layer.texture,
            })
            .collect();
        let canvas = self.drawn(&moment, &textures, |_| Vec::new(), (width, height), raster::over);
        let bytes = canvas.values.iter().flat_map(|pixel| straight(*pixel)).collect();
        RgbaImage::from_raw(width, height, bytes).unwrap_or_else(|| RgbaImage::new(width, height))
    }

    /// How sure each pixel of [`Rig::draw`] is, 0 to 255. Sure is what the picture shows, turned and moved; not so what is stretched or
    /// squeezed much, what was hidden in the picture, slits that have opened, and what is laid over another part, as the order may be
    /// wrong. What is beside the figure is sure, apart from a seam beside unsure places.
    pub fn confidence(&self, moment: impl Into<Moment>, width: u32, height: u32) -> GrayImage {
        let moment = moment.into();
        let textures: Vec<&RgbaImage> = self.own_pixels().iter().collect();
        let shades = |corners: &[Vector]| confidence::shades(&self.mesh, corners);
        let canvas = self.drawn(&moment, &textures, shades, (width, height), confidence::over);
        confidence::map(&canvas, self.mesh.step)
    }

    /// The head's texture with its eyes as far open; `None` where it is the picture's, or the eyes are not known.
    fn blinking(&self, open: [f32; 2]) -> Option<RgbaImage> {
        if open == OPEN {
            return None;
        }
        let head = &self.layers.iter().find(|layer| layer.part == Part::Head)?.texture;
        let eyes = self.eyes.get_or_init(|| Eyes::new(head, &self.joints));
        eyes.as_ref().map(|eyes| eyes.opened(head, open))
    }

    fn own_pixels(&self) -> &Vec<RgbaImage> {
        let scale = self.segmentation.parts.height as f32 / self.size.1 as f32;
        let split = self.split.map(|split| split.row * scale);
        self.own_pixels.get_or_init(|| confidence::own_pixels(&self.layers, &self.segmentation, split))
    }

    /// The layers with some textures, each laid `over` those behind it.
    fn drawn(
        &self,
        moment: &Moment,
        textures: &[&RgbaImage],
        shades: impl Fn(&[Vector]) -> Vec<Vec<Shade>>,
        (width, height): (u32, u32),
        over: fn(&mut [f32; 4], [f32; 4]),
    ) -> Field<[f32; 4]> {
        let corners = posed(&self.mesh, &self.joints, moment);
        let shades = shades(&corners);
        let numbers = match &moment.depths {
            Some(depths) => order(&self.layers, depths),
            None => (0..self.layers.len()).collect(),
        };
        let layer = |number: &usize| raster::Layer {
            texture: textures[*number],
            triangles: &self.mesh.triangles[*number],
            shades: shades.get(*number).map_or(&[][..], Vec::as_slice),
        };
        let layers: Vec<raster::Layer> = numbers.iter().map(layer).collect();
        let (width, height) = (width as usize, height as usize);
        let values = raster::draw((width, height), &layers, (&self.mesh.rest, &corners), over);
        Field { width, height, values }
    }
}

/// A premultiplied colour as it is stored in files.
fn straight([red, green, blue, alpha]: [f32; 4]) -> [u8; 4] {
    let byte = |value: f32| (value * 255.0).round().clamp(0.0, 255.0) as u8;
    if alpha <= 0.0 {
        return [0; 4];
    }
    [byte(red / alpha), byte(green / alpha), byte(blue / alpha), byte(alpha)]
}

fn premultiplied(picture: &RgbaImage) -> RgbaImage {
    let mut premultiplied = picture.clone();
    for pixel in premultiplied.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let times = |value: u8| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8;
        *pixel = Rgba([times(red), times(green), times(blue), alpha]);
    }
    premultiplied
}

/// The picture `scale` times as large.
pub(crate) fn scaled(picture: &RgbaImage, scale: f32, filter: FilterType) -> Cow<'_, RgbaImage> {
    let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
    let (width, height) = (side(picture.width()), side(picture.height()));
    if (width, height) == picture.dimensions() {
        return Cow::Borrowed(picture);
    }
    Cow::Owned(resize(picture, width, height, filter))
}
