//! Arms: skin, sleeves, hands.

use crate::puppet::figure::{Figure, Limb};
use crate::puppet::identity::Identity;
use crate::puppet::painter::{Painter, Part, taper};

/// One arm with its sleeve (of the top or the coat) and its hand.
pub fn arm(painter: &mut Painter, identity: &Identity, figure: &Figure, arm: &Limb) {
    painter.part(Part::Skin);
    let radius = figure.limb;
    painter.surface(&taper(arm.middle, radius * 0.9, arm.end, radius * 0.8), identity.skin);
    painter.surface(&taper(arm.start, radius, arm.middle, radius * 0.9), identity.skin);
}
