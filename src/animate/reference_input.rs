//! The reference: a picture file, its mask and its pose, brought to the size of the frames.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, Luma, Rgb, RgbImage};

use super::pose_source::holds_json;
use crate::error::{Error, Result};
use crate::picture::{Fit, fit_image};
use crate::pose::{DrawSettings, PersonChoice, ReadSettings, draw_pose, read_poses};
use crate::render::animator::ReferencePicture;
use crate::render::reference::Mask;
use crate::render::settings::LARGEST_SIDE;

/// Where the mask of the reference comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MaskChoice {
    /// The picture's transparency, if it has any; else the whole picture.
    #[default]
    Auto,
    /// The whole picture.
    None,
    /// A grey picture of the reference's size: white is the subject.
    File(PathBuf),
}

/// The files of a reference.
#[derive(Debug, Clone)]
pub struct ReferenceFiles {
    /// The picture.
    pub picture: PathBuf,
    /// Its mask.
    pub mask: MaskChoice,
    /// Its control image for each ControlNet: a picture, or pose JSON.
    pub controls: Vec<Option<PathBuf>>,
}

impl ReferenceFiles {
    /// Reads everything and lays it into frames of `width` × `height` pixels, whole, on white.
    ///
    /// # Errors
    /// Files that cannot be read, sizes that differ, a mask without a subject, several people's or nobody's pose.
    pub fn read(&self, width: u32, height: u32) -> Result<ReferencePicture> {
        let (picture, alpha) = read_with_alpha(&self.picture)?;
        let size = picture.dimensions();
        let mask = match &self.mask {
            MaskChoice::Auto => alpha,
            MaskChoice::None => None,
            MaskChoice::File(path) => Some(read_mask(path, size)?),
        };
        let fitted_mask = fit_mask(mask.as_ref(), size, width, height);
        if fitted_mask.as_ref().is_some_and(|mask| mask.as_raw().iter().all(|&value| value == 0)) {
            return Err(Error::input(&self.picture, "its mask is black all over: no subject is left"));
        }
        let control = |path: &PathBuf| control_image(path, size, width, height);
        let controls =
            self.controls.iter().map(|path| path.as_ref().map(control).transpose()).collect::<Result<_>>()?;
        Ok(ReferencePicture {
            image: fit_image(&picture, width, height, Fit::Contain, WHITE),
            mask: fitted_mask.as_ref().map(Mask::from_image).transpose()?,
            controls,
        })
    }
}

const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);

/// A picture on white, and its transparency if any of it is transparent.
fn read_with_alpha(path: &Path) -> Result<(RgbImage, Option<GrayImage>)> {
    let image = read_picture(path)?;
    if !image.color().has_alpha() {
        return Ok((image.into_rgb8(), None));
    }
    let image = image.into_rgba8();
    let (width, height) = image.dimensions();
    let alpha = GrayImage::from_fn(width, height, |x, y| Luma([image.get_pixel(x, y)[3]]));
    let on_white = RgbImage::from_fn(width, height, |x, y| {
        let pixel = image.get_pixel(x, y);
        let opacity = u16::from(pixel[3]);
        let over = |channel: usize| {
            ((u16::from(pixel[channel]) * opacity + 255 * (255 - opacity) + 127) / 255) as u8
        };
        Rgb([over(0), over(1), over(2)])
    });
    let transparent = alpha.as_raw().iter().any(|&value| value < 255);
    Ok((on_white, transparent.then_some(alpha)))
}

/// Decodes a picture file, turned as its metadata says.
///
/// # Errors
/// A file that is missing, empty, damaged, or of more than 8192 pixels a side.
pub fn read_picture(path: &Path) -> Result<DynamicImage> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    if bytes.is_empty() {
        return Err(Error::input(path, "holds 0 bytes"));
    }
    let bad = |error: image::ImageError| Error::input(path, error.to_string());
    let reader = ImageReader::new(Cursor::new(&bytes))
        .with_guessed_format()
        .map_err(|error| Error::io(path, error))?;
    let mut decoder = reader.into_decoder().map_err(bad)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) as usize > LARGEST_SIDE || width.min(height) == 0 {
        let problem = format!("is {width}×{height} pixels; 1 to {LARGEST_SIDE} a side are allowed");
        return Err(Error::input(path, problem));
    }
    let orientation = decoder.orientation().map_err(bad)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(bad)?;
    image.apply_orientation(orientation);
    Ok(image)
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
    let rgb = DynamicImage::ImageLuma8(mask.unwrap_or(&whole).clone()).into_rgb8();
    let fitted = fit_image(&rgb, width, height, Fit::Contain, BLACK);
    Some(DynamicImage::ImageRgb8(fitted).into_luma8())
}

/// The reference's own control image: drawn from pose JSON, or a picture as it is.
fn control_image(path: &Path, reference: (u32, u32), width: u32, height: u32) -> Result<RgbImage> {
    if !holds_json(path) {
        let image = read_picture(path)?.into_rgb8();
        return Ok(fit_image(&image, width, height, Fit::Contain, BLACK));
    }
    let mut poses = read_poses(path, &ReadSettings { canvas: Some(reference) })?;
    poses.choose_person(PersonChoice::Largest)?;
    let fitted = poses.fit(width, height, Fit::Contain);
    match fitted.poses.iter().find(|pose| !pose.people.is_empty()) {
        Some(pose) => Ok(draw_pose(pose, width, height, &DrawSettings::default())),
        None => Err(Error::input(path, "holds no pose")),
    }
}
