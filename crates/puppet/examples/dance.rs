//! Draws eight moments of a dance beside each other: `cargo run --release -p dreamtuner-puppet --example dance 17 disco dance.png`.

use std::error::Error;

use dreamtuner_puppet::choreography::{ClipSettings, shots};
use dreamtuner_puppet::{Choreography, Expression, Identity, Scene, View, render};
use image::RgbImage;
use image::imageops::replace;

const SIDE: u32 = 256;
const MOMENTS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seed, dance, picture] = &arguments[..] else {
        return Err("give a seed, the name of a dance, and a name for the picture".into());
    };
    let (identity, dance) = (Identity::from_seed(seed.parse()?), Choreography::named(dance)?);
    let settings = ClipSettings {
        frames: MOMENTS,
        frames_per_second: MOMENTS as f32 / dance.seconds(),
        view: View::Front,
        expression: Expression::Smile,
        scene: Scene::White,
    };
    let mut strip = RgbImage::new(MOMENTS as u32 * SIDE, SIDE);
    for (moment, shot) in shots(&identity, &dance, &settings).iter().enumerate() {
        replace(&mut strip, &render(&identity, shot, SIDE).image, moment as i64 * i64::from(SIDE), 0);
    }
    strip.save(picture)?;
    Ok(())
}
