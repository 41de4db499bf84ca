//! What frames take from their drafts, against diffusers' ControlNet pipelines and a plain reading of S-S-A.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use dreamtuner::diffusion::{Guidance, NoiseSource};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::mask::Mask;
use dreamtuner::model::DeviceSettings;
use dreamtuner::model::config::UNetConfig;
use dreamtuner::model::controlnet::ControlNet;
use dreamtuner::model::weights::{ModelDefaults, Part, PartFiles};
use dreamtuner::render::animator::{Animator, ClipInputs, EncodedReference, FrameInputs, Rendered};
use dreamtuner::render::draft::{DraftFrame, DraftSettings};
use dreamtuner::render::feature_store::FeatureCache;
use dreamtuner::render::networks::ControlSource;
use dreamtuner::render::pipeline::Pipeline;
use dreamtuner::render::prompts::PromptEmbeddings;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::render::weights::{ControlNetFile, WeightFiles};
use image::{GrayImage, RgbImage};

use crate::common::{assert_close, fixtures, relative_error, tensors};

/// Largest relative error of a final latent.
const TOLERANCE: f64 = 1e-3;

/// The numbers of `(1, channels, height, width)`, 0 to 1, as bytes of a picture.
fn bytes(tensor: &Tensor) -> (u32, u32, Vec<u8>) {
    let (_, _, height, width) = tensor.dims4().unwrap();
    let values = tensor.squeeze(0).unwrap().permute((1, 2, 0)).unwrap();
    let values: Vec<f32> = values.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let bytes = values.into_iter().map(|value| (value * 255.0).round() as u8).collect();
    (width as u32, height as u32, bytes)
}

fn picture(tensor: &Tensor) -> RgbImage {
    let (width, height, bytes) = bytes(tensor);
    RgbImage::from_raw(width, height, bytes).unwrap()
}

fn grey(tensor: &Tensor) -> GrayImage {
    let (width, height, bytes) = bytes(tensor);
    GrayImage::from_raw(width, height, bytes).unwrap()
}

fn draft() -> DraftFrame {
    let inputs = tensors("draft/inputs.safetensors");
    DraftFrame { image: picture(&inputs["image"]), confidence: grey(&inputs["sure"]) }
}

fn pipeline(source: ControlSource) -> Pipeline {
    let weights = WeightFiles {
        model: Some(fixtures().join("sd1")),
        controlnets: vec![ControlNetFile { source, ..ControlNetFile::own() }],
        ..WeightFiles::default()
    };
    weights.open().unwrap().load(&DeviceSettings::cpu(), &mut |_| {}).unwrap()
}

/// Texts and steps of the fixture, without a reference.
fn settings(draft: DraftSettings) -> RenderSettings {
    let image = self::draft().image;
    RenderSettings {
        prompt: "red hair, green eyes, black skirt".into(),
        negative_prompt: "gray background".into(),
        width: image.width() as usize,
        height: image.height() as usize,
        steps: 10,
        guidance: Guidance::ClassifierFree { scale: 3.0 },
        beta: 0.0,
        reference_weight: 0.0,
        previous_weight: 0.0,
        draft,
        ..RenderSettings::square(&ModelDefaults::default(), 0)
    }
}

/// One frame, whose ControlNet sees `control`; its reference is `ref0`.
fn rendered(pipeline: &Pipeline, settings: &RenderSettings, control: RgbImage) -> Rendered {
    let given = tensors("method/inputs.safetensors");
    let (width, height, mask) = bytes(&given["ref0.mask"]);
    let mask = mask.into_iter().map(|value| f32::from(value) / 255.0).collect();
    let inputs = ClipInputs {
        reference: EncodedReference {
            latent: given["ref0.latent"].to_dtype(DType::F32).unwrap(),
            subject: None,
            mask: Some(Mask::new(height as usize, width as usize, mask).unwrap()),
            controls: vec![Some(picture(&given["ref0.control"]))],
        },
        prompts: PromptEmbeddings::encode(&pipeline.model, settings).unwrap(),
        noise: NoiseSource::from_file(fixtures().join("method/noise.safetensors")).unwrap(),
        init: None,
    };
    let (cache, interrupt) = (FeatureCache::Recompute, Interrupt::default());
    let mut animator = Animator::new(pipeline, inputs, settings.clone(), cache, interrupt).unwrap();
    let draft = draft();
    let frame = FrameInputs { controls: &[Some(control)], draft: Some(&draft) };
    animator.render(frame, &mut |_| {}).unwrap()
}

#[test]
fn beginning_from_a_draft_that_the_controlnet_sees_is_image_to_image() {
    let pipeline = pipeline(ControlSource::Draft);
    let expected = tensors("draft/expected.safetensors");
    for strength in ["0.6", "1.0"] {
        let settings =
            settings(DraftSettings { strength: strength.parse().ok(), ..DraftSettings::default() });
        let latent = rendered(&pipeline, &settings, draft().image).latent;
        assert_close(strength, &latent, &expected[&format!("img2img.{strength}")], TOLERANCE);
    }
}

