//! What the tests against committed fixtures share.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use dreamtuner::puppet::Random;

/// The fixture folder: `DREAMTUNER_FIXTURES` where set, so that other models than the committed ones can be checked.
pub fn fixtures() -> PathBuf {
    std::env::var_os("DREAMTUNER_FIXTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from)
}

/// The tensors of a fixture file, by name.
pub fn tensors(path: &str) -> HashMap<String, Tensor> {
    let path = fixtures().join(path);
    candle_core::safetensors::load(&path, &Device::Cpu)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Standard normal values that are the same on every machine.
pub fn normal(seed: u64, shape: &[usize]) -> Tensor {
    let values = Random::new(seed, 0).normals(shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// The largest difference between two tensors, relative to the largest value expected.
pub fn relative_error(ours: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(ours.dims(), expected.dims(), "shapes differ");
    let values = |tensor: &Tensor| -> Vec<f64> {
        tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    let (ours, expected) = (values(ours), values(expected));
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let difference = ours.iter().zip(&expected).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
    // NaN must fail, and `max` would swallow it.
    if ours.iter().any(|value| value.is_nan()) { f64::NAN } else { difference / largest }
}

/// Asserts that two tensors agree to `tolerance`, relative to the largest value expected.
#[track_caller]
pub fn assert_close(name: &str, ours: &Tensor, expected: &Tensor, tolerance: f64) {
    let error = relative_error(ours, expected);
    println!("{name}: relative error {error:.2e}");
    assert!(error <= tolerance, "{name}: relative error {error:.2e}, allowed {tolerance:.0e}");
}
