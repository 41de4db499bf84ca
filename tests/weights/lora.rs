//! LoRA: namings, scales, convolutions, and what is refused.

use candle_core::{DType, Device, Tensor};
use dreamtuner::model::weights::{Lora, LoraNaming, Part, PartFiles};

use super::support::{
    Tensors, assert_says, folder, save, save_with, small_unet, tensor, tensors, values, words,
};

const QUERY: &str = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
const OUT: &str = "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0";

fn unet(folder: &std::path::Path) -> PartFiles {
    let path = folder.join("unet.safetensors");
    save(&path, &small_unet());
    PartFiles::open(&path, Part::Unet).unwrap()
}

fn merged(part: &PartFiles, loras: &[(&Lora, f64)], name: &str) -> Vec<f32> {
    let shape = part.shape(name).unwrap().to_vec();
    values(&part.build(DType::F32, &Device::Cpu, loras, |vb| vb.get(shape, name)).unwrap().0)
}

fn assert_near(left: &[f32], right: &[f32]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert!((left - right).abs() < 1e-5, "{left} and {right}");
    }
}

/// `W + scale · up · down` by three loops.
fn expected(weight: &Tensor, down: &Tensor, up: &Tensor, scale: f32) -> Vec<f32> {
    let (outputs, rank) = (weight.dims()[0], down.dims()[0]);
    let inputs = weight.elem_count() / outputs;
    let (mut weight, down, up) = (values(weight), values(down), values(up));
    for o in 0..outputs {
        for i in 0..inputs {
            let product: f32 = (0..rank).map(|r| up[o * rank + r] * down[r * inputs + i]).sum();
            weight[o * inputs + i] += scale * product;
        }
    }
    weight
}

fn pair(down: &str, up: &str) -> Tensors {
    vec![(down.to_owned(), tensor("down", &[4, 32])), (up.to_owned(), tensor("up", &[32, 4]))]
}

#[test]
fn every_naming_reaches_the_same_weight() {
    let folder = folder();
    let part = unet(folder.path());
    let kohya = |block: &str| {
        let module = format!("lora_unet_{block}_transformer_blocks_0_attn1_to_out_0");
        pair(&format!("{module}.lora_down.weight"), &format!("{module}.lora_up.weight"))
    };
    let processor = OUT.replace(".to_out.0", ".processor.to_out_lora");
    let forms = [
        (LoraNaming::Kohya, kohya("up_blocks_1_attentions_0")),
        // One layer and so two blocks a resolution: the second resolution from below begins at 2.
        (LoraNaming::Kohya, kohya("output_blocks_2_1")),
        (LoraNaming::Peft, pair(&format!("unet.{OUT}.lora_A.weight"), &format!("unet.{OUT}.lora_B.weight"))),
        (
            LoraNaming::Peft,
            pair(&format!("unet.{OUT}.lora_A.default.weight"), &format!("unet.{OUT}.lora_B.default.weight")),
        ),
        (
            LoraNaming::Peft,
            pair(
                &format!("base_model.model.{OUT}.lora_A.weight"),
                &format!("base_model.model.{OUT}.lora_B.weight"),
            ),
        ),
        (
            LoraNaming::Diffusers,
            pair(&format!("unet.{OUT}.lora.down.weight"), &format!("unet.{OUT}.lora.up.weight")),
        ),
        (
            LoraNaming::Diffusers,
            pair(&format!("unet.{processor}.down.weight"), &format!("unet.{processor}.up.weight")),
        ),
        (LoraNaming::Diffusers, pair(&format!("{processor}.down.weight"), &format!("{processor}.up.weight"))),
    ];
    let name = format!("{OUT}.weight");
    let wanted = expected(&tensor(&name, &[32, 32]), &tensor("down", &[4, 32]), &tensor("up", &[32, 4]), 0.5);
    for (naming, all) in forms {
        let path = folder.path().join("lora.safetensors");
        save(&path, &all);
        let lora = Lora::open(&path).unwrap();
        assert_eq!((lora.naming(), lora.ranks(), lora.targets(Part::Unet)), (naming, vec![4], 1));
        assert_near(&merged(&part, &[(&lora, 0.5)], &name), &wanted);
    }
}

#[test]
fn namings_of_the_text_encoder_reach_the_same_weight() {
    let folder = folder();
    let path = folder.path().join("text.safetensors");
    let name = "encoder.layers.0.self_attn.q_proj.weight";
    let mut all = tensors(&[
        ("embeddings.token_embedding.weight", &[10, 32]),
        ("embeddings.position_embedding.weight", &[77, 32]),
        ("encoder.layers.0.mlp.fc1.weight", &[128, 32]),
    ]);
    all.push((name.to_owned(), tensor(name, &[32, 32])));
    save(&path, &all);
    let part = PartFiles::open(&path, Part::TextEncoder).unwrap();
    let wanted = expected(&tensor(name, &[32, 32]), &tensor("down", &[4, 32]), &tensor("up", &[32, 4]), 1.0);
    for (down, up) in [
        (
            "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight",
            "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight",
        ),
        (
            "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight",
            "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight",
        ),
        (
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down.weight",
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight",
        ),
        (
            "text_encoder.encoder.layers.0.self_attn.q_proj.lora_A.weight",
            "text_encoder.encoder.layers.0.self_attn.q_proj.lora_B.weight",
        ),
        (
            "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down.weight",
            "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.up.weight",
        ),
    ] {
        let path = folder.path().join("lora.safetensors");
        save(&path, &pair(down, up));
        let lora = Lora::open(&path).unwrap();
        assert_near(&merged(&part, &[(&lora, 1.0)], name), &wanted);
    }
}

