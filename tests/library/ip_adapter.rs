//! IP-Adapters, base and plus, against diffusers (see tests/fixtures/ip_adapter.py).

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use dreamtuner::model::config::{ImageEncoderConfig, UNetConfig};
use dreamtuner::model::image_encoder::ImageEncoder;
use dreamtuner::model::ip_adapter::ImageProjection;
use dreamtuner::model::subject_config::SubjectConfig;
use dreamtuner::model::transformer::AttentionContext;
use dreamtuner::model::unet::UNet;
use dreamtuner::model::weights::{
    Kind, NetworkFiles, Part, PartFiles, Preprocessor, SubjectEncoderFiles, inspect,
};

use crate::common::{assert_close, fixtures, relative_error, tensors};

const TOLERANCE: f64 = 1e-4;

fn unet_files() -> PartFiles {
    PartFiles::open(&fixtures().join("sd1"), Part::Unet).unwrap()
}

fn image_encoder() -> NetworkFiles<ImageEncoderConfig> {
    NetworkFiles::open(&fixtures().join("subject/image_encoder"), Part::ImageEncoder).unwrap()
}

fn adapter(kind: &str) -> dreamtuner::Result<SubjectEncoderFiles> {
    let path = fixtures().join(format!("ip_adapter/{kind}.safetensors"));
    SubjectEncoderFiles::open(&path, &unet_files(), Some((&image_encoder(), &Preprocessor::default())))
}

fn check(kind: &str) -> Result<()> {
    let expected = tensors("ip_adapter/expected.safetensors");
    let given = tensors("training/expected.safetensors");
    let files = image_encoder();
    let make = |vb: VarBuilder| ImageEncoder::new(&files.config, vb);
    let (eyes, _) = files.build(DType::F32, &Device::Cpu, &[], make).unwrap();
    let features = match kind {
        "base" => eyes.forward(&expected["pictures"])?,
        _ => eyes.penultimate(&expected["pictures"])?,
    };
    let adapter = adapter(kind).unwrap();
    let SubjectConfig::IpAdapter(config) = &adapter.encoder.config else { panic!("taken for another kind") };
    let make = |vb: VarBuilder| ImageProjection::new(config, vb);
    let (projection, report) = adapter.encoder.build(DType::F32, &Device::Cpu, &[], make).unwrap();
    assert!(report.unused.is_empty(), "{report}");
    let tokens = projection.forward(&features)?;
    assert_close("tokens", &tokens, &expected[&format!("{kind}.tokens")], TOLERANCE);

    let files = unet_files().with(&adapter.attention);
    let config = UNetConfig::from_json(&files.config_json).unwrap();
    let make = |vb: VarBuilder| UNet::new(&config, vb);
    let (unet, report) = files.build(DType::F32, &Device::Cpu, &[], make).unwrap();
    assert!(report.unused.is_empty(), "{report}");
    let (text, subject) = (unet.keys_values(&given["context"])?, unet.subject_keys_values(&tokens)?);
    let timesteps: Vec<f64> = given["timesteps"].to_dtype(DType::F64)?.to_vec1()?;
    let output = |strength: f64| -> Result<Tensor> {
        let mut context = AttentionContext::new(&text);
        context.subject = Some((&subject, strength));
        unet.forward(&given["latent"], &timesteps, &mut context, None)
    };
    assert_close("output", &output(0.6)?, &expected[&format!("{kind}.output")], TOLERANCE);
    assert!(relative_error(&output(0.0)?, &expected[&format!("{kind}.output")]) > 0.01);
    assert_eq!(
        inspect(&fixtures().join(format!("ip_adapter/{kind}.safetensors"))).unwrap().kind,
        Kind::IpAdapter
    );
    Ok(())
}

#[test]
fn the_base_model_is_diffusers() -> Result<()> {
    check("base")
}

#[test]
fn the_plus_model_is_diffusers() -> Result<()> {
    check("plus")
}

/// An adapter for another U-Net is refused, with the number of layers.
#[test]
fn adapters_of_other_networks_are_refused() {
    let path = fixtures().join("ip_adapter/base.safetensors");
    let other = PartFiles::open(&fixtures().join("sd2"), Part::Unet).unwrap();
    let error = SubjectEncoderFiles::open(&path, &other, Some((&image_encoder(), &Preprocessor::default())))
        .unwrap_err()
        .to_string();
    assert!(error.contains("base.safetensors") && error.contains("layers"), "{error}");
    let alone = SubjectEncoderFiles::open(&path, &unet_files(), None).unwrap_err().to_string();
    assert!(alone.contains("image_encoder"), "{alone}");
}
