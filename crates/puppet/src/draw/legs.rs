//! Legs: skin, trouser legs, socks, shoes.

use crate::colour::{Rgb, SHADE, SHADE_OPACITY, WHITE};
use crate::draw::limbs::Band;
use crate::figure::{Figure, Limb};
use crate::geometry::Vector;
use crate::identity::{BottomStyle, Identity, SOLE, ShoeStyle};
use crate::painter::{Painter, Part, blob, curve, disc};

/// Thickness of a thigh, in radii of a limb.
pub const THIGH: f32 = 1.28;

/// One leg with what is worn on it.
pub fn leg(painter: &mut Painter, identity: &Identity, figure: &Figure, leg: &Limb) {
    let radius = figure.limb;
    painter.part(Part::Skin);
    let skin = Band::new(leg, [radius * THIGH, radius * 1.02, radius * 0.8]);
    painter.surface(&skin.shape(0.0, 2.0), identity.skin);
    skin.shade(painter, 0.0, 2.0);
    painter.part(Part::Shoes);
    if let Some(socks) = identity.socks {
        painter.surface(&skin.shape(1.3, 2.0), socks.rgb());
        skin.shade(painter, 1.34, 2.0);
    }
    let trousers = trousers(identity.bottom);
    // Wide legs fall over the shoes, narrow ones over all but boots.
    let over = match identity.bottom {
        BottomStyle::WideTrousers => true,
        BottomStyle::Trousers => identity.shoes != ShoeStyle::Boots,
        _ => false,
    };
    if over {
        shoe(painter, identity, figure, leg);
    }
    if let Some((radii, end)) = trousers {
        painter.part(Part::Bottom);
        let band = Band::new(leg, radii.map(|share| share * radius));
        painter.surface(&band.shape(0.0, end), identity.bottom_colour.rgb());
        band.print(painter, identity.bottom_pattern, identity.bottom_pattern_colour.rgb(), 0.15, end);
        band.shade(painter, 0.0, end);
    }
    if !over {
        shoe(painter, identity, figure, leg);
    }
}

/// Radii of the legs of trousers, in radii of a limb, and where they end (1 is the knee, 2 the ankle).
pub fn trousers(style: BottomStyle) -> Option<([f32; 3], f32)> {
    match style {
        BottomStyle::Trousers => Some(([1.4, 1.24, 1.12], 1.92)),
        BottomStyle::WideTrousers => Some(([1.42, 1.5, 2.0], 1.94)),
        BottomStyle::Shorts => Some(([1.42, 1.66, 1.66], 0.72)),
        BottomStyle::Leggings => Some(([1.32, 1.06, 0.86], 1.82)),
        _ => None,
    }
}

fn shoe(painter: &mut Painter, identity: &Identity, figure: &Figure, leg: &Limb) {
    painter.part(Part::Shoes);
    let colour = identity.shoe_colour.rgb();
    let radius = figure.limb;
    let foot = Foot::new(figure, leg);
    match identity.shoes {
        ShoeStyle::Sneakers => {
            painter.surface(&blob(&foot.outline(1.0)), colour);
            foot.sole(painter, WHITE);
            for (x, y) in [(0.15, -0.35), (0.4, 0.05)] {
                painter.fill(&disc(foot.at(x, y), radius * 0.24), WHITE);
            }
        }
        ShoeStyle::Boots => {
            painter.surface(&blob(&foot.outline(1.06)), colour);
            foot.sole(painter, colour.mix(SHADE, 0.5));
            let shaft = Band::new(leg, [radius, radius * 1.2, radius * 1.12]);
            painter.surface(&shaft.shape(1.42, 2.0), colour);
            let heel = leg.end + foot.down * (radius * 0.2);
            painter.fill(&disc(heel, radius * 1.02), colour);
            shaft.shade(painter, 1.5, 2.0);
            painter.surface(&shaft.piece(1.42, 1.54), colour.light());
        }
        ShoeStyle::Flats => {
            painter.surface(&blob(&foot.outline(0.9)), colour);
            let opening =
                [foot.at(-0.72, -0.8), foot.at(-0.3, -0.1), foot.at(0.35, -0.1), foot.at(0.66, -0.8)];
            let under = identity.socks.map_or(identity.skin, |socks| socks.rgb());
            painter.fill(&blob(&opening), under);
            painter.line(&curve(&opening), colour.outline(), 0.006);
        }
    }
}

/// A foot: where the ankle is, which way the toes point, where down is along the shin.
struct Foot {
    ankle: Vector,
    toes: Vector,
    down: Vector,
    radius: f32,
    /// From the ankle to the sole.
    depth: f32,
    /// How far the toes reach beyond the ankle, in radii.
    reach: f32,
}

impl Foot {
    fn new(figure: &Figure, leg: &Limb) -> Self {
        let down = (leg.end - leg.middle).unit();
        // From the front, toes point a little outwards; turned, they point where the figure looks.
        let to_right = if figure.turn == 0.0 { leg.side } else { figure.turn.signum() };
        let toes = -down.quarter_turn() * to_right;
        let reach = if figure.turn == 0.0 { 1.75 } else { 2.4 };
        Self { ankle: leg.end, toes, down, radius: figure.limb, depth: figure.height * SOLE, reach }
    }

    /// A point of the foot: x towards the toes in radii, y from the ankle (−1 is above it) to the sole (1).
    fn at(&self, x: f32, y: f32) -> Vector {
        self.ankle + self.toes * (x * self.radius) + self.down * (y * self.depth)
    }

    fn outline(&self, size: f32) -> [Vector; 8] {
        let reach = self.reach * size;
        [
            self.at(-0.95 * size, -0.75),
            self.at(0.9 * size, -0.75),
            self.at(reach * 0.72, -0.1),
            self.at(reach, 0.5),
            self.at(reach * 0.92, 1.0),
            self.at(0.3, 1.04),
            self.at(-1.05 * size, 1.0),
            self.at(-1.15 * size, 0.3),
        ]
    }

    fn sole(&self, painter: &mut Painter, colour: Rgb) {
        let (heel, toe) = (-1.12, self.reach * 0.98);
        let points = [
            self.at(heel, 0.62),
            self.at(0.4, 0.7),
            self.at(toe, 0.62),
            self.at(toe * 0.95, 1.04),
            self.at(heel, 1.04),
        ];
        painter.fill(&blob(&points), colour);
        painter.glaze(
            &blob(&[self.at(0.2, 0.84), self.at(toe, 0.8), self.at(toe * 0.95, 1.04), self.at(0.2, 1.04)]),
            SHADE,
            SHADE_OPACITY,
        );
    }
}
