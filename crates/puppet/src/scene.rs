//! Backgrounds: flat shapes in soft colours, so that the figure before them stands out.

mod brush;
mod built;
mod land;
mod water;

use serde::{Deserialize, Serialize};
use tiny_skia::Pixmap;

use crate::colour::Rgb;
use crate::identity::kinds;
use brush::plain;

kinds! {
    /// Where a puppet is.
    Scene {
        White => "white background", Gray => "gray background", Pink => "pink background", Sky => "sky background",
        Meadow => "meadow background", Beach => "beach background", Forest => "forest background",
        Mountains => "mountains background", Snow => "snow background", Desert => "desert background",
        Night => "night background", Sunset => "sunset background", City => "city background", Room => "room background",
        Stage => "stage background", Underwater => "underwater background",
    }
}

impl Scene {
    /// The scene without any figure, `size` × `size` pixels. White, Gray and Pink are one even colour.
    pub fn draw(self, size: u32) -> Pixmap {
        match self {
            Self::White => plain(size, Rgb(255, 255, 255)),
            Self::Gray => plain(size, Rgb(190, 193, 200)),
            Self::Pink => plain(size, Rgb(250, 208, 220)),
            Self::Sky => water::sky(size),
            Self::Meadow => land::meadow(size),
            Self::Beach => water::beach(size),
            Self::Forest => land::forest(size),
            Self::Mountains => land::mountains(size),
            Self::Snow => land::snow(size),
            Self::Desert => land::desert(size),
            Self::Night => land::night(size),
            Self::Sunset => water::sunset(size),
            Self::City => built::city(size),
            Self::Room => built::room(size),
            Self::Stage => built::stage(size),
            Self::Underwater => water::underwater(size),
        }
    }
}
