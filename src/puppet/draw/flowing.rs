//! Capes and tails, which trail behind the motion.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::Painter;
use crate::puppet::shot::Shot;

/// The cape behind the figure.
pub fn cape(_painter: &mut Painter, _identity: &Identity, _figure: &Figure, _shot: &Shot) {}

/// The tail behind the figure.
pub fn tail(_painter: &mut Painter, _identity: &Identity, _figure: &Figure, _shot: &Shot) {}
