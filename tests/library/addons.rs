//! LoRA and textual inversion against diffusers, through the networks they change (see tests/fixtures/README.md).

use candle_core::{DType, Device, Tensor};
use dreamtuner::model::config::{TextConfig, UNetConfig};
use dreamtuner::model::text::TextEncoder;
use dreamtuner::model::transformer::AttentionContext;
use dreamtuner::model::unet::UNet;
use dreamtuner::model::weights::{Lora, ModelFiles, Part, PartFiles, TextualInversion};
use dreamtuner::model::{DeviceSettings, LoadOptions, StableDiffusion};

use crate::common::{assert_close, fixtures, relative_error, tensors};

/// Largest relative error of a network with add-ons.
const TOLERANCE: f64 = 1e-4;

fn lora(name: &str) -> Lora {
    Lora::open(&fixtures().join(format!("sd1/lora/{name}.safetensors"))).unwrap()
}

fn unet_output(loras: &[(&Lora, f64)]) -> Tensor {
    let inputs = tensors("sd1/expected.safetensors");
    let files = PartFiles::open(&fixtures().join("sd1"), Part::Unet).unwrap();
    let config = UNetConfig::from_json(&files.config_json).unwrap();
    let unet = files.build(DType::F32, &Device::Cpu, loras, |vb| UNet::new(&config, vb)).unwrap().0;
    let time = inputs["unet.timestep"].to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap()[0];
    let text = unet.keys_values(&inputs["unet.context"]).unwrap();
    unet.forward(&inputs["unet.sample"], &[time], &mut AttentionContext::new(&text), None).unwrap()
}

fn text_output(loras: &[(&Lora, f64)]) -> Tensor {
    let inputs = tensors("sd1/expected.safetensors");
    let files = PartFiles::open(&fixtures().join("sd1"), Part::TextEncoder).unwrap();
    let config = TextConfig::from_json(&files.config_json).unwrap();
    let encoder =
        files.build(DType::F32, &Device::Cpu, loras, |vb| TextEncoder::new(&config, None, vb)).unwrap().0;
    encoder.forward(&inputs["text.ids"].to_dtype(DType::U32).unwrap(), 1).unwrap()
}

#[test]
fn each_naming_of_lora() {
    let expected = tensors("sd1/lora/lora.safetensors");
    let plain = unet_output(&[]);
    for name in ["kohya", "kohya_ldm", "diffusers", "old"] {
        let lora = lora(name);
        let output = unet_output(&[(&lora, 0.8)]);
        assert!(relative_error(&output, &plain) > 10.0 * TOLERANCE, "{name} changes nothing");
        assert_close(name, &output, &expected[&format!("unet.{name}")], TOLERANCE);
        if let Some(text) = expected.get(&format!("text.{name}")) {
            assert_close(name, &text_output(&[(&lora, 0.8)]), text, TOLERANCE);
        }
    }
}

#[test]
fn two_loras_at_once() {
    let expected = tensors("sd1/lora/lora.safetensors");
    let (first, second) = (lora("kohya"), lora("diffusers"));
    let both = [(&first, 0.8), (&second, 0.5)];
    assert_close("U-Net", &unet_output(&both), &expected["unet.both"], TOLERANCE);
    assert_close("text encoder", &text_output(&both), &expected["text.both"], TOLERANCE);
}

#[test]
fn textual_inversion_in_a_prompt() {
    let folder = fixtures().join("sd1/textual_inversion");
    let bytes = std::fs::read(folder.join("expected.safetensors")).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let prompt = header.metadata().as_ref().unwrap()["prompt"].clone();
    let expected = tensors("sd1/textual_inversion/expected.safetensors");
    for (file, prompt) in [("embedding", prompt.clone()), ("a1111", prompt.replace("<hero>", "a1111"))] {
        let word = TextualInversion::open(&folder.join(format!("{file}.safetensors"))).unwrap();
        let options =
            LoadOptions { device: DeviceSettings::cpu(), loras: vec![], textual_inversions: vec![word] };
        let files = ModelFiles::open(&fixtures().join("sd1")).unwrap();
        let model = StableDiffusion::load(&files, &options, &mut |_, _| {}).unwrap();
        let ids: Vec<u32> = model.prompt_encoder.tokenizer.chunks(&prompt).unwrap().remove(0).tokens;
        let expected_ids: Vec<i64> = expected["text.ids"].flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(ids, expected_ids.iter().map(|&id| id as u32).collect::<Vec<_>>(), "{file}");
        let found = model.encode_prompt(&prompt, 1).unwrap().context;
        assert_close(file, &found, &expected["text.hidden"], TOLERANCE);
    }
}
