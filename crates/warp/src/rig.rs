//! A drawn figure that can be moved.

use image::imageops::{FilterType, resize};
use image::{RgbImage, Rgba, RgbaImage};

use crate::error::{Error, Result};
use crate::joints::Joints;
use crate::layers::{Cut, Layer, Shares};
use crate::mesh::Mesh;
use crate::parts::{self, Part};
use crate::raster;
use crate::segment::Segmentation;
use crate::skin::posed;
use crate::split::split;

/// A figure cut into layers, and the net that bends them.
#[derive(Debug, Clone)]
pub struct Rig {
    joints: Joints,
    layers: Vec<Layer>,
    mesh: Mesh,
    segmentation: Segmentation,
    /// Width and height of the picture.
    size: (u32, u32),
}

/// What is known better than the rig would find it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edits {
    /// What each pixel is, in the colours of [`Part::colour`]; what is transparent is as its nearest neighbour. Of any size.
    pub parts: Option<RgbaImage>,
    /// How the parts lie over each other, from back to front; those that are left out lie behind.
    pub order: Vec<Part>,
}

/// Height in pixels at which figures are cut.
const CUT_HEIGHT: f32 = 320.0;
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
        Self::with(picture, joints, &Edits::default())
    }

    /// As [`Rig::new`], where more is known.
    ///
    /// # Errors
    /// Those of [`Rig::new`].
    pub fn with(picture: &RgbaImage, joints: &Joints, edits: &Edits) -> Result<Self> {
        let torso = joints.torso().ok_or(Error::NoShoulders)?;
        let rows = (0..picture.height())
            .filter(|y| (0..picture.width()).any(|x| picture.get_pixel(x, *y).0[3] > 127));
        let (first, last) = rows.fold((u32::MAX, 0), |(first, last), row| (first.min(row), last.max(row)));
        if first > last {
            return Err(Error::NoFigure);
        }
        let height = (last - first + 1) as f32;
        let scale = (CUT_HEIGHT / height).min(1.0);
        let small = scaled(picture, scale);
        let small_joints = joints.placed(scale, Default::default());
        let given = edits
            .parts
            .as_ref()
            .and_then(|parts| parts::read(parts, small.width() as usize, small.height() as usize));
        let segmentation = Segmentation::new(&small, &small_joints, &torso.scaled(scale), given);
        let split = split(&segmentation, &small_joints).map(|row| row as f32 / scale);
        let premultiplied = premultiplied(picture);
        let shares = &Shares::new(&segmentation, scale);
        let cut = Cut {
            picture: &premultiplied,
            joints,
            torso: &torso,
            segmentation: &segmentation,
            shares,
            scale,
            split,
        };
        let layers = cut.layers(&edits.order);
        let mesh = Mesh::new(&layers, joints, &torso, split, (height / SQUARES).max(LEAST_SQUARE));
        Ok(Self { joints: *joints, layers, mesh, segmentation, size: picture.dimensions() })
    }

    /// The joints in the picture.
    pub fn joints(&self) -> &Joints {
        &self.joints
    }

    /// How much of what the picture shows does not hang together with the figure, 0 to 1: a ball, a shadow, another person.
    pub fn apart(&self) -> f32 {
        self.segmentation.apart
    }

    /// What each pixel was taken for, in the colours of [`Part::colour`]; beside the figure as what is nearest. As large as the
    /// picture.
    pub fn parts(&self) -> RgbImage {
        parts::picture(&self.segmentation.parts, self.size.0, self.size.1)
    }

    /// The figure in a pose, whose joints are pixels of a transparent canvas of `width` × `height`; one pixel of the picture is one
    /// of the canvas.
    pub fn draw(&self, pose: &Joints, width: u32, height: u32) -> RgbaImage {
        let corners = posed(&self.mesh, &self.joints, pose);
        let layers: Vec<raster::Layer> = self
            .layers
            .iter()
            .zip(&self.mesh.triangles)
            .map(|(layer, triangles)| raster::Layer { texture: &layer.texture, triangles })
            .collect();
        let canvas = raster::draw(width as usize, height as usize, &layers, &self.mesh.rest, &corners);
        let bytes = canvas.iter().flat_map(|pixel| straight(*pixel)).collect();
        RgbaImage::from_raw(width, height, bytes).unwrap_or_else(|| RgbaImage::new(width, height))
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

fn scaled(picture: &RgbaImage, scale: f32) -> RgbaImage {
    if scale >= 1.0 {
        return picture.clone();
    }
    let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
    resize(picture, side(picture.width()), side(picture.height()), FilterType::Triangle)
}
