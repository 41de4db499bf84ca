//! What `inspect` says about files.

use dreamtuner::model::weights::{Kind, Part, inspect};
use serde_json::json;

use super::support::{assert_says, folder, save, save_with, small_unet, tensors, write};

#[test]
fn networks_are_described_by_their_numbers() {
    let folder = folder();
    let path = folder.path().join("unet.safetensors");
    save_with(&path, &small_unet(), &[("format", "pt")]);
    let description = inspect(&path).unwrap();
    assert_eq!((description.kind, description.supported), (Kind::Network(Part::Unet), true));
    assert_eq!(description.family.as_deref(), Some("Stable Diffusion 1.x"));
    assert_eq!(description.dtypes.keys().collect::<Vec<_>>(), ["F32"]);
    assert_eq!(description.parts[0].architecture["block_out_channels"], json!([32, 64]));
    let count: usize = small_unet().iter().map(|(_, tensor)| tensor.elem_count()).sum();
    assert_eq!(description.parameters, count as u64);
    let text = description.to_string();
    assert_says(
        &text,
        &["kind ", "U-Net", "Stable Diffusion 1.x", "block out channels  ", "32, 64", "header: format"],
    );
    let json = serde_json::to_value(&description).unwrap();
    assert_eq!((&json["kind"], &json["metadata"]["format"]), (&json!("unet"), &json!("pt")));
}

#[test]
fn lines_are_aligned() {
    let folder = folder();
    let path = folder.path().join("unet.safetensors");
    save(&path, &small_unet());
    let text = inspect(&path).unwrap().to_string();
    let column = |line: &str| line.rfind("  ").map(|place| place + 2);
    let longest = text.lines().find(|line| line.contains("use linear projection")).unwrap();
    let kind = text.lines().find(|line| line.starts_with("kind")).unwrap();
    assert_eq!(column(longest), column(kind));
}

#[test]
fn add_ons_are_told_apart() {
    let folder = folder();
    let path = folder.path().join("file.safetensors");
    let query = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
    let lora = &[
        (&*format!("{query}.lora_down.weight"), &[8usize, 768][..]),
        (&*format!("{query}.lora_up.weight"), &[320, 8]),
        (&*format!("{query}.alpha"), &[]),
    ];
    save(&path, &tensors(lora));
    let description = inspect(&path).unwrap();
    assert_eq!((description.kind, description.supported), (Kind::Lora, true));
    assert_eq!(description.family.as_deref(), Some("Stable Diffusion 1.x"));
    assert_eq!((&description.facts["ranks"], &description.facts["naming"]), (&json!([8]), &json!("kohya")));
    assert_eq!(
        (&description.facts["unet_layers"], &description.facts["text_encoder_layers"]),
        (&json!(1), &json!(0))
    );

    save(&path, &tensors(&[("<hero>", &[3, 768])]));
    let description = inspect(&path).unwrap();
    assert_eq!((description.kind, &description.facts["vectors"]), (Kind::TextualInversion, &json!(3)));

    save(&path, &tensors(&[("ip_adapter.1.to_k_ip.weight", &[2, 2]), ("image_proj.proj.weight", &[2, 2])]));
    assert_eq!(inspect(&path).unwrap().kind, Kind::IpAdapter);

    for (key, kind, note) in [
        ("lora_unet_x.hada_w1_a", Kind::Lora, "LoHa"),
        ("conditioner.embedders.0.x", Kind::Unknown, "SDXL"),
        ("layers.0.weight", Kind::Unknown, "known kind"),
    ] {
        save(&path, &tensors(&[(key, &[2, 2]), ("second.weight", &[2]), ("third.weight", &[2])]));
        let description = inspect(&path).unwrap();
        assert_eq!((description.kind, description.supported), (kind, false), "{key}");
        assert_says(&description.note.unwrap(), &[note]);
    }
}

#[test]
fn what_cannot_be_used_is_described_and_what_is_broken_is_an_error() {
    let folder = folder();
    let path = folder.path().join("model.ckpt");
    write(&path, b"PK\x03\x04 and so on");
    let description = inspect(&path).unwrap();
    assert_eq!((description.kind, description.supported, description.size), (Kind::Pickle, false, 14));
    assert_says(&description.to_string(), &["Convert it once"]);

    let path = folder.path().join("inpainting.safetensors");
    let mut all = small_unet();
    all[0].1 = super::support::tensor("x", &[32, 9, 3, 3]);
    save(&path, &all);
    let description = inspect(&path).unwrap();
    assert_eq!((description.kind, description.supported), (Kind::Network(Part::Unet), false));
    assert_says(&description.note.unwrap(), &["inpainting"]);

    write(&path, b"");
    assert_says(&inspect(&path).unwrap_err().to_string(), &["0 bytes"]);
    assert!(inspect(&folder.path().join("absent.safetensors")).is_err());
    assert!(inspect(folder.path()).is_err());
}
