//! Arms: skin, sleeves, hands.

use crate::colour::{Colour, Rgb};
use crate::draw::limbs::Band;
use crate::figure::{Figure, Limb};
use crate::identity::{Identity, OuterStyle, Pattern, TopStyle};
use crate::painter::{Painter, Part, Shape, ellipse, taper, union};

/// What covers an arm.
struct Sleeve {
    part: Part,
    colour: Rgb,
    /// Radii at shoulder, elbow and wrist, in radii of the limb.
    radii: [f32; 3],
    /// Where it ends along the arm: 1 is the elbow, 2 the wrist.
    end: f32,
    /// Colour of the cuff, if it has one.
    cuff: Option<Rgb>,
}

/// One arm with its sleeve (of the top or the coat) and its hand.
pub fn arm(painter: &mut Painter, identity: &Identity, figure: &Figure, arm: &Limb) {
    let radius = figure.limb;
    painter.part(Part::Skin);
    let skin = Band::new(arm, [radius * 0.98, radius * 0.86, radius * 0.7]);
    painter.surface(&union(&[skin.shape(0.0, 2.0), hand(arm, radius)]), identity.skin);
    skin.shade(painter, 0.0, 2.0);
    let Some(sleeve) = sleeve(identity) else {
        join(painter, figure, arm, radius * 0.95, identity.skin, 0.24);
        return;
    };
    painter.part(sleeve.part);
    let band = Band::new(arm, sleeve.radii.map(|share| share * radius));
    painter.surface(&band.shape(0.0, sleeve.end), sleeve.colour);
    if sleeve.part == Part::Top && identity.pattern == Pattern::Stripes && identity.top != TopStyle::Vest {
        band.print(painter, Pattern::Stripes, identity.pattern_colour.rgb(), 0.12, sleeve.end - 0.1);
    }
    band.shade(painter, 0.0, sleeve.end);
    if let Some(cuff) = sleeve.cuff {
        painter.surface(&band.piece(sleeve.end - 0.2, sleeve.end), cuff);
    }
    // Lapels are near the shoulder; sailor collars and vests reach to it, and the sleeve begins below them.
    let reach = match identity.top {
        _ if sleeve.part == Part::Outer => 0.13,
        TopStyle::Sailor | TopStyle::Vest => 0.0,
        _ => 0.24,
    };
    join(painter, figure, arm, band.radius(0.0), sleeve.colour, reach);
}

/// Takes away the line between the near arm and the shoulder it grows from, over `reach` of the way to the breastbone.
fn join(painter: &mut Painter, figure: &Figure, arm: &Limb, radius: f32, colour: Rgb, reach: f32) {
    let far = figure.turn * arm.side > 0.0;
    if !far && reach > 0.0 {
        let inner = arm.start.toward(figure.torso.at(0.0, 0.84), reach);
        painter.fill(&taper(arm.start, radius * 0.9, inner, radius * 0.8), colour);
    }
}

/// A mitten with a thumb on the side of the body.
fn hand(arm: &Limb, radius: f32) -> Shape {
    let along = (arm.end - arm.middle).unit();
    let across = along.quarter_turn();
    let inner = across * arm.side;
    let palm = ellipse(arm.end + along * (radius * 0.75), along * (radius * 1.1), across * (radius * 0.86));
    let root = arm.end + along * (radius * 0.35) + inner * (radius * 0.35);
    let tip = arm.end + along * (radius * 1.0) + inner * (radius * 1.02);
    union(&[palm, taper(root, radius * 0.42, tip, radius * 0.3)])
}

fn sleeve(identity: &Identity) -> Option<Sleeve> {
    let colour = identity.top_colour.rgb();
    let trim = identity.pattern_colour.rgb();
    let short = Sleeve { part: Part::Top, colour, radii: [1.22, 1.42, 1.42], end: 0.72, cuff: None };
    let long = |cuff| Sleeve { part: Part::Top, colour, radii: [1.2, 1.12, 1.08], end: 1.88, cuff };
    if identity.outer == OuterStyle::Coat {
        let colour = identity.outer_colour.rgb();
        let radii = [1.36, 1.3, 1.42];
        return Some(Sleeve { part: Part::Outer, colour, radii, end: 1.86, cuff: Some(colour.shadow()) });
    }
    match identity.top {
        TopStyle::TankTop => None,
        TopStyle::Shirt | TopStyle::CropTop => Some(short),
        TopStyle::Polo | TopStyle::Sailor => Some(Sleeve { cuff: Some(trim), ..short }),
        TopStyle::Blouse => {
            Some(Sleeve { radii: [1.35, 1.8, 1.8], end: 0.68, cuff: Some(colour.light()), ..short })
        }
        TopStyle::LongSleeves => Some(long(None)),
        TopStyle::Vest => Some(Sleeve { colour: Colour::White.rgb(), ..long(None) }),
        TopStyle::Sweater => Some(Sleeve { radii: [1.3, 1.26, 1.24], ..long(Some(colour.shadow())) }),
        TopStyle::Hoodie => Some(Sleeve { radii: [1.3, 1.3, 1.3], ..long(Some(colour.shadow())) }),
        TopStyle::Jacket => Some(Sleeve { radii: [1.3, 1.25, 1.25], ..long(Some(trim)) }),
    }
}
