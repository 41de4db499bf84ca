//! Hair: what hangs behind the body, over the shoulders, and around the face.

mod back;
mod fringe;
mod front;
mod tails;
mod tops;

use crate::colour::Rgb;
use crate::draw::face::turned;
use crate::figure::Figure;
use crate::geometry::{Vector, vector};
use crate::identity::{HairStyle, Headwear, Identity};
use crate::painter::{Painter, Part, Shape, blob};
use crate::shot::Shot;

/// The hair behind the body.
pub fn back(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    let hair = Hair::new(identity, figure, shot);
    painter.part(Part::Hair);
    back::draw(painter, &hair);
    match identity.hair {
        HairStyle::Ponytail => tails::ponytail(painter, &hair),
        HairStyle::Twintails => tails::twintails(painter, &hair),
        HairStyle::Bun => tails::bun(painter, &hair),
        HairStyle::DoubleBuns => tails::double_buns(painter, &hair),
        HairStyle::Spiky => tops::spikes(painter, &hair),
        HairStyle::Curly => tops::curls(painter, &hair),
        _ => {}
    }
}

/// The hair that hangs over the shoulders, before the torso.
pub fn shoulders(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    let hair = Hair::new(identity, figure, shot);
    painter.part(Part::Hair);
    match identity.hair {
        HairStyle::Braids => tails::braids(painter, &hair),
        HairStyle::SidePonytail => tails::side_ponytail(painter, &hair),
        HairStyle::Long | HairStyle::Wavy => tails::front_locks(painter, &hair),
        _ => {}
    }
}

/// The hair on the head: cap, fringe, strands and highlights.
pub fn front(painter: &mut Painter, identity: &Identity, figure: &Figure, shot: &Shot) {
    let hair = Hair::new(identity, figure, shot);
    painter.part(Part::Hair);
    match identity.hair {
        HairStyle::Mohawk => tops::mohawk(painter, &hair),
        HairStyle::Curly => tops::curly_front(painter, &hair),
        _ => front::draw(painter, &hair),
    }
}

/// What every part of the hair needs to know.
struct Hair<'a> {
    identity: &'a Identity,
    figure: &'a Figure,
    colour: Rgb,
    /// How the loose ends are thrown by the motion, in shares of their length.
    swing: Vector,
    /// −1 to 1: how far the head is turned to the right of the picture.
    turn: f32,
    /// A hat hides the top of the head.
    covered: bool,
}

impl<'a> Hair<'a> {
    fn new(identity: &'a Identity, figure: &'a Figure, shot: &Shot) -> Self {
        let thrown = shot.motion.head * -0.9;
        let swing = thrown * (0.6 / thrown.length().max(0.6));
        Self {
            identity,
            figure,
            colour: identity.hair_colour.rgb(),
            swing,
            turn: turned(figure),
            covered: matches!(
                identity.headwear,
                Headwear::Cap | Headwear::TopHat | Headwear::WitchHat | Headwear::Beanie
            ),
        }
    }

    /// The point (x, y) of the head, in its radii.
    fn at(&self, x: f32, y: f32) -> Vector {
        self.figure.head.at(x, y)
    }

    /// `share` of the head's radius on the canvas.
    fn radii(&self, share: f32) -> f32 {
        share * self.figure.head.scale
    }

    /// The tone of hair that lies further back.
    fn behind(&self) -> Rgb {
        self.colour.shadow()
    }

    /// Points along a lock that leaves the head at `anchor`, bulges `out` to the right of the picture and hangs down, all
    /// in canvas lengths.
    fn hang(&self, anchor: Vector, out: f32, length: f32) -> [Vector; 7] {
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|step| {
            let share = step / 6.0;
            let aside = out * (1.0 - (1.0 - share) * (1.0 - share));
            anchor + vector(aside, length * share) + self.swing * (length * share * share)
        })
    }
}

/// The shape along a spine, `widths` (half, on the canvas) wide, with a sharp tip.
fn ribbon(spine: &[Vector], widths: &[f32]) -> Shape {
    let last = spine.len() - 1;
    let side = |index: usize| {
        let along = spine[(index + 1).min(last)] - spine[index.saturating_sub(1)];
        along.unit().quarter_turn() * widths[index]
    };
    let mut points: Vec<Vector> = (0..last).map(|index| spine[index] + side(index)).collect();
    points.extend([spine[last], spine[last]]);
    points.extend((0..last).rev().map(|index| spine[index] - side(index)));
    blob(&points)
}
