//! Names in CompVis, OpenCLIP and older diffusers files, against names written out by hand.

use candle_core::{DType, Device};
use dreamtuner::diffusion::PredictionType;
use dreamtuner::model::config::PerLevel;
use dreamtuner::model::weights::{ModelFiles, Part, PartFiles, TokenizerFiles};
use serde_json::json;

use super::support::{folder, save, save_with, tensor, tensors, values, write};

/// Names of SD 1.5: two layers a resolution, four resolutions, the last without attention.
const UNET: [(&str, &str); 24] = [
    ("time_embed.0.weight", "time_embedding.linear_1.weight"),
    ("time_embed.2.bias", "time_embedding.linear_2.bias"),
    ("input_blocks.0.0.weight", "conv_in.weight"),
    ("input_blocks.1.0.in_layers.0.weight", "down_blocks.0.resnets.0.norm1.weight"),
    ("input_blocks.2.0.emb_layers.1.bias", "down_blocks.0.resnets.1.time_emb_proj.bias"),
    ("input_blocks.2.1.proj_in.weight", "down_blocks.0.attentions.1.proj_in.weight"),
    ("input_blocks.3.0.op.weight", "down_blocks.0.downsamplers.0.conv.weight"),
    ("input_blocks.4.0.skip_connection.weight", "down_blocks.1.resnets.0.conv_shortcut.weight"),
    ("input_blocks.6.0.op.weight", "down_blocks.1.downsamplers.0.conv.weight"),
    (
        "input_blocks.8.1.transformer_blocks.0.attn2.to_k.weight",
        "down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_k.weight",
    ),
    ("input_blocks.9.0.op.bias", "down_blocks.2.downsamplers.0.conv.bias"),
    ("input_blocks.11.0.out_layers.3.weight", "down_blocks.3.resnets.1.conv2.weight"),
    ("middle_block.0.in_layers.2.weight", "mid_block.resnets.0.conv1.weight"),
    ("middle_block.1.norm.weight", "mid_block.attentions.0.norm.weight"),
    ("middle_block.2.out_layers.0.weight", "mid_block.resnets.1.norm2.weight"),
    ("output_blocks.2.1.conv.weight", "up_blocks.0.upsamplers.0.conv.weight"),
    ("output_blocks.3.0.in_layers.2.weight", "up_blocks.1.resnets.0.conv1.weight"),
    ("output_blocks.5.2.conv.weight", "up_blocks.1.upsamplers.0.conv.weight"),
    ("output_blocks.5.1.proj_out.bias", "up_blocks.1.attentions.2.proj_out.bias"),
    ("output_blocks.8.2.conv.bias", "up_blocks.2.upsamplers.0.conv.bias"),
    ("output_blocks.11.0.skip_connection.bias", "up_blocks.3.resnets.2.conv_shortcut.bias"),
    (
        "output_blocks.11.1.transformer_blocks.0.ff.net.0.proj.weight",
        "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj.weight",
    ),
    ("out.0.weight", "conv_norm_out.weight"),
    ("out.2.bias", "conv_out.bias"),
];

const CONTROLNET: [(&str, &str); 8] = [
    ("input_blocks.3.0.op.weight", "down_blocks.0.downsamplers.0.conv.weight"),
    ("zero_convs.0.0.weight", "controlnet_down_blocks.0.weight"),
    ("zero_convs.11.0.bias", "controlnet_down_blocks.11.bias"),
    ("middle_block_out.0.weight", "controlnet_mid_block.weight"),
    ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"),
    ("input_hint_block.2.weight", "controlnet_cond_embedding.blocks.0.weight"),
    ("input_hint_block.12.bias", "controlnet_cond_embedding.blocks.5.bias"),
    ("input_hint_block.14.weight", "controlnet_cond_embedding.conv_out.weight"),
];

