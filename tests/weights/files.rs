//! Folders, shards, stored types, and what building a network reports.

use candle_core::{DType, Device, Tensor};
use dreamtuner::model::weights::{ModelFiles, Part, PartFiles, TokenizerFiles};

use super::support::{assert_says, folder, save, small_unet, tensors, values, words, write};

const UNET: &str = r#"{"_class_name": "UNet2DConditionModel", "in_channels": 4, "out_channels": 4}"#;

#[test]
fn the_builtin_model_opens_and_every_tensor_can_be_read() {
    let model = ModelFiles::builtin().unwrap();
    let parts: [&PartFiles; 4] =
        [&model.unet, &model.vae, &model.text_encoder, model.controlnet.as_ref().unwrap()];
    for part in parts {
        let names: Vec<_> = part.names().map(str::to_owned).collect();
        assert!(names.len() > 10);
        let (count, report) = part
            .build(DType::F32, &Device::Cpu, &[], |vb| {
                for name in &names {
                    vb.get(part.shape(name).unwrap(), name)?;
                }
                Ok(names.len())
            })
            .unwrap();
        assert_eq!((count, report.unused.len()), (names.len(), 0));
        assert_eq!(part.fingerprint().len(), 64);
    }
    assert!(model.scheduler.json().get("num_train_timesteps").is_some());
    assert!(matches!(model.tokenizer, TokenizerFiles::Contents { .. }));
}

#[test]
fn stored_types_all_arrive_as_the_type_asked_for() {
    let folder = folder();
    // Exact in every type.
    let wanted = [0.5f32, -1.25, 3.0, 0.0];
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let path = folder.path().join(format!("{}.safetensors", dtype.as_str()));
        let mut all = small_unet();
        let stored = Tensor::new(&wanted, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        all.push(("mid_block.test.bias".into(), stored));
        save(&path, &all);
        let part = PartFiles::open(&path, Part::Unet).unwrap();
        for target in [DType::F16, DType::BF16, DType::F32] {
            let (tensor, _) =
                part.build(target, &Device::Cpu, &[], |vb| vb.pp("mid_block").get(4, "test.bias")).unwrap();
            assert_eq!((tensor.dtype(), values(&tensor)), (target, wanted.to_vec()));
        }
    }
}

#[test]
fn shards_variants_and_indices_give_the_same_tensors() {
    let folder = folder();
    let all = small_unet();
    let (left, right) = all.split_at(4);
    let at = |name: &str| folder.path().join(name);
    save(&at("one/diffusion_pytorch_model.safetensors"), &all);
    save(&at("fp16/diffusion_pytorch_model.fp16.safetensors"), &all);
    for form in ["shards/diffusion_pytorch_model", "variant/diffusion_pytorch_model.fp16"] {
        save(&at(&format!("{form}-00001-of-00002.safetensors")), left);
        save(&at(&format!("{form}-00002-of-00002.safetensors")), right);
    }
    save(&at("index/a.safetensors"), left);
    save(&at("index/b.safetensors"), right);
    let index = r#"{"weight_map": {"conv_in.weight": "a.safetensors", "conv_out.bias": "b.safetensors"}}"#;
    write(&at("index/diffusion_pytorch_model.safetensors.index.json"), index);
    for name in ["one", "fp16", "shards", "variant", "index"] {
        write(&at(name).join("config.json"), UNET);
        let part = PartFiles::open(&at(name), Part::Unet).unwrap();
        assert_eq!(part.names().count(), all.len(), "{name}");
        for (key, tensor) in &all {
            assert_eq!(values(&part.tensor(key).unwrap()), values(tensor), "{name}: {key}");
        }
    }
}

#[test]
fn a_missing_shard_is_named() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write(&at("config.json"), UNET);
    save(&at("diffusion_pytorch_model-00001-of-00002.safetensors"), &small_unet());
    assert_says(&words(PartFiles::open(folder.path(), Part::Unet), folder.path()), &["1 of 2 shards"]);
    let index = r#"{"weight_map": {"a": "diffusion_pytorch_model-00001-of-00002.safetensors", "b": "../b.safetensors"}}"#;
    let path = at("diffusion_pytorch_model.safetensors.index.json");
    write(&path, index);
    assert_says(
        &words(PartFiles::open(folder.path(), Part::Unet), &path),
        &["../b.safetensors", "not in the folder"],
    );
}

