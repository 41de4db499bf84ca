//! Named colours, and the shades drawn from them.

use serde::{Deserialize, Serialize};

/// An opaque sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// A share of `other` mixed in.
    pub fn mix(self, other: Self, share: f32) -> Self {
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share + 0.5) as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// The colour in shadow: darker and a little bluer.
    pub fn shadow(self) -> Self {
        self.mix(SHADE, SHADE_OPACITY)
    }

    /// The colour in light.
    pub fn light(self) -> Self {
        self.mix(Self(255, 252, 240), 0.38)
    }

    /// The colour of the line around a surface of this colour.
    pub fn outline(self) -> Self {
        self.mix(OUTLINE, 0.82)
    }
}

/// The darkest line of the drawing.
pub const OUTLINE: Rgb = Rgb(36, 26, 40);
/// What shadows mix into a colour: dark and a little blue.
pub const SHADE: Rgb = Rgb(38, 24, 72);
/// How much of [`SHADE`] a shadow has.
pub const SHADE_OPACITY: f32 = 0.24;
/// White, as of eyes and paper.
pub const WHITE: Rgb = Rgb(250, 250, 250);

/// Colours that captions name, of clothes, hair and accessories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "colours say what they are")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Lime,
    Green,
    Teal,
    Blue,
    Navy,
    Purple,
    Pink,
    Brown,
    Black,
    Gray,
    White,
}

impl Colour {
    /// Every colour.
    pub const ALL: [Self; 14] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Lime,
        Self::Green,
        Self::Teal,
        Self::Blue,
        Self::Navy,
        Self::Purple,
        Self::Pink,
        Self::Brown,
        Self::Black,
        Self::Gray,
        Self::White,
    ];

    /// The colour's English name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Lime => "lime",
            Self::Green => "green",
            Self::Teal => "teal",
            Self::Blue => "blue",
            Self::Navy => "navy",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::Brown => "brown",
            Self::Black => "black",
            Self::Gray => "gray",
            Self::White => "white",
        }
    }

    /// The surface colour that stands for the name.
    pub fn rgb(self) -> Rgb {
        match self {
            Self::Red => Rgb(216, 52, 56),
            Self::Orange => Rgb(240, 134, 46),
            Self::Yellow => Rgb(248, 206, 70),
            Self::Lime => Rgb(160, 206, 70),
            Self::Green => Rgb(44, 150, 84),
            Self::Teal => Rgb(40, 168, 170),
            Self::Blue => Rgb(62, 120, 222),
            Self::Navy => Rgb(40, 54, 112),
            Self::Purple => Rgb(138, 78, 196),
            Self::Pink => Rgb(246, 150, 184),
            Self::Brown => Rgb(126, 82, 54),
            Self::Black => Rgb(52, 50, 60),
            Self::Gray => Rgb(150, 154, 164),
            Self::White => Rgb(242, 242, 240),
        }
    }
}
