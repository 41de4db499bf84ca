//! Hats, ears, horns and the like.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::Painter;

/// What is worn on the head, if anything.
pub fn draw(_painter: &mut Painter, _identity: &Identity, _figure: &Figure) {}
