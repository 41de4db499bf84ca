//! BLIP against transformers (see `fixtures/blip/make.py`).

use std::path::Path;

use candle_core::{Device, Tensor};
use dreamtuner::model::captioner::Captioner;
use dreamtuner::model::weights::{Kind, Part, inspect};
use image::RgbImage;

use crate::common::fixtures;

fn picture(tensor: &Tensor) -> RgbImage {
    let (height, width, _) = tensor.dims3().unwrap();
    let bytes = tensor.flatten_all().unwrap().to_vec1().unwrap();
    RgbImage::from_raw(width as u32, height as u32, bytes).unwrap()
}

#[test]
fn captions_are_those_of_transformers() {
    let folder = fixtures().join("blip");
    let mut captioner = Captioner::open(&folder, &Device::Cpu).unwrap();
    let bytes = std::fs::read(folder.join("expected.safetensors")).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let texts = header.metadata().as_ref().unwrap();
    let pictures = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    assert_eq!(pictures.len(), 2);
    for (name, tensor) in &pictures {
        assert_eq!(captioner.caption(&picture(tensor)).unwrap(), texts[name], "{name}");
    }
    let description = inspect(&folder).unwrap();
    assert_eq!(description.kind, Kind::Network(Part::Captioner));
}

fn copied(folder: &Path, without: &str) {
    for entry in std::fs::read_dir(fixtures().join("blip")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != without {
            std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn what_is_no_captioner_is_refused() {
    let refused = |folder: &Path| Captioner::open(folder, &Device::Cpu).unwrap_err().to_string();
    let other = refused(&fixtures().join("dino"));
    assert!(other.contains("describes a") && other.contains("captioner"), "{other}");

    let folder = tempfile::tempdir().unwrap();
    copied(folder.path(), "tokenizer.json");
    let without = refused(folder.path());
    assert!(without.contains("tokenizer.json") && without.contains("No such file"), "{without}");

    std::fs::write(folder.path().join("tokenizer.json"), r#"{"model": {"vocab": {"word": 99999999}}}"#)
        .unwrap();
    let lying = refused(folder.path());
    assert!(lying.contains("99999999"), "{lying}");

    std::fs::write(folder.path().join("vocab.txt"), "few\nwords\n").unwrap();
    let mut captioner = Captioner::open(folder.path(), &Device::Cpu).unwrap();
    let few = captioner.caption(&RgbImage::new(24, 24)).unwrap_err().to_string();
    assert!(few.contains("the vocabulary has 2"), "{few}");

    let config = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
    std::fs::write(folder.path().join("config.json"), config.replace("\"gelu\"", "\"relu\"")).unwrap();
    let activation = refused(folder.path());
    assert!(activation.contains("config.json") && activation.contains("relu"), "{activation}");
}
