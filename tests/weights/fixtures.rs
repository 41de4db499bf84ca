//! Files that diffusers wrote, or that it reads back as the same weights: every form holds the same numbers.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use dreamtuner::model::weights::{
    Kind, Lora, LoraNaming, ModelFiles, Part, PartFiles, TextualInversion, TokenizerFiles, inspect,
};
use serde_json::json;

use super::single_files::single_file;
use super::support::{fixtures, values};

/// Names that a network asks for.
fn names(part: &PartFiles) -> Vec<&str> {
    part.names().filter(|name| !name.ends_with("position_ids")).collect()
}

#[track_caller]
fn assert_same(left: &PartFiles, right: &PartFiles) {
    assert_eq!(names(left), names(right), "{left:?}, {right:?}");
    for name in names(left) {
        assert_eq!(left.shape(name), right.shape(name), "{name}");
        assert_eq!(values(&left.tensor(name).unwrap()), values(&right.tensor(name).unwrap()), "{name}");
    }
}

/// The fields that shapes tell must be those that diffusers wrote.
#[track_caller]
fn assert_inferred(inferred: &PartFiles, written: &PartFiles) {
    // Numbers of heads cannot be read off shapes; the small models have other ones than the real.
    let guessed = ["attention_head_dim", "num_attention_heads", "sample_size", "upcast_attention"];
    for (field, value) in inferred.config_json.as_object().unwrap() {
        let known = written
            .config_json
            .get(field)
            .filter(|_| !guessed.contains(&field.as_str()) && field != "architectures");
        if let Some(known) = known {
            let same = known == value || known.as_f64().is_some_and(|known| Some(known) == value.as_f64());
            assert!(same, "{field}: {value} inferred, {known} written");
        }
    }
}

fn open(path: impl AsRef<Path>) -> ModelFiles {
    ModelFiles::open(&fixtures().join(path)).unwrap()
}

/// A whole model in a single file.
fn whole_file(family: &str) -> PathBuf {
    match family {
        "sd1" => single_file(&fixtures(), "model"),
        _ => fixtures().join(family).join("single/model.safetensors"),
    }
}

fn parts(model: &ModelFiles) -> [&PartFiles; 3] {
    [&model.unet, &model.vae, &model.text_encoder]
}

#[test]
fn single_files_hold_the_weights_of_the_folders() {
    for folder in ["sd1", "sd2"] {
        let (single, whole) = (open(whole_file(folder)), open(folder));
        for (part, other) in parts(&single).into_iter().zip(parts(&whole)) {
            assert_same(part, other);
            assert_inferred(part, other);
        }
        for field in ["prediction_type", "beta_start", "beta_end", "beta_schedule", "num_train_timesteps"] {
            assert_eq!(single.scheduler.json()[field], whole.scheduler.json()[field], "{field}");
        }
        assert_eq!(single.unrecognised, Vec::<String>::new());
        assert_eq!(single.tokenizer, TokenizerFiles::Clip { pad_with_exclamation: folder == "sd2" });
    }
}

#[test]
fn single_files_can_take_the_configurations_of_a_folder() {
    let folder = fixtures().join("sd2");
    let single =
        ModelFiles::open_with_configs(&folder.join("single/model.safetensors"), Some(&folder)).unwrap();
    let whole = open("sd2");
    for (part, other) in parts(&single).into_iter().zip(parts(&whole)) {
        assert_eq!(part.config_json, other.config_json);
        assert_same(part, other);
    }
    assert_eq!((single.scheduler.json(), &single.tokenizer), (whole.scheduler.json(), &whole.tokenizer));
}

#[test]
fn control_networks_and_autoencoders_of_their_own() {
    let whole = open("sd1");
    let parts: [(&str, &PartFiles); 2] =
        [("controlnet", whole.controlnet.as_ref().unwrap()), ("vae", &whole.vae)];
    for (file, other) in parts {
        let path = single_file(&fixtures(), file);
        let part = PartFiles::open(&path, other.part()).unwrap();
        assert_same(&part, other);
        assert_inferred(&part, other);
    }
}

#[test]
fn shards_hold_the_weights_of_one_file() {
    let sharded = PartFiles::open(&fixtures().join("sd1/sharded"), Part::ControlNet).unwrap();
    assert_same(&sharded, open("sd1").controlnet.as_ref().unwrap());
}

