//! What a figure is cut into.

use image::{Rgb, RgbImage, RgbaImage};

use crate::field::{Field, spread};

/// A part of the figure that moves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Tails, capes, held things: they hang on the trunk.
    Loose,
    /// The figure's right leg.
    RightLeg,
    /// The figure's left leg.
    LeftLeg,
    /// The trunk, with a skirt.
    Body,
    /// Head and hair.
    Head,
    /// The figure's right arm.
    RightArm,
    /// The figure's left arm.
    LeftArm,
}

impl Part {
    /// All parts, as they lie over each other where nothing else is said: from back to front.
    pub const ALL: [Self; 7] =
        [Self::Loose, Self::RightLeg, Self::LeftLeg, Self::Body, Self::Head, Self::RightArm, Self::LeftArm];

    /// Its name, such as `right arm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loose => "loose",
            Self::RightLeg => "right leg",
            Self::LeftLeg => "left leg",
            Self::Body => "body",
            Self::Head => "head",
            Self::RightArm => "right arm",
            Self::LeftArm => "left arm",
        }
    }

    /// Its colour in a picture of parts.
    pub fn colour(self) -> [u8; 3] {
        match self {
            Self::Loose => [240, 240, 40],
            Self::RightLeg => [220, 160, 0],
            Self::LeftLeg => [0, 190, 190],
            Self::Body => [40, 120, 255],
            Self::Head => [255, 60, 40],
            Self::RightArm => [0, 200, 60],
            Self::LeftArm => [230, 40, 230],
        }
    }

    /// The part whose colour is nearest.
    fn of_colour(colour: [u8; 3]) -> Self {
        let distance = |part: Self| -> u32 {
            colour.iter().zip(part.colour()).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
        };
        Self::ALL.into_iter().min_by_key(|part| distance(*part)).unwrap_or(Self::Body)
    }

    pub(crate) fn is_arm(self) -> bool {
        matches!(self, Self::RightArm | Self::LeftArm)
    }

    pub(crate) fn is_leg(self) -> bool {
        matches!(self, Self::RightLeg | Self::LeftLeg)
    }
}

/// What a picture of parts says of each pixel of a picture of `width` × `height`; what it leaves out is as what is nearest. `None`
/// where it is empty.
pub(crate) fn read(parts: &RgbaImage, width: usize, height: usize) -> Option<Field<Part>> {
    let mut labels = Field::filled(width, height, None);
    for (index, label) in labels.values.iter_mut().enumerate() {
        let x = scaled(index % width, width, parts.width() as usize);
        let y = scaled(index / width, height, parts.height() as usize);
        let [red, green, blue, alpha] = parts.get_pixel(x as u32, y as u32).0;
        *label = (alpha > 0).then(|| Part::of_colour([red, green, blue]));
    }
    spread(&mut labels, |_, _, distance| Some(distance));
    labels.values.iter().all(Option::is_some).then(|| labels.map(|label| label.unwrap_or(Part::Body)))
}

/// The parts in their colours, as a picture of `width` × `height`; beside the figure as what is nearest.
pub(crate) fn picture(parts: &Field<Part>, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let x = scaled(x as usize, width as usize, parts.width);
        let y = scaled(y as usize, height as usize, parts.height);
        Rgb(parts.at(x, y).colour())
    })
}

/// The pixel of a side of `to` in which the middle of a pixel of a side of `from` lies.
fn scaled(pixel: usize, from: usize, to: usize) -> usize {
    (((pixel as f32 + 0.5) / from as f32 * to as f32) as usize).min(to - 1)
}
