//! Pictures as networks that were trained on ImageNet see them.

use image::{Rgb, RgbImage};

/// Mean and standard deviation of each channel.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Channels first, red before green before blue, as shares of `brightest`, normalised.
pub fn normalized(picture: &RgbImage, brightest: f32) -> Vec<f32> {
    let value = |Rgb(channels): &Rgb<u8>, channel: usize| {
        (f32::from(channels[channel]) / brightest - MEAN[channel]) / DEVIATION[channel]
    };
    (0..3).flat_map(|channel| picture.pixels().map(move |pixel| value(pixel, channel))).collect()
}
