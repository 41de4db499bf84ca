//! U²-Net-p against the file that its authors published.

use std::path::Path;

use dreamtuner::detect::U2Net;
use image::RgbImage;

/// Pixels of a side of what the network sees; pictures of this size are not scaled.
const SIDE: u32 = 320;

/// Largest difference of probabilities.
const TOLERANCE: f32 = 1e-4;

/// A picture, its edge repeated up to the network's size.
fn padded(picture: &RgbImage) -> RgbImage {
    let margin = (SIDE - picture.width()) / 2;
    let inside = |place: u32| place.saturating_sub(margin).min(picture.width() - 1);
    RgbImage::from_fn(SIDE, SIDE, |x, y| *picture.get_pixel(inside(x), inside(y)))
}

/// onnxruntime's probabilities of every eighth pixel from the fourth on.
#[test]
fn sees_what_the_published_graph_sees() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let expected = candle_core::safetensors::load(
        fixtures.join("u2netp/expected.safetensors"),
        &candle_core::Device::Cpu,
    );
    let expected = expected.unwrap();
    assert_eq!(expected.len(), 3);
    for (name, expected) in expected {
        let picture = image::open(fixtures.join(format!("movenet/{name}.png"))).unwrap().into_rgb8();
        let seen = U2Net::published().unwrap().look(&padded(&picture)).unwrap();
        let expected: Vec<Vec<f32>> = expected.to_vec2().unwrap();
        for (row, y) in expected.iter().zip((4..).step_by(8)) {
            for (&expected, x) in row.iter().zip((4..).step_by(8)) {
                let error = (seen.get_pixel(x, y)[0] - expected).abs();
                assert!(error < TOLERANCE, "{name}, ({x}, {y}): {error} beside {expected}");
            }
        }
    }
}

#[test]
fn probabilities_have_the_size_of_the_picture() {
    for (width, height) in [(1, 1), (64, 200), (500, 320)] {
        let picture = RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, 90]));
        let seen = U2Net::published().unwrap().look(&picture).unwrap();
        assert_eq!(seen.dimensions(), (width, height));
        assert!(seen.pixels().all(|pixel| (0.0..=1.0).contains(&pixel[0])));
    }
}
