//! Hats, ears, horns and the like.

mod ears;
mod hats;
mod others;

use crate::colour::Rgb;
use crate::draw::face::turned;
use crate::figure::Figure;
use crate::geometry::Vector;
use crate::identity::{HairStyle, Headwear, Identity};
use crate::painter::{Painter, Part};

/// What is worn on the head, if anything.
pub fn draw(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    painter.part(Part::Accessory);
    let seat = Seat::new(identity, figure);
    match identity.headwear {
        Headwear::Nothing => {}
        Headwear::Cap => hats::cap(painter, &seat),
        Headwear::TopHat => hats::top_hat(painter, &seat),
        Headwear::WitchHat => hats::witch_hat(painter, &seat),
        Headwear::Beanie => hats::beanie(painter, &seat),
        Headwear::Bow => others::bow(painter, &seat),
        Headwear::CatEars => ears::cat(painter, &seat),
        Headwear::RabbitEars => ears::rabbit(painter, &seat),
        Headwear::Horns => ears::horns(painter, &seat),
        Headwear::Halo => others::halo(painter, &seat),
        Headwear::Crown => others::crown(painter, &seat),
        Headwear::Headphones => others::headphones(painter, &seat),
    }
}

/// Where a thing sits on the head.
struct Seat<'a> {
    figure: &'a Figure,
    colour: Rgb,
    /// −1 to 1: how far the head is turned to the right of the picture.
    turn: f32,
    /// How far the hair stands above the skull, in radii of the head.
    rise: f32,
}

impl<'a> Seat<'a> {
    fn new(identity: &Identity, figure: &'a Figure) -> Self {
        let rise = match identity.hair {
            HairStyle::Curly => 0.10,
            HairStyle::Bun | HairStyle::Mohawk => 0.04,
            _ => 0.0,
        };
        Self { figure, colour: identity.headwear_colour.rgb(), turn: turned(figure), rise }
    }

    /// The point (x, y) of the top of the head, in its radii; what is in the middle follows the turn a little.
    fn at(&self, x: f32, y: f32) -> Vector {
        self.figure.head.at(x * (1.0 - 0.08 * self.turn.abs()) + 0.06 * self.turn, y + self.rise)
    }

    fn radii(&self, share: f32) -> f32 {
        share * self.figure.head.scale
    }

    fn points<const N: usize>(&self, points: [(f32, f32); N]) -> [Vector; N] {
        points.map(|(x, y)| self.at(x, y))
    }
}
