//! The kernels by themselves: how accurate they are, and that gradients pass.

mod gradients;
mod results;