const VAE: [(&str, &str); 14] = [
    ("encoder.conv_in.weight", "encoder.conv_in.weight"),
    ("encoder.norm_out.bias", "encoder.conv_norm_out.bias"),
    ("encoder.down.0.block.1.norm1.weight", "encoder.down_blocks.0.resnets.1.norm1.weight"),
    ("encoder.down.2.block.0.nin_shortcut.weight", "encoder.down_blocks.2.resnets.0.conv_shortcut.weight"),
    ("encoder.down.1.downsample.conv.weight", "encoder.down_blocks.1.downsamplers.0.conv.weight"),
    ("encoder.mid.block_2.conv2.weight", "encoder.mid_block.resnets.1.conv2.weight"),
    ("encoder.mid.attn_1.norm.weight", "encoder.mid_block.attentions.0.group_norm.weight"),
    ("decoder.up.0.block.2.conv1.weight", "decoder.up_blocks.3.resnets.2.conv1.weight"),
    ("decoder.up.3.block.0.conv1.weight", "decoder.up_blocks.0.resnets.0.conv1.weight"),
    ("decoder.up.1.block.0.nin_shortcut.bias", "decoder.up_blocks.2.resnets.0.conv_shortcut.bias"),
    ("decoder.up.3.upsample.conv.weight", "decoder.up_blocks.0.upsamplers.0.conv.weight"),
    ("decoder.mid.attn_1.proj_out.bias", "decoder.mid_block.attentions.0.to_out.0.bias"),
    ("quant_conv.weight", "quant_conv.weight"),
    ("post_quant_conv.bias", "post_quant_conv.bias"),
];

fn class(part: Part) -> &'static str {
    match part {
        Part::Unet => r#"{"_class_name": "UNet2DConditionModel"}"#,
        Part::ControlNet => r#"{"_class_name": "ControlNetModel"}"#,
        Part::Vae => r#"{"_class_name": "AutoencoderKL"}"#,
        Part::TinyVae => r#"{"_class_name": "AutoencoderTiny"}"#,
        Part::TextEncoder => r#"{"architectures": ["CLIPTextModel"]}"#,
        Part::ImageEncoder => r#"{"architectures": ["CLIPVisionModel"]}"#,
        Part::VisionTransformer => r#"{"architectures": ["ViTModel"]}"#,
        Part::SubjectEncoder => r#"{"_class_name": "SubjectEncoder"}"#,
        Part::Captioner => r#"{"architectures": ["BlipForConditionalGeneration"]}"#,
    }
}

/// Opens a file that holds `pairs` under `prefix`, with a configuration beside it, and checks every name.
fn check(part: Part, prefix: &str, pairs: &[(&str, &str)]) {
    let folder = folder();
    let path = folder.path().join("single.safetensors");
    write(&folder.path().join("config.json"), class(part));
    let stored: Vec<_> = pairs.iter().map(|(key, _)| (format!("{prefix}{key}"), tensor(key, &[3]))).collect();
    save(&path, &stored);
    let files = PartFiles::open(&path, part).unwrap();
    let mut wanted: Vec<_> = pairs.iter().map(|(_, name)| *name).collect();
    wanted.sort_unstable();
    assert_eq!(files.names().collect::<Vec<_>>(), wanted);
    for (key, name) in pairs {
        assert_eq!(values(&files.tensor(name).unwrap()), values(&tensor(key, &[3])), "{name}");
    }
}

#[test]
fn comp_vis_names_become_those_of_diffusers() {
    check(Part::Unet, "model.diffusion_model.", &UNET);
    check(Part::Unet, "", &UNET);
    check(Part::ControlNet, "control_model.", &CONTROLNET);
    check(Part::ControlNet, "", &CONTROLNET);
    for prefix in ["first_stage_model.", "vae.", ""] {
        check(Part::Vae, prefix, &VAE);
    }
}

#[test]
fn names_of_text_encoders_lose_their_prefixes() {
    let layer = "encoder.layers.0.self_attn.q_proj.weight";
    for prefix in
        ["", "text_model.", "cond_stage_model.transformer.", "cond_stage_model.transformer.text_model."]
    {
        check(
            Part::TextEncoder,
            prefix,
            &[
                ("embeddings.token_embedding.weight", "embeddings.token_embedding.weight"),
                (layer, layer),
                ("final_layer_norm.bias", "final_layer_norm.bias"),
            ],
        );
    }
}

