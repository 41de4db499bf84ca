//! What is worn below the waist: the hips of trousers, skirts.

use crate::puppet::figure::Figure;
use crate::puppet::identity::Identity;
use crate::puppet::painter::Painter;
use crate::puppet::shot::Shot;

/// The part around the hips: the seat of trousers and shorts, or the whole skirt.
pub fn waist(_painter: &mut Painter, _identity: &Identity, _figure: &Figure, _shot: &Shot) {}
