//! Moments of a dance beside what the picture was cut into:
//! `cargo run --release -p dreamtuner-warp --example sheet hero.png hero.pose.json dance.json sheet.png`.

use std::error::Error;
use std::time::Instant;

use dreamtuner_pose::{PoseSequence, ReadSettings, fill_gaps, parse_poses, retarget};
use dreamtuner_warp::{Joints, Rig};
use image::imageops::{FilterType, overlay, resize};
use image::{DynamicImage, Rgba, RgbaImage};

const MOMENTS: usize = 8;
const SIDE: u32 = 256;

fn poses(path: &str) -> Result<PoseSequence, Box<dyn Error>> {
    Ok(parse_poses(&std::fs::read(path)?, &ReadSettings::default())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [picture, pose, dance, sheet] = &arguments[..] else {
        return Err("give a picture, its pose, a dance, and a name for the sheet".into());
    };
    let picture = without_white(image::open(picture)?);
    let pose = &poses(pose)?.fit(picture.width(), picture.height(), Default::default()).poses[0];
    let mut dance = poses(dance)?;
    fill_gaps(&mut dance)?;
    let dance = retarget(&dance, pose)?;
    let begun = Instant::now();
    let rig = Rig::new(&picture, &Joints::of(&pose.people[0]))?;
    println!("cut in {:?}", begun.elapsed());
    let mut drawn = RgbaImage::from_pixel((MOMENTS as u32 + 1) * SIDE, SIDE, Rgba([255; 4]));
    put(&mut drawn, 0, &DynamicImage::ImageRgb8(rig.parts()).into_rgba8());
    let begun = Instant::now();
    for moment in 0..MOMENTS {
        let pose = &dance.poses[moment * dance.poses.len() / MOMENTS];
        put(&mut drawn, moment + 1, &rig.draw(&Joints::of(&pose.people[0]), pose.width, pose.height));
    }
    println!("{:?} a frame", begun.elapsed() / MOMENTS as u32);
    drawn.save(sheet)?;
    Ok(())
}

/// Transparent where the picture is, or, of one that is opaque, where it is white.
fn without_white(picture: DynamicImage) -> RgbaImage {
    let opaque = !picture.color().has_alpha();
    let mut picture = picture.into_rgba8();
    if opaque {
        picture
            .pixels_mut()
            .filter(|pixel| pixel.0[..3].iter().all(|value| *value > 250))
            .for_each(|pixel| pixel.0[3] = 0);
    }
    picture
}

fn put(sheet: &mut RgbaImage, place: usize, picture: &RgbaImage) {
    let scale = SIDE as f32 / picture.width().max(picture.height()) as f32;
    let side = |length: u32| ((length as f32 * scale) as u32).max(1);
    let small = resize(picture, side(picture.width()), side(picture.height()), FilterType::Triangle);
    overlay(sheet, &small, i64::from(place as u32 * SIDE), 0);
}
