//! Coats, open in front.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::Painter;
use crate::puppet::shot::Shot;

/// The coat's body over the top and the bottom; its sleeves are drawn with the arms.
pub fn body(_painter: &mut Painter, _identity: &Identity, _figure: &Figure, _shot: &Shot) {}
