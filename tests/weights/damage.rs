//! Files that are damaged, lie, or are something else. Each gives one clear error, and none panics.

use std::path::Path;

use candle_core::{DType, Device};
use dreamtuner::model::weights::{Lora, ModelFiles, Part, PartFiles, TextualInversion, inspect};
use proptest::prelude::*;

use super::support::{assert_says, folder, save, small_unet, tensor, tensors, words, write};

fn header(json: &str, data: usize) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn refused(name: &str, content: &[u8], pieces: &[&str]) {
    let folder = folder();
    let path = folder.path().join(name);
    write(&path, content);
    assert_says(&words(PartFiles::open(&path, Part::Unet), &path), pieces);
    assert_says(&words(ModelFiles::open(&path), &path), pieces);
    assert_says(&words(Lora::open(&path), &path), pieces);
    assert_says(&words(TextualInversion::open(&path), &path), pieces);
}

#[test]
fn pickles_are_refused_with_the_way_to_convert_them() {
    let convert = &["pickle", "safetensors.torch", "weights_only=True"];
    refused("model.ckpt", b"anything", convert);
    refused("renamed.safetensors", b"PK\x03\x04\x14\x00\x00\x00\x00\x00", convert);
    refused("old.safetensors", b"\x80\x02}q\x00X\x05\x00\x00\x00hello", convert);
    let folder = folder();
    write(&folder.path().join("unet/config.json"), "{}");
    write(&folder.path().join("unet/diffusion_pytorch_model.bin"), b"PK\x03\x04");
    let path = folder.path().join("unet/diffusion_pytorch_model.bin");
    assert_says(&words(PartFiles::open(folder.path(), Part::Unet), &path), convert);
}

#[test]
fn safetensors_that_begin_like_a_pickle_are_read() {
    // A header of 0x0480 bytes begins with the first bytes of a pickle.
    let folder = folder();
    let path = folder.path().join("unet.safetensors");
    save(&path, &small_unet());
    let bytes = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let wanted = (length | 0xff) + 1;
    let wanted = wanted - wanted % 0x800 + 0x800 + 0x480;
    let mut padded = (wanted as u64).to_le_bytes().to_vec();
    padded.extend_from_slice(&bytes[8..8 + length]);
    padded.resize(8 + wanted, b' ');
    padded.extend_from_slice(&bytes[8 + length..]);
    assert_eq!(padded[0], 0x80);
    write(&path, padded);
    PartFiles::open(&path, Part::Unet).unwrap();
}

#[test]
fn missing_empty_and_truncated_files() {
    let folder = folder();
    let path = folder.path().join("absent.safetensors");
    assert_says(&words(ModelFiles::open(&path), &path), &["No such file"]);
    refused("empty.safetensors", b"", &["0 bytes"]);
    refused("short.safetensors", b"abc", &["3 bytes", "truncated"]);
    save(&path, &small_unet());
    let bytes = std::fs::read(&path).unwrap();
    refused("cut.safetensors", &bytes[..bytes.len() - 10], &["bytes of tensors", "truncated"]);
    refused("cut-header.safetensors", &bytes[..100], &["header", "truncated"]);
    let mut longer = bytes;
    longer.push(0);
    refused("longer.safetensors", &longer, &["bytes of tensors"]);
}

#[test]
fn lying_headers() {
    refused("long.safetensors", &header("", 0).iter().map(|_| 0xff).collect::<Vec<u8>>(), &["header of"]);
    refused("json.safetensors", &header("{\"a\": }", 4), &["malformed"]);
    refused(
        "overlap.safetensors",
        &header(
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            4,
        ),
        &["malformed", "offset"],
    );
    refused(
        "shape.safetensors",
        &header(r#"{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}"#, 4),
        &["malformed"],
    );
    refused(
        "product.safetensors",
        &header(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,16],"data_offsets":[0,0]}}"#, 0),
        &["malformed"],
    );
    // Honest among themselves, but far larger than the file.
    refused(
        "large.safetensors",
        &header(r#"{"a":{"dtype":"U8","shape":[1000000000000],"data_offsets":[0,1000000000000]}}"#, 4),
        &["announces 1000000000000 bytes", "truncated"],
    );
    // Two whose sizes add up past the end of the address space.
    let half = u64::MAX / 16 + 1;
    let list: Vec<String> = (0..16u64)
        .map(|place| {
            let (begin, end) = (place.wrapping_mul(half), (place + 1).wrapping_mul(half));
            format!(r#""t{place:02}":{{"dtype":"U8","shape":[{half}],"data_offsets":[{begin},{end}]}}"#)
        })
        .collect();
    refused("wrap.safetensors", &header(&format!("{{{}}}", list.join(",")), 4), &["malformed"]);
}

#[test]
fn things_that_are_no_weights_at_all() {
    refused(
        "pointer.safetensors",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        &["git lfs pull"],
    );
    refused("page.safetensors", b"<!DOCTYPE html><html></html>", &["web page"]);
    refused("model.gguf", b"GGUF\x03\0\0\0\0\0\0\0\0", &["GGUF"]);
    refused("none.safetensors", &header("{}", 0), &["holds"]);
}

#[test]
fn networks_of_other_kinds_are_named() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    for (channels, kind) in [(9, "inpainting"), (8, "instruct-pix2pix"), (5, "depth")] {
        let mut all = small_unet();
        all[0].1 = tensor("conv_in.weight", &[32, channels, 3, 3]);
        save(&path, &all);
        let text = words(PartFiles::open(&path, Part::Unet), &path);
        assert_says(&text, &[kind, &format!("{channels} input channels")]);
    }
    for (key, family) in [
        ("conditioner.embedders.0.transformer.x", "SDXL"),
        ("add_embedding.linear_1.weight", "SDXL"),
        ("model.diffusion_model.label_emb.0.0.weight", "SDXL"),
        ("model.diffusion_model.joint_blocks.0.x", "Stable Diffusion 3"),
        ("lora_controlnet", "Control-LoRA"),
    ] {
        save(&path, &tensors(&[(key, &[2]), ("conv_in.weight", &[32, 4, 3, 3])]));
        assert_says(&words(PartFiles::open(&path, Part::Unet), &path), &[family, "not supported"]);
    }
    save(&path, &tensors(&[("encoder.conv_in.weight", &[32, 3, 3, 3])]));
    assert_says(
        &words(PartFiles::open(&path, Part::Unet), &path),
        &["holds no U-Net", "encoder.conv_in.weight"],
    );
    save(&path, &tensors(&[("up_blocks.0.x", &[2])]));
    assert_says(
        &words(PartFiles::open(&path, Part::Unet), &path),
        &["down_blocks.0.resnets.0.conv1.weight is missing"],
    );
}

