//! How alike two pictures, or two clips, are. Pictures are compared as they are shown: 8 bits a channel, sRGB.

mod colour;
mod joints;
mod similarity;

pub use colour::{Likeness, colour_likeness, lab};
pub use joints::{JointCount, joints_found};
pub use similarity::{
    flicker, mean_absolute_difference, mean_absolute_difference_inside, psnr, share_of_change, ssim,
};
