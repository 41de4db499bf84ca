//! The torso and the top on it.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::{Painter, Part, polygon};

/// The neck, and the torso in its top with pattern, collar and seams.
pub fn torso(painter: &mut Painter, identity: &Identity, figure: &Figure) {
    painter.part(Part::Top);
    let (torso, right) = (&figure.torso, figure.torso.right);
    let outline = polygon(&[
        torso.at(0.0, 0.95) - right * figure.shoulders,
        torso.at(0.0, 0.95) + right * figure.shoulders,
        torso.at(0.0, -0.05) + right * (figure.hips * 1.3),
        torso.at(0.0, -0.05) - right * (figure.hips * 1.3),
    ]);
    painter.surface(&outline, identity.top_colour.rgb());
}