#[test]
fn folders_of_other_kinds_are_named() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    assert_says(&words(ModelFiles::open(folder.path()), folder.path()), &["no folder unet"]);
    write(&at("model_index.json"), r#"{"_class_name": "StableDiffusionXLPipeline"}"#);
    assert_says(&words(ModelFiles::open(folder.path()), folder.path()), &["SDXL"]);
    write(&at("vae/config.json"), r#"{"_class_name": "AutoencoderTiny"}"#);
    let path = at("vae/config.json");
    assert_says(
        &words(PartFiles::open(folder.path(), Part::Vae), &path),
        &["AutoencoderTiny", "AutoencoderKL"],
    );
    write(&path, "[1]");
    assert_says(&words(PartFiles::open(folder.path(), Part::Vae), &path), &["not a JSON object"]);
    write(&path, "{}");
    assert_says(&words(PartFiles::open(folder.path(), Part::Vae), &at("vae")), &["holds no weights"]);
}

/// Opens and reads everything that can be asked of a file; errors are fine.
fn try_everything(path: &Path) {
    for part in Part::ALL {
        if let Ok(files) = PartFiles::open(path, part) {
            let names: Vec<_> = files.names().map(str::to_owned).collect();
            let lora = Lora::open(path);
            let loras: Vec<_> = lora.iter().map(|lora| (lora, 1.0)).collect();
            let _ = files.build(DType::F32, &Device::Cpu, &loras, |vb| {
                names.iter().try_for_each(|name| vb.get(files.shape(name).unwrap(), name).map(|_| ()))
            });
            files.fingerprint();
        }
    }
    let _ = ModelFiles::open(path);
    let _ = TextualInversion::open(path);
    let _ = inspect(path).map(|description| description.to_string());
}

/// A file with keys of every kind.
fn varied() -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("varied.safetensors");
    save(
        &path,
        &tensors(&[
            ("model.diffusion_model.input_blocks.0.0.weight", &[2, 4, 1, 1]),
            ("model.diffusion_model.input_blocks.1.0.in_layers.2.weight", &[2, 2, 1, 1]),
            ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[2, 3]),
            ("model.diffusion_model.output_blocks.0.1.conv.weight", &[2, 2]),
            ("model.diffusion_model.out.2.weight", &[4, 2, 1, 1]),
            ("first_stage_model.encoder.conv_in.weight", &[2, 3, 1, 1]),
            ("first_stage_model.encoder.down.0.block.0.conv1.weight", &[2, 2, 1, 1]),
            ("first_stage_model.decoder.up.0.block.0.conv1.weight", &[2, 2, 1, 1]),
            ("first_stage_model.decoder.mid.attn_1.q.weight", &[2, 2, 1, 1]),
            ("cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight", &[6, 2]),
            ("cond_stage_model.model.token_embedding.weight", &[3, 2]),
            ("control_model.input_hint_block.0.weight", &[2, 3, 1, 1]),
        ]),
    );
    std::fs::read(path).unwrap()
}

/// A LoRA with a convolution, a middle and an alpha.
fn varied_lora() -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("lora.safetensors");
    save(
        &path,
        &tensors(&[
            ("lora_unet_conv_in.lora_down.weight", &[2, 4, 1, 1]),
            ("lora_unet_conv_in.lora_mid.weight", &[2, 2, 3, 3]),
            ("lora_unet_conv_in.lora_up.weight", &[32, 2, 1, 1]),
            ("lora_unet_conv_in.alpha", &[]),
        ]),
    );
    std::fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), json in any::<bool>()) {
        let folder = folder();
        let path = folder.path().join("random.safetensors");
        let content = if json {
            let text: String = bytes.iter().map(|byte| char::from(byte % 95 + 32)).collect();
            header(&format!("{{{text}"), 16)
        } else {
            bytes
        };
        write(&path, content);
        try_everything(&path);
    }

    #[test]
    fn mutations_of_valid_files_never_panic(
        lora in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = folder();
        let path = folder.path().join("mutated.safetensors");
        let mut content = if lora { varied_lora() } else { varied() };
        for (place, byte) in changes {
            let place = place.index(content.len());
            // Digits stay digits half of the time, so that shapes and offsets change without breaking the JSON.
            content[place] = if content[place].is_ascii_digit() && byte % 2 == 0 { b'0' + byte % 10 } else { byte };
        }
        if let Some(cut) = cut {
            content.truncate(cut.index(content.len()));
        }
        write(&path, content);
        try_everything(&path);
    }
}
