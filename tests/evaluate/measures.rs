//! Measures of pictures.

use std::path::Path;

use candle_core::{Device, Tensor};
use dreamtuner::evaluate::metrics::{
    JointCount, colour_likeness, flicker, joints_found, lab, mean_absolute_difference,
    mean_absolute_difference_inside, psnr, share_of_change, ssim,
};
use dreamtuner::evaluate::statistics::estimate;
use dreamtuner::pose::{Joint, Keypoint, Person, Pose};
use dreamtuner::puppet::Part;
use image::{GrayImage, Luma, Rgb, RgbImage, imageops};

fn fixture() -> impl Fn(&str) -> Tensor {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/metrics/expected.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    move |name| tensors[name].clone()
}

fn picture(tensor: &Tensor) -> RgbImage {
    let (height, width, _) = tensor.dims3().unwrap();
    RgbImage::from_raw(width as u32, height as u32, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

fn plain(side: u32, value: u8) -> RgbImage {
    RgbImage::from_pixel(side, side, Rgb([value; 3]))
}

#[test]
fn ssim_psnr_and_lab_are_those_of_scikit_image() {
    let tensor = fixture();
    for pair in 0..3 {
        let (a, b) = (picture(&tensor(&format!("a.{pair}"))), picture(&tensor(&format!("b.{pair}"))));
        let expected = |name: &str| tensor(&format!("{name}.{pair}")).to_vec1::<f64>().unwrap()[0];
        let (ours, theirs) = (ssim(&a, &b).unwrap(), expected("ssim"));
        assert!((ours - theirs).abs() < 1e-6, "SSIM {ours}, scikit-image {theirs}");
        assert!((psnr(&a, &b) - expected("psnr")).abs() < 1e-6);
    }
    let colours: Vec<Vec<u8>> = tensor("colours").to_vec2().unwrap();
    let expected: Vec<Vec<f64>> = tensor("lab").to_vec2().unwrap();
    for (colour, expected) in colours.iter().zip(&expected) {
        let ours = lab([colour[0], colour[1], colour[2]]);
        let error =
            ours.iter().zip(expected).fold(0.0f64, |most, (a, b)| most.max((f64::from(*a) - b).abs()));
        assert!(error < 0.02, "{colour:?}: {ours:?}, scikit-image {expected:?}");
    }
}

#[test]
fn differences_are_counted_in_steps_of_a_channel() {
    let (a, b) = (plain(16, 100), plain(16, 110));
    assert_eq!(mean_absolute_difference(&a, &b), 10.0);
    assert_eq!(psnr(&a, &a), 100.0);
    assert!((ssim(&a, &a).unwrap() - 1.0).abs() < 1e-12);
    assert!(ssim(&plain(10, 1), &plain(10, 1)).is_none());
    let mut mask = GrayImage::new(16, 16);
    assert_eq!(mean_absolute_difference_inside(&a, &b, &mask), 0.0);
    mask.put_pixel(3, 3, Luma([255]));
    let mut c = a.clone();
    c.put_pixel(3, 3, Rgb([130, 130, 130]));
    assert_eq!(mean_absolute_difference_inside(&a, &c, &mask), 30.0);
}

#[test]
fn flicker_is_change_that_the_truth_does_not_have() {
    let moving = [plain(4, 10), plain(4, 20), plain(4, 10)];
    assert_eq!(flicker(&moving, &moving), Some(0.0));
    let brighter: Vec<RgbImage> = moving.iter().map(|frame| plain(4, frame.get_pixel(0, 0)[0] + 5)).collect();
    assert_eq!(flicker(&brighter, &moving), Some(0.0));
    assert_eq!(
        flicker(&[plain(4, 0), plain(4, 7), plain(4, 0)], &[plain(4, 9), plain(4, 9), plain(4, 9)]),
        Some(7.0)
    );
    assert_eq!(flicker(&moving[..1], &moving[..1]), None);
}

#[test]
fn a_change_is_shown_from_none_to_all_of_it() {
    let (before, after) = (plain(4, 10), plain(4, 110));
    for (value, share) in [(10, 0.0), (35, 0.25), (110, 1.0), (210, 2.0)] {
        assert_eq!(share_of_change(&plain(4, value), &before, &after), Some(share));
    }
    // Pixels that do not change do not count.
    let mut result = before.clone();
    result.put_pixel(1, 1, Rgb([255, 0, 0]));
    let mut moved = before.clone();
    moved.put_pixel(3, 3, Rgb([60, 60, 60]));
    assert_eq!(share_of_change(&result, &before, &moved), Some(0.0));
    assert_eq!(share_of_change(&result, &before, &before), None);
}

#[test]
fn a_part_of_another_colour_is_less_alike() {
    let truth = plain(20, 200);
    let mut labels = GrayImage::from_pixel(20, 20, Luma([Part::Top as u8]));
    labels.put_pixel(0, 0, Luma([Part::Hair as u8]));
    let alike = colour_likeness(&truth, &truth, &labels);
    assert_eq!(alike[&Part::Top], 1.0);
    assert!(alike.contains_key(&Part::Hair) && !alike.contains_key(&Part::Shoes));
    let grey = colour_likeness(&plain(20, 180), &truth, &labels)[&Part::Top];
    let red = colour_likeness(&RgbImage::from_pixel(20, 20, Rgb([200, 0, 0])), &truth, &labels)[&Part::Top];
    assert!(red == 0.0 && grey > 0.8 && grey < 1.0, "grey {grey}, red {red}");
}

/// A picture of coloured spots, no two alike, and a pose on it.
fn spotted() -> (RgbImage, Pose) {
    let wave = |x: u32, y: u32, a: f32, b: f32| {
        (127.0 + 120.0 * (x as f32 * a + (y as f32 * b).sin() * 3.0).sin()) as u8
    };
    let image = RgbImage::from_fn(128, 128, |x, y| {
        Rgb([wave(x, y, 0.31, 0.17), wave(y, x, 0.23, 0.15), wave(x, y, 0.15, 0.27)])
    });
    let mut person = Person::default();
    let joints = [(Joint::Neck, 64.0, 40.0), (Joint::RightHip, 56.0, 80.0), (Joint::LeftHip, 72.0, 80.0)];
    for (joint, x, y) in
        joints.into_iter().chain([(Joint::RightWrist, 30.0, 60.0), (Joint::LeftAnkle, 126.0, 100.0)])
    {
        person.body[joint as usize] = Keypoint::seen(x, y, 1.0);
    }
    (image, Pose { width: 128, height: 128, people: vec![person] })
}

#[test]
fn joints_are_found_where_they_are_and_not_elsewhere() {
    let (image, pose) = spotted();
    // The ankle's surroundings leave the picture.
    assert_eq!(joints_found(&image, &image, &pose), JointCount { sought: 4, found: 4 });
    let moved = |by: i64| {
        let mut moved = plain(128, 0);
        imageops::replace(&mut moved, &image, by, 0);
        joints_found(&moved, &image, &pose)
    };
    // A tenth of the torso is 4 pixels.
    assert_eq!(moved(3).share(), Some(1.0));
    assert_eq!(moved(7).share(), Some(0.0));
    assert_eq!(joints_found(&plain(128, 255), &image, &pose), JointCount { sought: 4, found: 0 });
    assert_eq!(joints_found(&plain(128, 255), &plain(128, 255), &pose).share(), None);
}

#[test]
fn intervals_shrink_with_the_sample() {
    let few = estimate(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    let many = estimate(&[1.0, 2.0, 3.0, 4.0].repeat(25)).unwrap();
    assert_eq!((few.mean, few.count), (2.5, 4));
    assert!(few.low < 2.5 && few.high > 2.5 && many.margin() < few.margin() / 3.0);
    // The normal approximation of the larger sample: 1.96 · 1.118 / 10.
    assert!((many.margin() - 0.219).abs() < 0.02, "{}", many.margin());
    assert_eq!(estimate(&[3.0]).unwrap().margin(), 0.0);
    assert!(estimate(&[]).is_none());
    assert_eq!(estimate(&[1.0, 5.0]), estimate(&[1.0, 5.0]));
}