#[test]
fn every_part_can_be_built_and_uses_every_tensor() {
    for path in ["sd1".into(), "sd2".into(), whole_file("sd1"), whole_file("sd2")] {
        let model = open(&path);
        for part in parts(&model).into_iter().chain(model.controlnet.as_deref()) {
            let ask = |vb: candle_nn::VarBuilder| {
                names(part).iter().try_for_each(|name| vb.get(part.shape(name).unwrap(), name).map(|_| ()))
            };
            let (_, report) = part.build(DType::F32, &Device::Cpu, &[], ask).unwrap();
            assert!(report.unused.is_empty(), "{}: {report}", path.display());
        }
    }
}

#[test]
fn inspection_of_every_form() {
    let [controlnet, vae, whole] = ["controlnet", "vae", "model"].map(|part| single_file(&fixtures(), part));
    for (path, kind, family) in [
        ("sd1", Kind::ModelFolder, Some("1.x")),
        ("sd2", Kind::ModelFolder, Some("2.x")),
        (whole.to_str().unwrap(), Kind::Checkpoint, Some("1.x")),
        ("sd2/single/model.safetensors", Kind::Checkpoint, Some("2.x")),
        (controlnet.to_str().unwrap(), Kind::Network(Part::ControlNet), Some("1.x")),
        ("sd1/controlnet", Kind::Network(Part::ControlNet), Some("1.x")),
        (vae.to_str().unwrap(), Kind::Network(Part::Vae), None),
        ("tiny_vae/diffusion_pytorch_model.safetensors", Kind::Network(Part::TinyVae), None),
        ("tiny_vae/taesd_decoder.safetensors", Kind::Network(Part::TinyVae), None),
        ("sd1/text_encoder", Kind::Network(Part::TextEncoder), None),
    ] {
        let description = inspect(&fixtures().join(path)).unwrap();
        assert_eq!((description.kind, description.supported), (kind, true), "{path}: {description}");
        let shown =
            description.family.as_deref().map(|family| family.trim_start_matches("Stable Diffusion "));
        assert_eq!(shown, family, "{path}");
    }
    let description = inspect(&fixtures().join("sd2/single/model.safetensors")).unwrap();
    assert_eq!(description.prediction_type.as_deref(), Some("v_prediction"));
    assert_eq!(description.parts[0].architecture["use_linear_projection"], json!(true));
}

/// All weights of a part with LoRAs merged, in the order of their names.
fn merged(part: &PartFiles, loras: &[(&Lora, f64)]) -> (Vec<Vec<f32>>, usize) {
    let ask = |vb: candle_nn::VarBuilder| {
        names(part).iter().map(|name| Ok(values(&vb.get(part.shape(name).unwrap(), name)?))).collect()
    };
    let (weights, report) = part.build(DType::F32, &Device::Cpu, loras, ask).unwrap();
    (weights, report.lora_layers)
}

#[test]
fn loras_of_every_naming_change_all_their_targets() {
    let model = open("sd1");
    let lora = |name: &str| Lora::open(&fixtures().join(format!("sd1/lora/{name}.safetensors"))).unwrap();
    for (name, naming) in [
        ("kohya", LoraNaming::Kohya),
        ("kohya_ldm", LoraNaming::Kohya),
        ("diffusers", LoraNaming::Peft),
        ("old", LoraNaming::Diffusers),
    ] {
        let lora = lora(name);
        assert_eq!((lora.naming(), lora.ranks()), (naming, vec![4]), "{name}");
        for part in [&*model.unet, &model.text_encoder] {
            let targets = lora.targets(part.part());
            let ((plain, _), (changed, layers)) = (merged(part, &[]), merged(part, &[(&lora, 0.8)]));
            let different = plain.iter().zip(&changed).filter(|(plain, changed)| plain != changed).count();
            assert_eq!((different, layers), (targets, targets), "{name}");
        }
    }
    let (kohya, ldm) = (lora("kohya"), lora("kohya_ldm"));
    assert_eq!((kohya.alphas(), kohya.targets(Part::Unet)), (ldm.alphas(), ldm.targets(Part::Unet)));
    for part in [&*model.unet, &model.text_encoder] {
        assert_eq!(merged(part, &[(&kohya, 0.8)]), merged(part, &[(&ldm, 0.8)]));
    }
}

#[test]
fn both_forms_of_a_textual_inversion_hold_the_same_vectors() {
    let open = |name: &str| {
        TextualInversion::open(&fixtures().join(format!("sd1/textual_inversion/{name}.safetensors"))).unwrap()
    };
    let (embedding, a1111) = (open("embedding"), open("a1111"));
    assert_eq!((embedding.word.as_str(), a1111.word.as_str()), ("<hero>", "a1111"));
    assert_eq!(values(&embedding.vectors), values(&a1111.vectors));
    let width = self::open("sd1").text_encoder.config.encoder.hidden_size;
    assert_eq!(embedding.vectors.dims(), [2, width]);
}
