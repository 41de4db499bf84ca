//! Glasses.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::Painter;

/// The glasses, if any are worn.
pub fn draw(_painter: &mut Painter, _identity: &Identity, _figure: &Figure) {}
