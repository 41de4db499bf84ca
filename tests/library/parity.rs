//! Every network against diffusers and transformers, on small random models (see tests/fixtures/README.md).

use candle_core::{DType, Device, Tensor};
use dreamtuner::model::config::{TextConfig, TinyVaeConfig, UNetConfig, VaeConfig};
use dreamtuner::model::controlnet::ControlNet;
use dreamtuner::model::text::TextEncoder;
use dreamtuner::model::tiny_vae::TinyVae;
use dreamtuner::model::transformer::AttentionContext;
use dreamtuner::model::unet::UNet;
use dreamtuner::model::vae::Vae;
use dreamtuner::model::weights::{Part, PartFiles};

use crate::common::{assert_close, fixtures, tensors};

/// Largest relative error of every network.
const TOLERANCE: f64 = 1e-4;

fn part(family: &str, part: Part) -> PartFiles {
    PartFiles::open(&fixtures().join(family), part).unwrap()
}

fn unet(family: &str) -> UNet {
    let files = part(family, Part::Unet);
    let config = UNetConfig::from_json(&files.config_json).unwrap();
    files.build(DType::F32, &Device::Cpu, &[], |vb| UNet::new(&config, vb)).unwrap().0
}

fn vae(family: &str) -> Vae {
    let files = part(family, Part::Vae);
    let config = VaeConfig::from_json(&files.config_json).unwrap();
    files.build(DType::F32, &Device::Cpu, &[], |vb| Vae::new(&config, vb)).unwrap().0
}

fn timestep(tensor: &Tensor) -> f64 {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()[0]
}

fn check_text_encoder(family: &str) {
    let expected = tensors(&format!("{family}/expected.safetensors"));
    let files = part(family, Part::TextEncoder);
    let config = TextConfig::from_json(&files.config_json).unwrap();
    let encoder =
        files.build(DType::F32, &Device::Cpu, &[], |vb| TextEncoder::new(&config, None, vb)).unwrap().0;
    let ids = expected["text.ids"].to_dtype(DType::U32).unwrap();
    assert_close("last layer", &encoder.forward(&ids, 1).unwrap(), &expected["text.hidden"], TOLERANCE);
    assert_close("clip skip 2", &encoder.forward(&ids, 2).unwrap(), &expected["text.skip2"], TOLERANCE);
}

fn check_vae(family: &str) {
    let expected = tensors(&format!("{family}/expected.safetensors"));
    let vae = vae(family);
    let latent = vae.encoder.encode(&expected["vae.image"]).unwrap();
    assert_close("encoded", &latent, &expected["vae.latent"], TOLERANCE);
    assert_close(
        "decoded",
        &vae.decoder.decode(&expected["vae.latent"]).unwrap(),
        &expected["vae.decoded"],
        TOLERANCE,
    );
}

fn check_unet(family: &str, case: &str) {
    let expected = tensors(&format!("{family}/expected.safetensors"));
    let of = |name: &str| &expected[&format!("{case}.{name}")];
    let unet = unet(family);
    let text = unet.keys_values(of("context")).unwrap();
    let mut context = AttentionContext::new(&text);
    let output = unet.forward(of("sample"), &[timestep(of("timestep"))], &mut context, None).unwrap();
    assert_close(case, &output, of("output"), TOLERANCE);
}

fn check_controlnet(family: &str) {
    let expected = tensors(&format!("{family}/expected.safetensors"));
    let files = part(family, Part::ControlNet);
    let config = UNetConfig::from_json(&files.config_json).unwrap();
    let network = files.build(DType::F32, &Device::Cpu, &[], |vb| ControlNet::new(&config, vb)).unwrap().0;
    let (sample, context) = (&expected["unet.sample"], &expected["unet.context"]);
    let time = timestep(&expected["unet.timestep"]);
    let embedded = network.embed(&expected["controlnet.condition"]).unwrap();
    let text = network.keys_values(context).unwrap();
    let residuals = network.forward(sample, &[time], &text, &embedded).unwrap();
    for (index, residual) in residuals.down.iter().enumerate() {
        assert_close("residual", residual, &expected[&format!("controlnet.down.{index}")], TOLERANCE);
    }
    assert_close("middle residual", &residuals.mid, &expected["controlnet.mid"], TOLERANCE);
    let unet = unet(family);
    let text = unet.keys_values(context).unwrap();
    for (name, strength) in [("controlnet.output", 1.0), ("controlnet.output_half", 0.5)] {
        let residuals = residuals.scale(strength).unwrap();
        let output =
            unet.forward(sample, &[time], &mut AttentionContext::new(&text), Some(&residuals)).unwrap();
        assert_close(name, &output, &expected[name], TOLERANCE);
    }
}

#[test]
fn text_encoder_of_sd1() {
    check_text_encoder("sd1");
}

#[test]
fn text_encoder_of_sd2() {
    check_text_encoder("sd2");
}

#[test]
fn vae_of_sd1() {
    check_vae("sd1");
}

#[test]
fn vae_of_sd2() {
    check_vae("sd2");
}

#[test]
fn unet_of_sd1() {
    check_unet("sd1", "unet");
}

#[test]
fn unet_of_sd1_at_an_odd_size() {
    check_unet("sd1", "unet_odd");
}

#[test]
fn unet_of_sd2() {
    check_unet("sd2", "unet");
}

#[test]
fn controlnet_of_sd1() {
    check_controlnet("sd1");
}

#[test]
fn controlnet_of_sd2() {
    check_controlnet("sd2");
}

/// As diffusers stores it, and its decoder alone as its authors do.
#[test]
fn tiny_vae() {
    let folder = fixtures().join("tiny_vae");
    let expected = tensors("tiny_vae/expected.safetensors");
    let alone = tempfile::tempdir().unwrap();
    let decoder = alone.path().join("taesd_decoder.safetensors");
    std::fs::copy(folder.join("taesd_decoder.safetensors"), &decoder).unwrap();
    for path in [&folder, &decoder] {
        let files = PartFiles::open(path, Part::TinyVae).unwrap();
        let config = TinyVaeConfig::from_json(&files.config_json).unwrap();
        let (vae, report) =
            files.build(DType::F32, &Device::Cpu, &[], |vb| TinyVae::new(&config, vb)).unwrap();
        assert!(report.unused.is_empty(), "{report}");
        assert_eq!(vae.factor(), 4);
        let picture = vae.decode(&expected["latent"]).unwrap();
        assert_close("decoded", &picture, &expected["picture"], TOLERANCE);
    }
}
