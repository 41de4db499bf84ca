//! Drawing: from back to front, one module for each thing.

mod arms;
mod bottoms;
mod coats;
mod collars;
mod face;
mod flowing;
mod glasses;
mod hair;
mod headwear;
mod legs;
mod limbs;
mod patterns;
mod skirts;
mod tops;

use image::{GrayImage, RgbImage};
use tiny_skia::Pixmap;

use crate::figure::Figure;
use crate::identity::Identity;
use crate::painter::Painter;
use crate::shot::Shot;
use dreamtuner_pose::{DrawSettings, Pose, draw_pose};

/// A drawn puppet.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The picture.
    pub image: RgbImage,
    /// Where the figure is: 255 on it, 0 beside it, between on its edge.
    pub mask: GrayImage,
    /// What each pixel shows, as the numbers of [`crate::Part`]; only from [`render_labelled`].
    pub labels: Option<GrayImage>,
    /// The joints, in pixels.
    pub pose: Pose,
}

impl Picture {
    /// What a ControlNet sees of the pose, of the picture's size.
    pub fn control_image(&self) -> RgbImage {
        draw_pose(&self.pose, self.pose.width, self.pose.height, &DrawSettings::default())
    }
}

/// Draws `identity` as `shot` says, `size` × `size` pixels (at least 1).
pub fn render(identity: &Identity, shot: &Shot, size: u32) -> Picture {
    picture(identity, shot, size, false)
}

/// As [`render`], with the labels of the parts.
pub fn render_labelled(identity: &Identity, shot: &Shot, size: u32) -> Picture {
    picture(identity, shot, size, true)
}

/// The joints of what [`render`] draws, in pixels.
pub fn pose(identity: &Identity, shot: &Shot, size: u32) -> Pose {
    Figure::new(identity, &shot.pose, shot.view).pose(size)
}

fn picture(identity: &Identity, shot: &Shot, size: u32, labelled: bool) -> Picture {
    let figure = Figure::new(identity, &shot.pose, shot.view);
    let mut painter = Painter::new(size, labelled);
    draw_figure(&mut painter, identity, &figure, shot);
    let (layer, labels) = painter.finish();
    let (image, mask) = composed(&shot.scene.draw(size), &layer);
    let labels = labels.map(|labels| red_channel(&labels));
    Picture { image, mask, labels, pose: figure.pose(size) }
}

/// The figure, from back to front.
fn draw_figure(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    flowing::cape(painter, identity, figure, shot);
    flowing::tail(painter, identity, figure, shot);
    hair::back(painter, identity, figure, shot);
    coats::back(painter, identity, figure, shot);
    for leg in &figure.legs {
        legs::leg(painter, identity, figure, leg);
    }
    bottoms::waist(painter, identity, figure, shot);
    // Turned away, the far arm is behind the body; seen from the front, both are before it.
    let [far_arm, near_arm] = &figure.arms;
    if figure.turn != 0.0 {
        arms::arm(painter, identity, figure, far_arm);
    }
    tops::torso(painter, identity, figure);
    coats::body(painter, identity, figure, shot);
    hair::shoulders(painter, identity, figure, shot);
    if figure.turn == 0.0 {
        arms::arm(painter, identity, figure, far_arm);
    }
    arms::arm(painter, identity, figure, near_arm);
    face::head(painter, identity, figure, shot.expression);
    hair::front(painter, identity, figure, shot);
    face::brows(painter, identity, figure, shot.expression);
    glasses::draw(painter, identity, figure);
    headwear::draw(painter, identity, figure);
}

/// The layer over the scene, and the layer's opacity.
fn composed(scene: &Pixmap, layer: &Pixmap) -> (RgbImage, GrayImage) {
    let (width, height) = (layer.width(), layer.height());
    let mut image = RgbImage::new(width, height);
    let mut mask = GrayImage::new(width, height);
    let pixels = image.pixels_mut().zip(mask.pixels_mut());
    for ((pixel, covered), (over, under)) in pixels.zip(layer.pixels().iter().zip(scene.pixels())) {
        let rest = 255 - u32::from(over.alpha());
        let mix =
            |over: u8, under: u8| (u32::from(over) + (u32::from(under) * rest + 127) / 255).min(255) as u8;
        pixel.0 =
            [mix(over.red(), under.red()), mix(over.green(), under.green()), mix(over.blue(), under.blue())];
        covered.0 = [over.alpha()];
    }
    (image, mask)
}

fn red_channel(labels: &Pixmap) -> GrayImage {
    let mut image = GrayImage::new(labels.width(), labels.height());
    for (pixel, label) in image.pixels_mut().zip(labels.pixels()) {
        pixel.0 = [label.red()];
    }
    image
}