#[test]
fn names_of_vision_transformers_become_those_of_image_encoders() {
    let pairs = [
        ("embeddings.cls_token", "embeddings.cls_token"),
        ("encoder.layer.3.layernorm_before.bias", "encoder.layers.3.layer_norm1.bias"),
        ("encoder.layer.0.attention.attention.query.weight", "encoder.layers.0.self_attn.q_proj.weight"),
        ("encoder.layer.0.attention.output.dense.weight", "encoder.layers.0.self_attn.out_proj.weight"),
        ("encoder.layer.11.intermediate.dense.bias", "encoder.layers.11.mlp.fc1.bias"),
        ("encoder.layer.11.output.dense.bias", "encoder.layers.11.mlp.fc2.bias"),
        ("layernorm.weight", "layernorm.weight"),
    ];
    for prefix in ["", "vit."] {
        check(Part::VisionTransformer, prefix, &pairs);
    }
}

#[test]
fn attention_of_old_autoencoders_becomes_linear_layers() {
    let folder = folder();
    write(&folder.path().join("config.json"), class(Part::Vae));
    let middle = "decoder.mid_block.attentions.0";
    save(
        &folder.path().join("diffusion_pytorch_model.safetensors"),
        &tensors(&[
            (&format!("{middle}.query.weight"), &[4, 4]),
            (&format!("{middle}.proj_attn.weight"), &[4, 4, 1, 1]),
            (&format!("{middle}.key.bias"), &[4]),
            ("decoder.up_blocks.0.resnets.0.conv_shortcut.weight", &[4, 4, 1, 1]),
        ]),
    );
    let files = PartFiles::open(folder.path(), Part::Vae).unwrap();
    assert_eq!(files.shape(&format!("{middle}.to_q.weight")), Some(&[4, 4][..]));
    assert_eq!(files.shape(&format!("{middle}.to_out.0.weight")), Some(&[4, 4][..]));
    assert_eq!(files.shape(&format!("{middle}.to_k.bias")), Some(&[4][..]));
    assert_eq!(files.shape("decoder.up_blocks.0.resnets.0.conv_shortcut.weight"), Some(&[4, 4, 1, 1][..]));
    let stored = tensor(&format!("{middle}.proj_attn.weight"), &[4, 4, 1, 1]);
    assert_eq!(values(&files.tensor(&format!("{middle}.to_out.0.weight")).unwrap()), values(&stored));
}

/// An OpenCLIP text encoder of `layers` layers, 64 wide.
fn open_clip(layers: usize, projection: bool) -> Vec<(String, candle_core::Tensor)> {
    let prefix = "cond_stage_model.model";
    let mut list = vec![
        (format!("{prefix}.token_embedding.weight"), vec![12, 64]),
        (format!("{prefix}.positional_embedding"), vec![77, 64]),
        (format!("{prefix}.ln_final.weight"), vec![64]),
        (format!("{prefix}.logit_scale"), vec![]),
    ];
    if projection {
        list.push((format!("{prefix}.text_projection"), vec![64, 64]));
    }
    for layer in 0..layers {
        let block = format!("{prefix}.transformer.resblocks.{layer}");
        for (name, shape) in [
            ("attn.in_proj_weight", vec![192, 64]),
            ("attn.in_proj_bias", vec![192]),
            ("attn.out_proj.weight", vec![64, 64]),
            ("ln_1.weight", vec![64]),
            ("mlp.c_fc.weight", vec![256, 64]),
            ("mlp.c_proj.bias", vec![64]),
        ] {
            list.push((format!("{block}.{name}"), shape));
        }
    }
    list.into_iter().map(|(name, shape)| (name.clone(), tensor(&name, &shape))).collect()
}