#[test]
fn everything_that_does_not_fit_is_listed_in_one_error() {
    let folder = folder();
    let path = folder.path().join("unet.safetensors");
    let mut all = small_unet();
    let bad = Tensor::new(&[1.0f32, f32::NAN], &Device::Cpu).unwrap();
    all.push(("mid_block.norm.bias".into(), bad));
    all.push(("mid_block.counter.weight".into(), Tensor::new(&[1i64, 2], &Device::Cpu).unwrap()));
    save(&path, &all);
    let part = PartFiles::open(&path, Part::Unet).unwrap();
    let result = part.build(DType::F32, &Device::Cpu, &[], |vb| {
        assert!(vb.contains_tensor("conv_in.weight"));
        assert!(!vb.contains_tensor("conv_in.scale"));
        let placeholder = vb.get((2, 3), "absent.one.weight")?;
        assert_eq!(placeholder.dims(), [2, 3]);
        // A configuration with absurd sizes must cost no memory.
        vb.get((1 << 20, 1 << 11), "absent.large.weight")?;
        vb.get((32, 9, 3, 3), "conv_in.weight")?;
        vb.get(2, "mid_block.norm.bias")?;
        vb.get(2, "mid_block.counter.weight")
    });
    assert_says(
        &words(result, &path),
        &[
            "missing (2)",
            "absent.one.weight [2, 3]",
            "absent.large.weight",
            "conv_in.weight: [32, 4, 3, 3] in the file, [32, 9, 3, 3] in the network",
            "mid_block.norm.bias: holds NaN or infinity",
            "mid_block.counter.weight: is stored as I64",
        ],
    );
}

#[test]
fn an_error_of_the_network_itself_is_passed_on() {
    let folder = folder();
    let path = folder.path().join("unet.safetensors");
    save(&path, &small_unet());
    let part = PartFiles::open(&path, Part::Unet).unwrap();
    let result = part.build(DType::F32, &Device::Cpu, &[], |vb| {
        vb.get(32, "conv_in.bias")?;
        candle_core::bail!("heads do not divide the channels") as candle_core::Result<()>
    });
    assert_says(&result.unwrap_err().to_string(), &["heads do not divide the channels"]);
}

#[test]
fn values_past_the_end_of_f16_are_an_error_there_and_fine_elsewhere() {
    let folder = folder();
    let path = folder.path().join("unet.safetensors");
    let mut all = small_unet();
    all.push(("mid_block.norm.bias".into(), Tensor::new(&[1.0f32, -70_000.0], &Device::Cpu).unwrap()));
    save(&path, &all);
    let part = PartFiles::open(&path, Part::Unet).unwrap();
    let build = |dtype| part.build(dtype, &Device::Cpu, &[], |vb| vb.get(2, "mid_block.norm.bias"));
    assert_says(
        &words(build(DType::F16), &path),
        &["mid_block.norm.bias", "7.000e4", "6.55040e4", "use f32"],
    );
    assert_eq!(values(&build(DType::F32).unwrap().0), [1.0, -70_000.0]);
    build(DType::BF16).unwrap();
}

#[test]
fn unused_tensors_are_reported_except_harmless_ones() {
    let folder = folder();
    let path = folder.path().join("text.safetensors");
    let list: &[(&str, &[usize])] = &[
        ("text_model.embeddings.token_embedding.weight", &[10, 64]),
        ("text_model.embeddings.position_embedding.weight", &[77, 64]),
        ("text_model.embeddings.position_ids", &[1, 77]),
        ("text_model.encoder.layers.0.mlp.fc1.weight", &[256, 64]),
        ("logit_scale", &[]),
        ("text_model.surprise", &[3]),
    ];
    save(&path, &tensors(list));
    let part = PartFiles::open(&path, Part::TextEncoder).unwrap();
    let (_, report) = part
        .build(DType::F32, &Device::Cpu, &[], |vb| {
            vb.get((10, 64), "embeddings.token_embedding.weight")?;
            vb.get((77, 64), "embeddings.position_embedding.weight")?;
            vb.pp("encoder.layers.0").get((256, 64), "mlp.fc1.weight")
        })
        .unwrap();
    assert_eq!(report.unused, ["text_model.surprise"]);
    assert_says(&report.to_string(), &["unused (1):\n  text_model.surprise"]);
}

#[test]
fn fingerprints_follow_the_bytes_and_the_configuration() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let mut all = small_unet();
    save(&at("a/diffusion_pytorch_model.safetensors"), &all);
    save(&at("b/diffusion_pytorch_model.safetensors"), &all);
    save(&at("config/diffusion_pytorch_model.safetensors"), &all);
    all.last_mut().unwrap().1 = (all.last().unwrap().1.clone() + 1.0).unwrap();
    save(&at("bytes/diffusion_pytorch_model.safetensors"), &all);
    let fingerprint = |name: &str| {
        write(&at(name).join("config.json"), if name == "config" { r#"{"in_channels": 4}"# } else { UNET });
        PartFiles::open(&at(name), Part::Unet).unwrap().fingerprint()
    };
    assert_eq!(fingerprint("a"), fingerprint("b"));
    assert_ne!(fingerprint("a"), fingerprint("config"));
    assert_ne!(fingerprint("a"), fingerprint("bytes"));
}
