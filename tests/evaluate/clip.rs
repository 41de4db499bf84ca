//! CLIP against transformers.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use dreamtuner::model::clip::{Clip, ClipFiles, cosine};
use dreamtuner::model::weights::ModelFiles;
use image::RgbImage;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip")
}

pub fn clip() -> Clip {
    Clip::load(&ClipFiles::open(&folder()).unwrap(), &Device::Cpu).unwrap()
}

pub fn picture(tensor: &Tensor) -> RgbImage {
    let (height, width, _) = tensor.dims3().unwrap();
    RgbImage::from_raw(width as u32, height as u32, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

#[track_caller]
pub fn assert_near(name: &str, ours: &[f32], expected: &Tensor, tolerance: f32) {
    let expected: Vec<f32> = expected.to_vec1().unwrap();
    assert_eq!(ours.len(), expected.len());
    let error = ours.iter().zip(&expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    println!("{name}: {error:.1e}");
    assert!(error <= tolerance, "{name}: differs by {error:.1e}");
}

#[test]
fn embeddings_are_those_of_transformers() {
    let clip = clip();
    let path = folder().join("expected.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let texts = header.metadata().clone().unwrap();
    assert_eq!(texts.len(), 3);
    for (name, text) in &texts {
        assert_near(name, &clip.text(text).unwrap(), &tensors[name], 1e-5);
    }
    let square = clip.image(&picture(&tensors["square"])).unwrap();
    assert_near("square", &square, &tensors["square.embedding"], 1e-5);
    let wide = clip.image(&picture(&tensors["wide"])).unwrap();
    assert_near("wide", &wide, &tensors["wide.embedding"], 1e-5);
    assert!((cosine(&square, &square) - 1.0).abs() < 1e-6);
}

#[test]
fn a_model_without_image_encoder_has_no_clip() {
    let model = ModelFiles::open(&folder().join("../sd1")).unwrap();
    assert!(ClipFiles::of_model(&model).is_none());
    let error = ClipFiles::open(&folder().join("../sd1")).unwrap_err().to_string();
    assert!(error.contains("sd1"), "{error}");
}