#[test]
fn open_clip_is_split_and_loses_its_last_layer() {
    let folder = folder();
    let path = folder.path().join("sd2.safetensors");
    save(&path, &open_clip(3, true));
    let files = PartFiles::open(&path, Part::TextEncoder).unwrap();
    assert_eq!(files.config_json["num_hidden_layers"], json!(2));
    assert_eq!(files.config_json["hidden_act"], json!("gelu"));
    assert!(files.names().all(|name| !name.contains("layers.2.")));
    let stored =
        values(&tensor("cond_stage_model.model.transformer.resblocks.1.attn.in_proj_weight", &[192, 64]));
    for (place, letter) in ["q", "k", "v"].into_iter().enumerate() {
        let name = format!("encoder.layers.1.self_attn.{letter}_proj.weight");
        assert_eq!(files.shape(&name), Some(&[64, 64][..]));
        assert_eq!(values(&files.tensor(&name).unwrap()), stored[place * 4096..(place + 1) * 4096], "{name}");
    }
    for name in
        ["encoder.layers.0.layer_norm1.weight", "encoder.layers.0.mlp.fc2.bias", "final_layer_norm.weight"]
    {
        assert!(files.shape(name).is_some(), "{name}");
    }
    let names: Vec<_> = files.names().map(str::to_owned).collect();
    let ask = |vb: candle_nn::VarBuilder| {
        names.iter().try_for_each(|name| vb.get(files.shape(name).unwrap(), name).map(|_| ()))
    };
    let (_, report) = files.build(DType::F32, &Device::Cpu, &[], ask).unwrap();
    assert!(report.unused.is_empty(), "{report}");
    // Written back from diffusers, it has lost the projection and the last layer already.
    save(&path, &open_clip(3, false));
    let files = PartFiles::open(&path, Part::TextEncoder).unwrap();
    assert_eq!(files.config_json["num_hidden_layers"], json!(3));
}

/// A single file with a U-Net, an autoencoder and a text encoder as small as inference allows.
fn checkpoint(linear: bool, text: Vec<(String, candle_core::Tensor)>) -> Vec<(String, candle_core::Tensor)> {
    let unet = "model.diffusion_model";
    let vae = "first_stage_model";
    let projection: &[usize] = if linear { &[64, 64] } else { &[64, 64, 1, 1] };
    let mut all = tensors(&[
        (&format!("{unet}.input_blocks.0.0.weight"), &[64, 4, 3, 3]),
        (&format!("{unet}.input_blocks.1.0.in_layers.2.weight"), &[64, 64, 3, 3]),
        (&format!("{unet}.input_blocks.1.1.proj_in.weight"), projection),
        (&format!("{unet}.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"), &[64, 48]),
        (&format!("{unet}.input_blocks.2.0.op.weight"), &[64, 64, 3, 3]),
        (&format!("{unet}.input_blocks.3.0.in_layers.2.weight"), &[128, 64, 3, 3]),
        (&format!("{unet}.middle_block.1.transformer_blocks.0.attn2.to_k.weight"), &[128, 48]),
        (&format!("{unet}.output_blocks.0.0.in_layers.2.weight"), &[128, 256, 3, 3]),
        (&format!("{unet}.output_blocks.3.1.transformer_blocks.0.attn2.to_k.weight"), &[64, 48]),
        (&format!("{unet}.out.2.weight"), &[4, 64, 3, 3]),
        (&format!("{vae}.encoder.conv_in.weight"), &[32, 3, 3, 3]),
        (&format!("{vae}.encoder.down.0.block.0.conv1.weight"), &[32, 32, 3, 3]),
        (&format!("{vae}.encoder.down.1.block.0.conv1.weight"), &[96, 32, 3, 3]),
        (&format!("{vae}.encoder.down.1.block.1.conv1.weight"), &[96, 96, 3, 3]),
        (&format!("{vae}.encoder.down.0.block.1.conv1.weight"), &[32, 32, 3, 3]),
        (&format!("{vae}.decoder.conv_in.weight"), &[96, 4, 3, 3]),
        (&format!("{vae}.decoder.conv_out.weight"), &[3, 32, 3, 3]),
        (&format!("{vae}.decoder.mid.attn_1.q.weight"), &[96, 96, 1, 1]),
        (&format!("{vae}.quant_conv.weight"), &[8, 8, 1, 1]),
        ("model_ema.decay", &[1]),
        ("something.else", &[1]),
    ]);
    all.extend(text);
    all
}

fn clip() -> Vec<(String, candle_core::Tensor)> {
    let prefix = "cond_stage_model.transformer.text_model";
    tensors(&[
        (&format!("{prefix}.embeddings.token_embedding.weight"), &[12, 128]),
        (&format!("{prefix}.embeddings.position_embedding.weight"), &[77, 128]),
        (&format!("{prefix}.encoder.layers.0.mlp.fc1.weight"), &[512, 128]),
        (&format!("{prefix}.encoder.layers.1.mlp.fc1.weight"), &[512, 128]),
    ])
}