#[test]
fn keeping_what_is_sure_is_inpainting() {
    let pipeline = pipeline(ControlSource::DraftInpaint);
    let (draft, expected) = (draft(), tensors("draft/expected.safetensors"));
    for strength in ["0.6", "1.0"] {
        // Strength 1 takes every step, from noise.
        let begin = strength.parse().ok().filter(|strength| *strength < 1.0);
        let settings =
            settings(DraftSettings { strength: begin, keep_sure: true, ..DraftSettings::default() });
        let Rendered { latent, image, .. } = rendered(&pipeline, &settings, draft.image.clone());
        assert_close(strength, &latent, &expected[&format!("inpaint.{strength}")], TOLERANCE);
        let pixels = image.pixels().zip(draft.image.pixels()).zip(draft.confidence.pixels());
        let (mut kept, mut painted) = (0, 0);
        for ((pixel, drafted), sure) in pixels {
            match sure.0[0] {
                255 => {
                    assert_eq!(pixel, drafted);
                    kept += 1;
                }
                _ => painted += usize::from(pixel != drafted),
            }
        }
        assert!(kept > 500 && painted > 500, "{kept} pixels kept, {painted} painted");
    }
}

#[test]
fn a_draft_is_one_more_reference_in_the_frames_own_pose() {
    let given = tensors("method/inputs.safetensors");
    let bytes = std::fs::read(fixtures().join("method/inputs.safetensors")).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let told: serde_json::Value =
        serde_json::from_str(&header.metadata().as_ref().unwrap()["settings"]).unwrap();
    let number = |name: &str| told[name].as_f64().unwrap();
    let settings = RenderSettings {
        reference_prompt: told["prompts"]["ref0.context"].as_str().map(str::to_owned),
        guidance: Guidance::Interleaved {
            reference_probability: number("probability"),
            reference_scale: number("reference_scale"),
            text_scale: number("text_scale"),
            less_noise: number("earlier"),
            more_noise: number("later"),
        },
        reference_weight: 10.0,
        ..settings(DraftSettings { weight: 3.0, ..DraftSettings::default() })
    };
    let pipeline = pipeline(ControlSource::Dance);
    let expected = &tensors("draft/expected.safetensors")["reference"];
    let latent = rendered(&pipeline, &settings, picture(&given["control"])).latent;
    assert_close("latent", &latent, expected, TOLERANCE);
    let without = RenderSettings { draft: DraftSettings::default(), ..settings };
    let without = rendered(&pipeline, &without, picture(&given["control"])).latent;
    assert!(relative_error(&without, expected) > 10.0 * TOLERANCE, "the draft changes nothing");
}

#[test]
fn a_frame_without_its_draft_is_refused() {
    let pipeline = pipeline(ControlSource::Dance);
    let settings = settings(DraftSettings { weight: 1.0, ..DraftSettings::default() });
    let inputs = ClipInputs {
        reference: EncodedReference {
            latent: tensors("method/inputs.safetensors")["ref0.latent"].to_dtype(DType::F32).unwrap(),
            subject: None,
            mask: None,
            controls: vec![None],
        },
        prompts: PromptEmbeddings::encode(&pipeline.model, &settings).unwrap(),
        noise: NoiseSource::new(1),
        init: None,
    };
    let mut animator =
        Animator::new(&pipeline, inputs, settings, FeatureCache::Recompute, Interrupt::default()).unwrap();
    let error = animator.render(FrameInputs::new(&[None]), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("draft"), "{error}");
}

/// A ControlNet of seven channels is shown the draft and how sure it is, and black where a picture has none.
#[test]
fn a_controlnet_of_seven_channels_is_shown_the_draft() {
    let (given, expected) = (tensors("method/inputs.safetensors"), tensors("draft/controlnet.safetensors"));
    let inputs = tensors("draft/inputs.safetensors");
    let files = PartFiles::open(&fixtures().join("sd1"), Part::ControlNet).unwrap();
    let mut config = UNetConfig::from_json(&files.config_json).unwrap();
    config.conditioning_channels = 7;
    let mut weights = tensors("sd1/controlnet/diffusion_pytorch_model.safetensors");
    weights.insert("controlnet_cond_embedding.conv_in.weight".into(), expected["weight"].clone());
    let build = |config: &UNetConfig, weights: HashMap<String, Tensor>| {
        ControlNet::new(config, VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu))
    };
    let network = build(&config, weights.clone()).unwrap();
    assert!(network.sees_draft());
    let control = given["ref0.control"].to_dtype(DType::F32).unwrap();
    let nothing = control.pad_with_zeros(1, 0, 4).unwrap();
    let shown = Tensor::cat(&[&control, &inputs["image"], &inputs["sure"]], 1).unwrap();
    assert_close("with a draft", &network.embed(&shown).unwrap(), &expected["with_draft"], TOLERANCE);
    assert_close("without", &network.embed(&nothing).unwrap(), &expected["without"], TOLERANCE);
    config.conditioning_channels = 5;
    let error = build(&config, weights).unwrap_err().to_string();
    assert!(error.contains("conditioning_channels") && error.contains('5'), "{error}");
}
