//! The networks of Stable Diffusion 1.x and 2.x, and the loading of their weights.

pub mod weights;
