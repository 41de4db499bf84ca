#![doc = include_str!("../README.md")]
//!
//! # How a figure is moved
//!
//! 1. [`Rig::new`] gives each pixel to the part whose seed, drawn around the [`Joints`], is nearest on a way that seldom crosses an
//!    outline. What is too far from a limb's bones to be its own is loose: a tail, a cape, a bag; so is what has other colours
//!    than the arm that it is seen beside, and those of something else. An arm that would come off is the trunk's.
//! 2. Each part becomes a layer; the trunk is continued where arms lay over it.
//! 3. A net of triangles covers the layers, which share corners at shoulders and neck. Each corner follows the bones that are near
//!    along the net.
//!    A skirt is drawn tight from one leg to the other.
//! 4. [`Rig::draw`] carries the net to a pose, and draws its textured triangles, layer over layer. [`moments`] knows what trails behind
//!    a dance, where the head turns, and which limbs are in front. [`Rig::confidence`] says of each pixel how sure it is.

mod blink;
mod bones;
mod confidence;
mod cutting;
mod edges;
mod error;
mod face;
mod facing;
mod field;
mod fill;
mod geometry;
mod joints;
mod layers;
mod lend;
mod lines;
mod mesh;
mod moment;
mod order;
mod outline;
mod parts;
mod raster;
mod rig;
mod segment;
mod shares;
mod sides;
mod skin;
mod skirt;
mod slack;
mod split;
mod still;
mod strays;
mod swing;

pub use blink::open_eyes;
pub use error::{Error, Result};
pub use fill::without_figure;
pub use geometry::Vector;
pub use joints::Joints;
pub use moment::{Moment, moments};
pub use order::Depths;
pub use parts::Part;
pub use rig::{Edits, Rig};
