use std::io::Cursor;

use dreamtuner_pose::{
    ControlKind, DrawSettings, Joint, Keypoint, Person, Pose, StickWidth, classify, draw_pose, swap_red_blue,
};
use image::{ImageFormat, Rgb, RgbImage, imageops};

use crate::figures::{pose, standing};

/// A generator of numbers in [0, 1) that gives the same ones every time.
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.next()
    }
}

/// A figure in a random pose: all angles, proportions, leanings; at times mirrored, from behind, upper body only.
fn random_person(numbers: &mut Numbers, width: f32, height: f32) -> Person {
    let size = height * numbers.between(0.3, 0.95);
    let (x, y) = (width * numbers.between(0.3, 0.7), height * numbers.between(0.4, 0.6));
    let lean = numbers.between(-0.6, 0.6);
    let turn = numbers.between(0.25, 1.0);
    let mirror = if numbers.next() < 0.3 { -1.0 } else { 1.0 };
    let mut body: [Option<Keypoint>; Joint::COUNT] = [None; Joint::COUNT];
    let mut put = |joint: Joint, (px, py): (f32, f32)| {
        let (sin, cos) = lean.sin_cos();
        let (px, py) = (px * turn * mirror * size, py * size);
        body[joint as usize] =
            Some(Keypoint { x: x + px * cos - py * sin, y: y + px * sin + py * cos, confidence: 1.0 });
    };
    use Joint::*;
    let nod = numbers.between(-0.02, 0.02);
    put(Nose, (nod, -0.38));
    put(Neck, (0.0, -0.27));
    for (side, [shoulder, elbow, wrist, hip, knee, ankle, eye, ear]) in [
        (-1.0, [RightShoulder, RightElbow, RightWrist, RightHip, RightKnee, RightAnkle, RightEye, RightEar]),
        (1.0, [LeftShoulder, LeftElbow, LeftWrist, LeftHip, LeftKnee, LeftAnkle, LeftEye, LeftEar]),
    ] {
        let mut chain = |from: (f32, f32), low: f32, high: f32, length: f32| {
            let angle = numbers.between(low, high);
            (from.0 + side * angle.sin() * length, from.1 + angle.cos() * length)
        };
        let (at_shoulder, at_hip) = ((side * 0.1, -0.26), (side * 0.06, 0.0));
        let at_elbow = chain(at_shoulder, -0.4, 3.0, 0.15);
        let at_knee = chain(at_hip, -0.2, 1.3, 0.2);
        put(shoulder, at_shoulder);
        put(elbow, at_elbow);
        put(wrist, chain(at_elbow, -1.0, 3.5, 0.14));
        put(hip, at_hip);
        put(knee, at_knee);
        put(ankle, chain(at_knee, -1.0, 0.8, 0.2));
        put(eye, (nod + side * 0.025, -0.4));
        put(ear, (nod + side * 0.06, -0.39));
    }
    let kind = numbers.next();
    if kind < 0.25 {
        [Nose, RightEye, LeftEye].iter().for_each(|&joint| body[joint as usize] = None);
    } else if kind < 0.4 {
        [RightKnee, RightAnkle, LeftKnee, LeftAnkle].iter().for_each(|&joint| body[joint as usize] = None);
    }
    Person { body, ..Person::default() }
}

/// What H.264 at a low rate does: colour at half the resolution, then coarse steps.
fn compressed(image: &RgbImage, quality: u8) -> RgbImage {
    let (width, height) = image.dimensions();
    let halved = imageops::thumbnail(image, width.div_ceil(2), height.div_ceil(2));
    let blurred = imageops::resize(&halved, width, height, imageops::FilterType::Nearest);
    let luma = |p: &Rgb<u8>| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
    let mixed = RgbImage::from_fn(width, height, |x, y| {
        let color = blurred.get_pixel(x, y);
        let shift = luma(image.get_pixel(x, y)) - luma(color);
        Rgb(color.0.map(|channel| (f32::from(channel) + shift).clamp(0.0, 255.0) as u8))
    });
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(Cursor::new(&mut bytes), quality);
    mixed.write_with_encoder(encoder).unwrap();
    image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).unwrap().to_rgb8()
}

/// Share of right answers for single pictures and for groups of eight, over both orders of the channels.
fn accuracy(width: u32, height: u32, quality: Option<u8>, stick_width: StickWidth) -> (f32, f32) {
    let mut numbers = Numbers::new(u64::from(width) * 31 + u64::from(quality.unwrap_or(0)));
    let (mut singles, mut groups) = (0, 0);
    const GROUPS: usize = 6;
    for group in 0..GROUPS {
        let swapped = group % 2 == 1;
        let samples: Vec<RgbImage> = (0..8)
            .map(|_| {
                let person = random_person(&mut numbers, width as f32, height as f32);
                let settings = DrawSettings { stick_width, ..DrawSettings::default() };
                let mut image = draw_pose(&pose(width, height, vec![person]), width, height, &settings);
                if swapped {
                    swap_red_blue(&mut image);
                }
                quality.map_or(image.clone(), |quality| compressed(&image, quality))
            })
            .collect();
        let right = ControlKind::Skeleton { swapped };
        singles += samples.iter().filter(|sample| classify(std::slice::from_ref(sample)) == right).count();
        groups += usize::from(classify(&samples) == right);
    }
    (singles as f32 / (8 * GROUPS) as f32, groups as f32 / GROUPS as f32)
}

