use std::path::PathBuf;

use dreamtuner_pose::{
    DrawSettings, Fit, Joint, PoseSequence, ReadSettings, StickWidth, draw_pose, parse_poses,
};
use image::{Rgb, RgbImage};

use crate::figures::{pose, standing};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(name: &str) -> PoseSequence {
    parse_poses(&std::fs::read(fixture(name)).unwrap(), &ReadSettings::default()).unwrap()
}

fn compare(name: &str, stick_width: StickWidth) {
    let sequence = read(&format!("{name}.json"));
    let expected = image::open(fixture(&format!("{name}.png"))).unwrap().to_rgb8();
    let settings = DrawSettings { stick_width, ..DrawSettings::default() };
    let drawn = draw_pose(&sequence.poses[0], expected.width(), expected.height(), &settings);
    let (mut differing, mut sum) = (0_usize, 0_u64);
    for (a, b) in drawn.pixels().zip(expected.pixels()) {
        let distances = a.0.iter().zip(b.0).map(|(&p, q)| u64::from(p.abs_diff(q)));
        differing += usize::from(distances.clone().any(|distance| distance > 8));
        sum += distances.sum::<u64>();
    }
    let pixels = (drawn.width() * drawn.height()) as usize;
    let lit = expected.pixels().filter(|pixel| pixel.0 != [0; 3]).count();
    let mean = sum as f64 / (3 * pixels) as f64;
    eprintln!("{name}: {differing} of {pixels} pixels differ ({lit} lit), mean difference {mean:.4}");
    if differing * 100 > lit {
        let path = std::env::temp_dir().join(format!("dreamtuner-{name}.png"));
        drawn.save(&path).unwrap();
        panic!("{name}: {differing} of {lit} lit pixels differ; drawn: {}", path.display());
    }
    assert!(mean < 0.1, "{name}: {differing} differ, mean {mean}");
}

/// The references are OpenCV's, see fixtures/make.py. At most 1 % of the lit pixels may differ by more
/// than 8 of 255, and the mean difference stays below 0.1.
#[test]
fn equals_opencv_drawing() {
    compare("body-512", StickWidth::Proportional);
    compare("body-512", StickWidth::Fixed);
    compare("wild-512", StickWidth::Proportional);
    compare("two-768x512", StickWidth::Proportional);
    compare("small-64", StickWidth::Proportional);
    compare("by-size-1100x700", StickWidth::BySize);
}

#[test]
fn joints_have_full_colour_and_limbs_six_tenths() {
    let person = standing(256.0, 256.0, 400.0);
    let knee = person.joint(Joint::RightKnee).unwrap();
    let ankle = person.joint(Joint::RightAnkle).unwrap();
    let image = draw_pose(&pose(512, 512, vec![person]), 512, 512, &DrawSettings::default());
    assert_eq!(*image.get_pixel(knee.x as u32, knee.y as u32), Joint::RightKnee.color());
    let middle = (((knee.x + ankle.x) / 2.0) as u32, ((knee.y + ankle.y) / 2.0) as u32);
    assert_eq!(*image.get_pixel(middle.0, middle.1), Rgb([0, 153, 102]));
}

#[test]
fn hands_and_face_can_be_left_out() {
    let read = read("two-768x512.json");
    let drawn = |hands, face| {
        let settings = DrawSettings { hands, face, ..DrawSettings::default() };
        let image = draw_pose(&read.poses[0], 768, 512, &settings);
        let white = image.pixels().any(|pixel| pixel.0 == [255; 3]);
        // No joint but the left knee has a hand's blue; the discs of 42 points are far more.
        let blue = image.pixels().filter(|pixel| pixel.0 == [0, 0, 255]).count() > 400;
        (blue, white)
    };
    assert_eq!(drawn(true, true), (true, true));
    assert_eq!(drawn(false, true), (false, true));
    assert_eq!(drawn(true, false), (true, false));
}

#[test]
fn another_size_is_the_same_figure() {
    let pose = pose(512, 512, vec![standing(256.0, 256.0, 400.0)]);
    let large = draw_pose(&pose, 512, 512, &DrawSettings::default());
    let small = draw_pose(&pose, 128, 128, &DrawSettings::default());
    let shrunk = image::imageops::thumbnail(&large, 128, 128);
    let mean =
        |image: &RgbImage| image.as_raw().iter().map(|&v| f64::from(v)).sum::<f64>() / image.len() as f64;
    assert!((mean(&small) / mean(&shrunk) - 1.0).abs() < 0.5, "{} and {}", mean(&small), mean(&shrunk));
}

#[test]
fn fit_keeps_or_stretches_proportions() {
    let tall = pose(400, 800, vec![standing(200.0, 400.0, 600.0)]);
    let bounds = tall.bounding_box().unwrap();
    let shape = bounds.width() / bounds.height();
    for (fit, expected_height) in [(Fit::Contain, 0.5), (Fit::Cover, 1.0)] {
        let fitted = tall.fit(400, 400, fit).bounding_box().unwrap();
        assert!((fitted.width() / fitted.height() - shape).abs() < 1e-3);
        assert!((fitted.height() / bounds.height() - expected_height).abs() < 1e-3);
        assert!((fitted.center().0 - 200.0).abs() < 10.0);
    }
    let stretched = tall.fit(400, 400, Fit::Stretch).bounding_box().unwrap();
    assert!((stretched.width() - bounds.width()).abs() < 1e-2);
    assert!((stretched.height() - bounds.height() / 2.0).abs() < 1e-2);
}

#[test]
fn nobody_is_a_black_picture() {
    let image = draw_pose(&pose(64, 64, vec![]), 64, 48, &DrawSettings::default());
    assert_eq!(image.dimensions(), (64, 48));
    assert!(image.as_raw().iter().all(|&value| value == 0));
    assert_eq!(draw_pose(&pose(0, 0, vec![]), 0, 0, &DrawSettings::default()).dimensions(), (0, 0));
}
