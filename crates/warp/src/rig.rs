//! A drawn figure that can be moved.

use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage, Rgba, RgbaImage};

use crate::bones::Part;
use crate::error::{Error, Result};
use crate::joints::Joints;
use crate::layers::{Cut, Layer, Shares};
use crate::mesh::Mesh;
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
    /// What each pixel was taken for.
    parts: RgbImage,
    apart: f32,
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
        let segmentation = Segmentation::new(&small, &small_joints, &torso.scaled(scale));
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
        let layers = cut.layers();
        let mesh = Mesh::new(&layers, joints, &torso, split, (height / SQUARES).max(LEAST_SQUARE));
        Ok(Self {
            joints: *joints,
            layers,
            mesh,
            parts: coloured(&small, &segmentation),
            apart: segmentation.apart,
        })
    }

    /// The joints in the picture.
    pub fn joints(&self) -> &Joints {
        &self.joints
    }

    /// How much of what the picture shows does not hang together with the figure, 0 to 1: a ball, a shadow, another person.
    pub fn apart(&self) -> f32 {
        self.apart
    }

    /// What each pixel was taken for, as a picture to look at.
    pub fn parts(&self) -> &RgbImage {
        &self.parts
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

/// The parts in colours, over the picture.
fn coloured(picture: &RgbaImage, segmentation: &Segmentation) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        if alpha < 128 {
            return Rgb([96; 3]);
        }
        let colour = match segmentation.parts.at(x as usize, y as usize) {
            Part::Loose => [240, 240, 40],
            Part::RightLeg => [220, 160, 0],
            Part::LeftLeg => [0, 190, 190],
            Part::Body => [40, 120, 255],
            Part::Head => [255, 60, 40],
            Part::RightArm => [0, 200, 60],
            Part::LeftArm => [230, 40, 230],
        };
        let mixed = |one: u8, other: u8| ((u16::from(one) + u16::from(other)) / 2) as u8;
        Rgb([mixed(red, colour[0]), mixed(green, colour[1]), mixed(blue, colour[2])])
    })
}
