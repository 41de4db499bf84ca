//! Small files to load.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use dreamtuner::error::Error;

/// Named tensors on the way to a file.
pub type Tensors = Vec<(String, Tensor)>;

/// A tensor with values that depend on its name, f32, between -1 and 1.
pub fn tensor(name: &str, shape: &[usize]) -> Tensor {
    let seed = name.bytes().fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let count = shape.iter().product::<usize>() as u32;
    let value = |index: u32| {
        let mixed = (index.wrapping_add(seed)).wrapping_mul(2_654_435_761) >> 20;
        mixed as f32 / 2048.0 - 1.0
    };
    Tensor::from_vec((0..count).map(value).collect(), shape, &Device::Cpu).unwrap()
}

/// Tensors by name and shape.
pub fn tensors(list: &[(&str, &[usize])]) -> Tensors {
    list.iter().map(|(name, shape)| ((*name).to_owned(), tensor(name, shape))).collect()
}

/// Writes a safetensors file.
pub fn save(path: &Path, tensors: &[(String, Tensor)]) {
    save_with(path, tensors, &[]);
}

/// Writes a safetensors file with notes in its header.
pub fn save_with(path: &Path, tensors: &[(String, Tensor)], notes: &[(&str, &str)]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let notes: HashMap<_, _> =
        notes.iter().map(|(name, note)| ((*name).to_owned(), (*note).to_owned())).collect();
    let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    safetensors::serialize_to_file(tensors, (!notes.is_empty()).then_some(notes), path).unwrap();
}

/// A folder that is removed at the end of the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file, and its folder.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// All values, f32.
pub fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The words of an error, which must name the file.
pub fn words<T>(result: Result<T, Error>, path: &Path) -> String {
    let words = result.err().expect("an error").to_string();
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(words.contains(name), "{words} does not name {name}");
    words
}

/// Asserts that a text holds each of the pieces.
#[track_caller]
pub fn assert_says(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is missing in: {text}");
    }
}

/// The fixtures that diffusers wrote.
pub fn fixtures() -> PathBuf {
    match std::env::var_os("DREAMTUNER_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
    }
}

/// A U-Net of one layer per resolution, two resolutions, the second without attention; canonical names.
pub fn small_unet() -> Tensors {
    let mut list: Vec<(String, Vec<usize>)> = vec![
        ("conv_in.weight".into(), vec![32, 4, 3, 3]),
        ("conv_in.bias".into(), vec![32]),
        ("conv_out.weight".into(), vec![4, 32, 3, 3]),
        ("conv_out.bias".into(), vec![4]),
        ("down_blocks.0.downsamplers.0.conv.weight".into(), vec![32, 32, 3, 3]),
    ];
    for (block, channels) in
        [("down_blocks.0", 32), ("down_blocks.1", 64), ("up_blocks.0", 64), ("up_blocks.1", 32)]
    {
        list.push((format!("{block}.resnets.0.conv1.weight"), vec![channels, 32, 3, 3]));
        if channels == 32 {
            let attention = format!("{block}.attentions.0");
            list.push((format!("{attention}.proj_in.weight"), vec![32, 32, 1, 1]));
            for (layer, width) in [("attn1.to_q", 32), ("attn1.to_out.0", 32), ("attn2.to_k", 24)] {
                list.push((format!("{attention}.transformer_blocks.0.{layer}.weight"), vec![32, width]));
            }
        }
    }
    list.into_iter().map(|(name, shape)| (name.clone(), tensor(&name, &shape))).collect()
}
