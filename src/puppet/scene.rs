//! Backgrounds.

use serde::{Deserialize, Serialize};
use tiny_skia::{Color, Pixmap};

use crate::puppet::identity::kinds;
use crate::puppet::painter::blank;

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
    /// The scene without any figure, `size` × `size` pixels.
    pub fn draw(self, size: u32) -> Pixmap {
        let mut canvas = blank(size);
        canvas.fill(Color::WHITE);
        canvas
    }
}