#[test]
fn alpha_scales_wherever_it_stands() {
    let folder = folder();
    let part = unet(folder.path());
    let path = folder.path().join("lora.safetensors");
    let name = format!("{QUERY}.weight");
    let by = |scale| {
        expected(&tensor(&name, &[32, 32]), &tensor("down", &[4, 32]), &tensor("up", &[32, 4]), scale)
    };
    let module = format!("lora_unet_{}", QUERY.replace('.', "_"));
    for alpha in [Tensor::new(2.0f32, &Device::Cpu).unwrap(), Tensor::new(&[2i64], &Device::Cpu).unwrap()] {
        let mut all = pair(&format!("{module}.lora_down.weight"), &format!("{module}.lora_up.weight"));
        all.push((format!("{module}.alpha"), alpha));
        save(&path, &all);
        let lora = Lora::open(&path).unwrap();
        assert_eq!(lora.alphas(), [2.0]);
        assert_near(&merged(&part, &[(&lora, 1.0)], &name), &by(0.5));
        assert_near(&merged(&part, &[(&lora, -3.0)], &name), &by(-1.5));
    }
    let all = pair(&format!("unet.{QUERY}.lora_A.weight"), &format!("unet.{QUERY}.lora_B.weight"));
    for (notes, scale) in [
        (r#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {}}"#, 2.0),
        (r#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"attn1.to_q": 1}}"#, 0.25),
        (r#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.use_rslora": true}"#, 4.0),
    ] {
        save_with(&path, &all, &[("lora_adapter_metadata", notes)]);
        assert_near(&merged(&part, &[(&Lora::open(&path).unwrap(), 1.0)], &name), &by(scale));
    }
}

#[test]
fn several_add_up_and_weight_zero_changes_nothing() {
    let folder = folder();
    let part = unet(folder.path());
    let name = format!("{QUERY}.weight");
    let open = |file: &str, scale: f64| {
        let path = folder.path().join(file);
        let mut all = pair(&format!("unet.{QUERY}.lora_A.weight"), &format!("unet.{QUERY}.lora_B.weight"));
        all[1].1 = (all[1].1.clone() * scale).unwrap();
        save(&path, &all);
        Lora::open(&path).unwrap()
    };
    let (one, two) = (open("one.safetensors", 1.0), open("two.safetensors", 2.0));
    let (weight, down, up) = (tensor(&name, &[32, 32]), tensor("down", &[4, 32]), tensor("up", &[32, 4]));
    assert_near(&merged(&part, &[(&one, 1.0), (&two, 0.5)], &name), &expected(&weight, &down, &up, 2.0));
    assert_eq!(merged(&part, &[(&one, 0.0)], &name), values(&weight));
    let (_, report) =
        part.build(DType::F32, &Device::Cpu, &[(&one, 1.0)], |vb| vb.get((32, 32), &name)).unwrap();
    assert_eq!(report.lora_layers, 1);
    let result = part.build(DType::F32, &Device::Cpu, &[(&one, f64::NAN)], |vb| vb.get((32, 32), &name));
    assert_says(&result.unwrap_err().to_string(), &["lora", "NaN"]);
    // Both infinities occur, so that their sum is not a number.
    let loras = [(&one, 1e300), (&two, -1e300)];
    let result = part.build(DType::F32, &Device::Cpu, &loras, |vb| vb.get((32, 32), &name));
    assert_says(&result.unwrap_err().to_string(), &[QUERY, "inf with the LoRA merged"]);
}

#[test]
fn convolutions_and_the_tucker_form() {
    let folder = folder();
    let part = unet(folder.path());
    let path = folder.path().join("lora.safetensors");
    let weight = tensor("conv_in.weight", &[32, 4, 3, 3]);
    let (down, up) = (tensor("down", &[2, 4, 3, 3]), tensor("up", &[32, 2, 1, 1]));
    let named = |down: &Tensor, up: &Tensor| {
        vec![
            ("lora_unet_conv_in.lora_down.weight".to_owned(), down.clone()),
            ("lora_unet_conv_in.lora_up.weight".to_owned(), up.clone()),
        ]
    };
    save(&path, &named(&down, &up));
    let plain = merged(&part, &[(&Lora::open(&path).unwrap(), 1.0)], "conv_in.weight");
    assert_near(&plain, &expected(&weight, &down, &up, 1.0));

    let (down, mid, up) =
        (tensor("d", &[3, 4, 1, 1]), tensor("m", &[2, 3, 3, 3]), tensor("u", &[32, 2, 1, 1]));
    let mut all = named(&down, &up);
    all.push(("lora_unet_conv_in.lora_mid.weight".to_owned(), mid.clone()));
    all.push(("lora_unet_conv_in.alpha".to_owned(), Tensor::new(3.0f32, &Device::Cpu).unwrap()));
    save(&path, &all);
    let tucker = merged(&part, &[(&Lora::open(&path).unwrap(), 1.0)], "conv_in.weight");
    let (mut wanted, down, mid, up) = (values(&weight), values(&down), values(&mid), values(&up));
    for (place, value) in wanted.iter_mut().enumerate() {
        let (o, i, k) = (place / 36, place / 9 % 4, place % 9);
        for n in 0..2 {
            for m in 0..3 {
                *value += up[o * 2 + n] * mid[(n * 3 + m) * 9 + k] * down[m * 4 + i];
            }
        }
    }
    assert_near(&tucker, &wanted);

    // A linear pair for a 1×1 convolution, as files of SD 2.x-style training have it.
    let name = "down_blocks.0.attentions.0.proj_in";
    save(&path, &pair(&format!("unet.{name}.lora_A.weight"), &format!("unet.{name}.lora_B.weight")));
    let weight = tensor(&format!("{name}.weight"), &[32, 32, 1, 1]);
    let wanted = expected(&weight, &tensor("down", &[4, 32]), &tensor("up", &[32, 4]), 1.0);
    assert_near(&merged(&part, &[(&Lora::open(&path).unwrap(), 1.0)], &format!("{name}.weight")), &wanted);
}

#[test]
fn a_lora_that_does_not_fit_says_what_does_not() {
    let folder = folder();
    let part = unet(folder.path());
    let path = folder.path().join("lora.safetensors");
    let build = |lora: &Lora| {
        part.build(DType::F32, &Device::Cpu, &[(lora, 1.0)], |vb| {
            vb.get((32, 32), &format!("{QUERY}.weight"))
        })
    };
    save(&path, &pair("lora_unet_other_layer.lora_down.weight", "lora_unet_other_layer.lora_up.weight"));
    assert_says(&words(build(&Lora::open(&path).unwrap()), &path), &["does not have", "other_layer"]);
    for (down, up) in [(vec![4, 48], vec![32, 4]), (vec![4, 32], vec![48, 4]), (vec![4, 32], vec![32, 8])] {
        let keys = [format!("unet.{QUERY}.lora_A.weight"), format!("unet.{QUERY}.lora_B.weight")];
        save(&path, &tensors(&[(&keys[0], &down), (&keys[1], &up)]));
        let text = words(build(&Lora::open(&path).unwrap()), &path);
        assert_says(&text, &[QUERY, "does not give the shape [32, 32]", &format!("{down:?}")]);
    }
    let mut all = pair(&format!("unet.{QUERY}.lora_A.weight"), &format!("unet.{QUERY}.lora_B.weight"));
    all[0].1 = (all[0].1.clone() * f64::INFINITY).unwrap();
    save(&path, &all);
    assert_says(&words(build(&Lora::open(&path).unwrap()), &path), &["lora_A", "NaN or infinity"]);
    let vae = dreamtuner::model::weights::ModelFiles::builtin().unwrap().vae;
    let lora = Lora::open(&path).unwrap();
    let result = vae.build(DType::F32, &Device::Cpu, &[(&lora, 1.0)], |_| Ok(()));
    assert_says(&words(result, &path), &["not the VAE"]);
}

#[test]
fn other_files_and_kinds_are_refused_with_their_keys() {
    let folder = folder();
    let path = folder.path().join("lora.safetensors");
    let module = format!("lora_unet_{}", QUERY.replace('.', "_"));
    for (key, kind) in [
        (format!("{module}.dora_scale"), "DoRA"),
        (format!("unet.{QUERY}.lora_magnitude_vector.weight"), "DoRA"),
        (format!("{module}.hada_w1_a"), "LoHa"),
        (format!("{module}.lokr_w1"), "LoKr"),
        ("lora_te2_text_model_x.lora_down.weight".to_owned(), "SDXL"),
        (format!("{module}.diff"), "not those of a LoRA"),
        ("model.diffusion_model.out.2.weight".to_owned(), "not those of a LoRA"),
    ] {
        let mut all = pair(&format!("{module}.lora_down.weight"), &format!("{module}.lora_up.weight"));
        all.push((key.clone(), tensor("x", &[2])));
        save(&path, &all);
        assert_says(&words(Lora::open(&path), &path), &[kind, &key]);
    }
    save(&path, &pair(&format!("{module}.lora_down.weight"), "lora_unet_x.lora_up.weight"));
    assert_says(&words(Lora::open(&path), &path), &["lacks the up or the down weight"]);
    save(&path, &[]);
    assert_says(&words(Lora::open(&path), &path), &["no tensors"]);
}
