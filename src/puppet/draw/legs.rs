//! Legs: skin, trouser legs, socks, shoes.

use crate::puppet::figure::{Figure, Limb};
use crate::puppet::identity::Identity;
use crate::puppet::painter::{Painter, Part, taper};

/// One leg with what is worn on it.
pub fn leg(painter: &mut Painter, identity: &Identity, figure: &Figure, leg: &Limb) {
    painter.part(Part::Skin);
    let radius = figure.limb * 1.15;
    painter.surface(&taper(leg.middle, radius * 0.9, leg.end, radius * 0.8), identity.skin);
    painter.surface(&taper(leg.start, radius, leg.middle, radius * 0.9), identity.skin);
}
