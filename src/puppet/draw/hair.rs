//! Hair: what hangs behind the body, over the shoulders, and around the face.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::Painter;
use crate::puppet::shot::Shot;

/// The hair behind the body.
pub fn back(_painter: &mut Painter, _identity: &Identity, _figure: &Figure, _shot: &Shot) {}

/// The hair that hangs over the shoulders, before the torso.
pub fn shoulders(_painter: &mut Painter, _identity: &Identity, _figure: &Figure, _shot: &Shot) {}

/// The hair on the head: cap, fringe, strands and highlights.
pub fn front(_painter: &mut Painter, _identity: &Identity, _figure: &Figure, _shot: &Shot) {}
