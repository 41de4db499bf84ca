//! The head and the face on it.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::{Painter, Part, disc};
use crate::puppet::shot::Expression;

/// The head with ears, eyes, brows, nose and mouth.
pub fn head(painter: &mut Painter, identity: &Identity, figure: &Figure, _expression: Expression) {
    painter.part(Part::Skin);
    painter.surface(&disc(figure.head.origin, figure.head.scale), identity.skin);
}