#[test]
fn random_skeletons_and_their_channel_order_are_recognised() {
    for (width, height, quality, stick) in [
        (512, 512, None, StickWidth::Proportional),
        (512, 512, Some(40), StickWidth::Proportional),
        (768, 512, Some(75), StickWidth::Fixed),
        (1280, 720, Some(60), StickWidth::BySize),
        (256, 256, Some(60), StickWidth::Proportional),
        (128, 128, Some(75), StickWidth::Proportional),
        (64, 64, None, StickWidth::Proportional),
    ] {
        let (singles, groups) = accuracy(width, height, quality, stick);
        eprintln!("{width}×{height} {quality:?} {stick:?}: singles {singles:.3}, groups {groups:.3}");
        assert!(singles >= 0.9, "{width}×{height} {quality:?}: {singles} of single pictures");
        assert_eq!(groups, 1.0, "{width}×{height} {quality:?}: groups of eight");
    }
}

#[test]
fn hands_faces_several_people_and_empty_frames_are_no_hindrance() {
    let mut person = standing(180.0, 256.0, 420.0);
    let (wrist, nose) = (person.joint(Joint::LeftWrist).unwrap(), person.joint(Joint::Nose).unwrap());
    let around = |center: Keypoint, radius: f32, n: usize| {
        let angle = n as f32 * 2.4;
        let (x, y) = (center.x + radius * angle.cos(), center.y + radius * angle.sin());
        Some(Keypoint { x, y, confidence: 1.0 })
    };
    person.left_hand = Some(Box::new(std::array::from_fn(|n| around(wrist, n as f32 * 1.5, n))));
    person.face = Some(Box::new(std::array::from_fn(|n| around(nose, 10.0 + n as f32 / 3.0, n))));
    let two = pose(512, 512, vec![person, standing(400.0, 300.0, 250.0)]);
    let mut image = draw_pose(&two, 512, 512, &DrawSettings::default());
    let black = RgbImage::new(512, 512);
    assert_eq!(
        classify(&[black.clone(), image.clone(), black.clone()]),
        ControlKind::Skeleton { swapped: false }
    );
    swap_red_blue(&mut image);
    assert_eq!(classify(&[image, black]), ControlKind::Skeleton { swapped: true });
}

fn why(samples: &[RgbImage]) -> String {
    match classify(samples) {
        ControlKind::NotSkeleton { why } => why,
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn other_pictures_are_not_skeletons() {
    assert!(why(&[]).contains("no pictures"));
    assert!(why(&[RgbImage::new(64, 64)]).contains("black"));
    assert!(why(&[RgbImage::from_pixel(64, 64, Rgb([90, 120, 200]))]).contains("are black"));
    let person = pose(256, 256, vec![standing(128.0, 128.0, 220.0)]);
    let skeleton = draw_pose(&person, 256, 256, &DrawSettings::default());
    // A skeleton over a photograph is not a control image.
    let mut over = skeleton.clone();
    over.enumerate_pixels_mut().filter(|(_, _, p)| p.0 == [0; 3]).for_each(|(x, y, p)| {
        *p = Rgb([120 + (x % 50) as u8, 100 + (y % 70) as u8, 90]);
    });
    why(&[over]);
    // A white line drawing on black, such as edges.
    let mut white = skeleton.clone();
    white.pixels_mut().filter(|p| p.0 != [0; 3]).for_each(|p| *p = Rgb([255; 3]));
    assert!(why(&[white]).contains("coloured"));
    // One colour, two colours, and coloured lights at random on a dark stage.
    for (seed, colors) in [(1, 1), (2, 2), (3, 3), (4, 40), (5, 400)] {
        let mut numbers = Numbers::new(seed);
        let mut stage = RgbImage::new(256, 256);
        for _ in 0..colors {
            let color =
                Rgb([0, 1, 2].map(|_| if numbers.next() < 0.5 { 0 } else { (numbers.next() * 255.0) as u8 }));
            let center = (numbers.between(0.0, 256.0) as i32, numbers.between(0.0, 256.0) as i32);
            let radius = if colors > 10 { 3 } else { 12 };
            imageproc::drawing::draw_filled_circle_mut(&mut stage, center, radius, color);
        }
        why(&[stage]);
    }
    // A rainbow has every hue, but only beside the next one.
    let rainbow = RgbImage::from_fn(256, 256, |x, y| {
        let joint = Joint::ALL[(x * 18 / 256) as usize];
        if (100..140).contains(&y) { joint.color() } else { Rgb([0; 3]) }
    });
    why(&[rainbow]);
}

#[test]
fn mostly_ordinary_pictures_are_not_skeletons() {
    let person = pose(256, 256, vec![standing(128.0, 128.0, 220.0)]);
    let skeleton = draw_pose(&person, 256, 256, &DrawSettings::default());
    let photo = RgbImage::from_pixel(256, 256, Rgb([90, 120, 200]));
    why(&[photo.clone(), skeleton, photo]);
}

#[test]
fn swapping_twice_changes_nothing() {
    let person: Pose = pose(64, 64, vec![standing(32.0, 32.0, 60.0)]);
    let image = draw_pose(&person, 64, 64, &DrawSettings::default());
    let mut twice = image.clone();
    swap_red_blue(&mut twice);
    assert_ne!(twice, image);
    swap_red_blue(&mut twice);
    assert_eq!(twice, image);
}
