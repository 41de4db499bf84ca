//! DINO against transformers.

use std::path::{Path, PathBuf};

use candle_core::Device;
use dreamtuner::model::dino::{Dino, DinoFiles};
use tempfile::TempDir;

use crate::clip::{assert_near, picture};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dino")
}

#[test]
fn embeddings_are_those_of_transformers() {
    let dino = Dino::load(&DinoFiles::open(&folder()).unwrap(), &Device::Cpu).unwrap();
    let tensors =
        candle_core::safetensors::load(folder().join("expected.safetensors"), &Device::Cpu).unwrap();
    let square = dino.image(&picture(&tensors["square"])).unwrap();
    assert_near("square", &square, &tensors["square.embedding"], 1e-5);
    let wide = dino.image(&picture(&tensors["wide"])).unwrap();
    // From 40 to 24 pixels, linearly, some colours come out halfway between two bytes, and floats fall to either side.
    assert_near("wide", &wide, &tensors["wide.embedding"], 5e-4);
}

/// Another network, or pictures that nobody knows how to prepare, are refused by name.
#[test]
fn what_is_no_dino_is_refused() {
    let error = DinoFiles::open(&folder().join("../clip")).unwrap_err().to_string();
    assert!(error.contains("clip") && error.contains("vision transformer"), "{error}");
    let copy = TempDir::new().unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(folder().join(name), copy.path().join(name)).unwrap();
    }
    let error = DinoFiles::open(copy.path()).unwrap_err().to_string();
    assert!(error.contains("preprocessor_config.json"), "{error}");
    let prepare = |json: &str| {
        std::fs::write(copy.path().join("preprocessor_config.json"), json).unwrap();
        DinoFiles::open(copy.path())
    };
    let colours = r#""image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]"#;
    let error = prepare(&format!(r#"{{{colours}, "resample": 7}}"#)).unwrap_err().to_string();
    assert!(error.contains("resample 7"), "{error}");
    assert!(prepare(&format!(r#"{{{colours}, "resample": 3}}"#)).is_ok());
}
