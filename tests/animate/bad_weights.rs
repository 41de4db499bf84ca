//! Weights that cannot be used, through the program: exit code 4 and the file's name.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::single_files::single_file;
use super::support::{Stage, repository, text};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { write_copy(&entry.path(), &target) }
    }
}

/// A copy that may be changed, whatever the original's permissions.
fn write_copy(from: &Path, to: &Path) {
    std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
}

/// A stage with a model of its own, of which one network's tensors are changed.
fn changed(part: &str, change: impl FnOnce(&mut HashMap<String, Tensor>)) -> Stage {
    let stage = Stage::new(1);
    for folder in ["unet", "vae", "text_encoder", "tokenizer", "scheduler", "controlnet"] {
        copy(&repository("tests/fixtures/sd1").join(folder), &stage.path("model").join(folder));
    }
    write_copy(&repository("tests/fixtures/sd1/model_index.json"), &stage.path("model/model_index.json"));
    let file = weights(&stage, part);
    let mut tensors = candle_core::safetensors::load(&file, &Device::Cpu).unwrap();
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, file).unwrap();
    stage
}

fn weights(stage: &Stage, part: &str) -> std::path::PathBuf {
    let name = if part == "text_encoder" { "model" } else { "diffusion_pytorch_model" };
    stage.path(&format!("model/{part}/{name}.safetensors"))
}

fn a_key(tensors: &HashMap<String, Tensor>) -> String {
    let mut keys: Vec<_> =
        tensors.iter().filter(|(_, tensor)| tensor.rank() == 4).map(|(key, _)| key).collect();
    keys.sort();
    let fallback = || tensors.keys().min().unwrap().clone();
    keys.get(keys.len() / 2).map_or_else(fallback, |key| (*key).clone())
}

#[test]
fn missing_misshaped_and_not_finite_tensors() {
    for part in ["unet", "vae", "controlnet", "text_encoder"] {
        let mut key = String::new();
        let stage = changed(part, |tensors| {
            key = a_key(tensors);
            tensors.remove(&key);
        });
        stage.refuses("--model model", 4, &[part, &key]);
        let stage = changed(part, |tensors| {
            let shape = tensors[&key].elem_count();
            let flat = tensors[&key].reshape(shape).unwrap();
            tensors.insert(key.clone(), flat);
        });
        stage.refuses("--model model", 4, &[part, &key]);
        let stage = changed(part, |tensors| {
            let nan = (tensors[&key].zeros_like().unwrap() + f64::NAN).unwrap();
            tensors.insert(key.clone(), nan);
        });
        stage.refuses("--model model", 4, &[part, &key, "NaN"]);
    }
}

#[test]
fn files_that_lie_or_are_cut_off() {
    for part in ["unet", "vae", "controlnet", "text_encoder"] {
        let stage = changed(part, |_| ());
        let file = weights(&stage, part);
        let bytes = std::fs::read(&file).unwrap();
        for content in [&bytes[..bytes.len() - 100], &bytes[..5], &[0xff; 64], b"PK\x03\x04pickle", b""] {
            std::fs::write(&file, content).unwrap();
            stage.refuses("--model model", 4, &[part]);
        }
        std::fs::remove_file(&file).unwrap();
        stage.refuses("--model model", 4, &[part]);
    }
}

#[test]
fn other_kinds_of_weights() {
    let stage = changed("unet", |tensors| {
        let wide = Tensor::zeros((32, 9, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        tensors.insert("conv_in.weight".into(), wide);
    });
    let config = std::fs::read_to_string(stage.path("model/unet/config.json")).unwrap();
    stage.write("model/unet/config.json", config.replace("\"in_channels\": 4", "\"in_channels\": 9"));
    stage.refuses("--model model", 4, &["unet", "inpainting"]);
    stage.write("model.ckpt", "PK\x03\x04");
    stage.refuses("--model model.ckpt", 4, &["model.ckpt", "pickle", "safetensors"]);
    stage.refuses("--vae model.ckpt", 4, &["model.ckpt", "pickle"]);
    stage.refuses("--controlnet model.ckpt", 4, &["model.ckpt", "pickle"]);
    stage.refuses("--lora model.ckpt", 4, &["model.ckpt", "pickle"]);
    stage.refuses("--embedding model.ckpt", 4, &["model.ckpt", "pickle"]);
    let vae = text(&single_file(&repository("tests/fixtures"), "vae"));
    stage.refuses(&format!("--lora {vae}"), 4, &["vae.safetensors"]);
    stage.refuses(&format!("--tiny-vae {vae}"), 4, &["vae.safetensors", "tiny VAE"]);
    // It enlarges by four, the model's own by two.
    let (other, tiny) = (repository("tests/fixtures/sd2"), repository("tests/fixtures/tiny_vae"));
    let arguments = format!("--model {} --tiny-vae {}", text(&other), text(&tiny));
    stage.refuses(&arguments, 4, &["tiny_vae", "4", "2"]);
    stage.refuses(&format!("--embedding {vae}"), 4, &["vae.safetensors"]);
    stage.refuses(&format!("--controlnet {vae}"), 4, &["vae.safetensors"]);
    stage.refuses(&format!("--model {vae}"), 4, &["vae.safetensors"]);
    let lora = text(&repository("tests/fixtures/sd1/lora/lora.safetensors"));
    stage.refuses(&format!("--vae {lora}"), 4, &["lora.safetensors"]);
    // Made for another family.
    let other = text(&repository("tests/fixtures/sd2/controlnet"));
    stage.refuses(&format!("--controlnet {other}"), 4, &["controlnet"]);
    stage.refuses(&format!("--model-config {vae}"), 4, &["vae.safetensors"]);
}

#[test]
fn configurations_that_are_damaged() {
    for part in ["unet", "vae", "text_encoder", "controlnet"] {
        let stage = changed(part, |_| ());
        let path = format!("model/{part}/config.json");
        let good = std::fs::read_to_string(stage.path(&path)).unwrap();
        for content in ["", "{", "[]", "{\"block_out_channels\": [-1]}", &good.replace("32", "1000000000000")]
        {
            stage.write(&path, content);
            let run = stage.animate("--model model");
            let code = run.code;
            assert!(matches!(code, Some(2..=4)), "{part} {content}: {code:?} {}", run.stderr);
            run.failed(code.unwrap(), &[part]);
        }
    }
    let stage = changed("unet", |_| ());
    let good = std::fs::read_to_string(stage.path("model/unet/config.json")).unwrap();
    stage.write("model/unet/config.json", good.replace("up_block_types", "other"));
    stage.refuses("--model model", 4, &["unet", "up_block_types", "0 entries"]);
    let stage = changed("unet", |_| ());
    stage.write("model/scheduler/scheduler_config.json", "{\"num_train_timesteps\": 0}");
    let run = stage.animate("--model model");
    let code = run.code.unwrap();
    run.failed(code, &["num_train_timesteps"]);
}
