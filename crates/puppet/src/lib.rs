#![doc = include_str!("../README.md")]
//!
//! # How they are drawn
//!
//! 1. [`Identity::from_seed`] says who a puppet is: body, hair, garments and their patterns, accessories.
//! 2. A [`Shot`] says what one picture shows of it: pose, view, expression, scene, and how it is moving.
//! 3. [`Figure`] places the joints (a kinematic chain of OpenPose's 18).
//! 4. [`render`] draws the picture, the mask, what each pixel shows, and gives the joints; [`caption`] says it in words.
//! 5. [`choreography`] makes dances of key poses, eased and set to a beat.
//! 6. [`training_shot`] says what thousands of pictures show, to learn from.
//!
//! They are what dreamtuner's small model is trained on and the truth that its results are compared with. The same seed gives the same
//! bytes on any machine: no SIMD in the rasteriser, no platform's own trigonometry.

mod caption;
pub mod choreography;
mod colour;
mod draw;
mod figure;
mod geometry;
mod identity;
mod painter;
mod poses;
mod scene;
mod shot;
mod training;

pub use caption::{caption, scene_caption};
pub use choreography::Choreography;
pub use colour::{Colour, Rgb};
pub use draw::{Picture, pose, render, render_labelled};
pub use dreamtuner_random::Random;
pub use figure::{FLOOR, Figure, FigurePose, Limb, View};
pub use geometry::Vector;
pub use identity::{
    BottomStyle, Build, Glasses, HELD_OUT_SEED, HairStyle, Headwear, Identity, OuterStyle, Pattern,
    Proportions, ShoeStyle, Tail, TopStyle,
};
pub use painter::Part;
pub use poses::{is_inside, random_pose, reference_pose};
pub use scene::Scene;
pub use shot::{Expression, Motion, Shot};
pub use training::{follows, reference_shot, training_shot};