#[test]
fn the_configuration_of_a_single_file_is_read_off_its_shapes() {
    let folder = folder();
    let path = folder.path().join("sd1.safetensors");
    save(&path, &checkpoint(false, clip()));
    let model = ModelFiles::open(&path).unwrap();
    let has = |config: &serde_json::Value, fields: serde_json::Value| {
        for (field, value) in fields.as_object().unwrap() {
            assert_eq!(config.get(field), Some(value), "{field}");
        }
    };
    has(
        &model.unet.config_json,
        json!({
            "in_channels": 4, "out_channels": 4, "block_out_channels": [64, 128], "layers_per_block": 1,
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
            "cross_attention_dim": 48, "attention_head_dim": 8, "use_linear_projection": false, "norm_num_groups": 32,
            "transformer_layers_per_block": 1,
        }),
    );
    has(
        &model.vae.config_json,
        json!({
            "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [32, 96],
            "layers_per_block": 2, "scaling_factor": 0.18215, "use_quant_conv": true, "use_post_quant_conv": false,
            "mid_block_add_attention": true,
        }),
    );
    has(
        &model.text_encoder.config_json,
        json!({
            "vocab_size": 12, "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 512, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
        }),
    );
    has(model.scheduler.json(), json!({"prediction_type": "epsilon", "beta_schedule": "scaled_linear"}));
    assert_eq!(model.tokenizer, TokenizerFiles::Clip { pad_with_exclamation: false });
    assert_eq!(model.unrecognised, ["something.else"]);
    assert!(model.controlnet.is_none());
}

#[test]
fn the_second_generation_differs_in_heads_activation_and_prediction() {
    let folder = folder();
    let path = folder.path().join("sd2.safetensors");
    save(&path, &checkpoint(true, open_clip(2, true)));
    let model = ModelFiles::open(&path).unwrap();
    assert_eq!(model.unet.config_json["attention_head_dim"], json!([1, 2]));
    assert_eq!(model.unet.config_json["use_linear_projection"], json!(true));
    assert_eq!(model.scheduler.config.prediction_type, PredictionType::Velocity);
    assert_eq!(model.tokenizer, TokenizerFiles::Clip { pad_with_exclamation: true });
    save_with(&path, &checkpoint(true, open_clip(2, true)), &[("modelspec.prediction_type", "epsilon")]);
    assert_eq!(ModelFiles::open(&path).unwrap().scheduler.config.prediction_type, PredictionType::Epsilon);
    let mut marked = checkpoint(false, clip());
    marked.push(("v_pred".into(), tensor("v_pred", &[0])));
    save(&path, &marked);
    assert_eq!(ModelFiles::open(&path).unwrap().scheduler.config.prediction_type, PredictionType::Velocity);
}

#[test]
fn configurations_can_be_replaced() {
    let folder = folder();
    let path = folder.path().join("sd2.safetensors");
    save(&path, &checkpoint(true, open_clip(3, true)));
    let configs = folder.path().join("configs");
    let own = ModelFiles::open(&path).unwrap();
    let mut unet = own.unet.config_json.clone();
    unet["attention_head_dim"] = json!(4);
    let mut text_encoder = own.text_encoder.config_json.clone();
    text_encoder["num_hidden_layers"] = json!(1);
    write(&configs.join("unet/config.json"), unet.to_string());
    write(&configs.join("text_encoder/config.json"), text_encoder.to_string());
    write(&configs.join("scheduler/scheduler_config.json"), r#"{"prediction_type": "sample"}"#);
    write(&configs.join("tokenizer/vocab.json"), "{}");
    let model = ModelFiles::open_with_configs(&path, Some(&configs)).unwrap();
    assert_eq!(model.unet.config.attention_head_dim, PerLevel::One(4));
    assert!(model.text_encoder.names().all(|name| !name.contains("layers.1.")));
    assert_eq!(model.scheduler.config.prediction_type, PredictionType::Sample);
    assert_eq!(model.tokenizer, TokenizerFiles::Folder(configs.join("tokenizer")));
    assert_eq!(model.vae.config.scaling_factor, 0.18215);
}
