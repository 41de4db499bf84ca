//! The whole method against a plain PyTorch reading of Eq. 3-6 (tests/fixtures/dreamtuner.py): two references with masks
//! and weights 10 and 1, ten steps, both guidance branches occurring. And image-to-image against diffusers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use dreamtuner::diffusion::{
    Denoiser, Guidance, NoiseSource, Purpose, ReferenceNoise, Sampler, Schedule, ScheduleConfig,
};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::mask::Mask;
use dreamtuner::model::Conditioning;
use dreamtuner::model::DeviceSettings;
use dreamtuner::model::config::UNetConfig;
use dreamtuner::model::controlnet::ControlNet;
use dreamtuner::model::transformer::{PassPicture, ReferencePass};
use dreamtuner::model::unet::UNet;
use dreamtuner::model::weights::{ModelDefaults, Part, PartFiles};
use dreamtuner::render::animator::{Animator, ClipInputs, EncodedReference, FrameInputs};
use dreamtuner::render::attention_maps::AttentionSource;
use dreamtuner::render::deep_cache::DeepCache;
use dreamtuner::render::denoiser::{FrameControls, SubjectDenoiser};
use dreamtuner::render::feature_store::{FeatureCache, FeatureStore};
use dreamtuner::render::networks::{ControlUnit, GuidanceTexts, Networks, TextKeysValues};
use dreamtuner::render::prompts::PromptEmbeddings;
use dreamtuner::render::reference::{CachedReference, Reference};
use dreamtuner::render::references::{LookBack, References};
use dreamtuner::render::sampling::{InitialLatent, SamplingPlan};
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::render::weights::WeightFiles;

use crate::common::{assert_close, fixtures, normal, relative_error, tensors};

/// Largest relative error of the final latent.
const TOLERANCE: f64 = 1e-3;

/// Networks and inputs of the fixture.
struct Fixture {
    unet: UNet,
    controls: Vec<ControlUnit>,
    schedule: Schedule,
    inputs: HashMap<String, Tensor>,
    expected: HashMap<String, Tensor>,
    settings: serde_json::Value,
    noise: NoiseSource,
    interrupt: Interrupt,
}

impl Fixture {
    fn open() -> Self {
        let part = |part| PartFiles::open(&fixtures().join("sd1"), part).unwrap();
        let unet = part(Part::Unet);
        let config = UNetConfig::from_json(&unet.config_json).unwrap();
        let unet = unet.build(DType::F32, &Device::Cpu, &[], |vb| UNet::new(&config, vb)).unwrap().0;
        let controlnet = part(Part::ControlNet);
        let config = UNetConfig::from_json(&controlnet.config_json).unwrap();
        let controlnet =
            controlnet.build(DType::F32, &Device::Cpu, &[], |vb| ControlNet::new(&config, vb)).unwrap().0;
        let schedule =
            ScheduleConfig::from_file(fixtures().join("sd1/scheduler/scheduler_config.json")).unwrap();
        let bytes = std::fs::read(fixtures().join("method/inputs.safetensors")).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        Self {
            unet,
            controls: vec![ControlUnit::new(controlnet, 1.0)],
            schedule: Schedule::new(schedule).unwrap(),
            inputs: tensors("method/inputs.safetensors"),
            expected: tensors("method/expected.safetensors"),
            settings: serde_json::from_str(&header.metadata().as_ref().unwrap()["settings"]).unwrap(),
            noise: NoiseSource::from_file(fixtures().join("method/noise.safetensors")).unwrap(),
            interrupt: Interrupt::default(),
        }
    }

    fn number(&self, name: &str) -> f64 {
        self.settings[name].as_f64().unwrap_or_else(|| panic!("{name}: {}", self.settings[name]))
    }

    fn networks(&self) -> Networks<'_> {
        Networks {
            subject: None,
            unet: &self.unet,
            controls: &self.controls,
            schedule: &self.schedule,
            interrupt: &self.interrupt,
        }
    }

    fn embedded(&self, image: &str) -> Vec<Option<Tensor>> {
        vec![Some(self.controls[0].network.embed(&self.inputs[image]).unwrap())]
    }

    fn text(&self, name: &str) -> TextKeysValues {
        let text = Conditioning::of_context(self.inputs[name].clone());
        TextKeysValues::new(&text, &self.unet, &self.controls).unwrap()
    }

    /// `steps` steps of `guidance`, for latents of the fixture's size.
    fn plan(&self, steps: usize, guidance: Guidance) -> SamplingPlan {
        let defaults = ModelDefaults::default();
        let settings = RenderSettings {
            steps,
            guidance,
            sampler: Sampler::Ddim,
            ..RenderSettings::square(&defaults, 0)
        };
        let shape = self.inputs["ref0.latent"].dims();
        let (schedule, noise) = (self.schedule.clone(), self.noise.clone());
        SamplingPlan::new(&settings, schedule, noise, (shape, &Device::Cpu), None).unwrap()
    }

    fn reference(&self, name: &str, weight: f64, cache: FeatureCache) -> CachedReference {
        let input = |field: &str| self.inputs[&format!("{name}.{field}")].clone();
        let latent = input("latent");
        let (_, _, height, width) = input("mask").dims4().unwrap();
        let mask: Vec<f32> = input("mask").flatten_all().unwrap().to_vec1().unwrap();
        let reference = Reference {
            source: AttentionSource::Reference,
            noise: self.noise.normal(Purpose::Reference, 0, latent.dims(), DType::F32, &Device::Cpu).unwrap(),
            latent,
            mask: Some(Mask::new(height, width, mask).unwrap()),
            text: Arc::new(self.text(&format!("{name}.context"))),
            controls: self.embedded(&format!("{name}.control")),
            weight,
        };
        CachedReference::new(reference, FeatureStore::new(cache))
    }

    fn run(&self, guidance: Guidance, references: &mut References) -> Tensor {
        self.run_with_deep_features_of(1, guidance, references)
    }

    /// One step in `every` has whole passes.
    fn run_with_deep_features_of(
        &self,
        every: usize,
        guidance: Guidance,
        references: &mut References,
    ) -> Tensor {
        let plan = self.plan(self.number("steps") as usize, guidance);
        self.with_denoiser(every, &plan, references, &self.embedded("control"), |denoiser| {
            plan.sample(None, denoiser).unwrap()
        })
    }

    fn with_denoiser<T>(
        &self,
        every: usize,
        plan: &SamplingPlan,
        references: &mut References,
        controls: &[Option<Tensor>],
        work: impl FnOnce(&mut SubjectDenoiser) -> T,
    ) -> T {
        let texts =
            GuidanceTexts { prompt: Arc::new(self.text("context")), negative: self.text("negative_context") };
        work(&mut SubjectDenoiser {
            networks: self.networks(),
            plan,
            deep_cache: DeepCache::new(every),
            texts: &texts,
            frame: FrameControls { index: 0, controls },
            references,
            kept: None,
            watch: None,
            after_step: None,
        })
    }

    fn interleaved(&self) -> Guidance {
        Guidance::Interleaved {
            reference_probability: self.number("probability"),
            reference_scale: self.number("reference_scale"),
            text_scale: self.number("text_scale"),
            less_noise: self.number("earlier"),
            more_noise: self.number("later"),
        }
    }
}

const KEEP: FeatureCache = FeatureCache::Keep { bytes: 1 << 30 };

/// The two references of the fixture, with its weights times `factor`.
fn both(fixture: &Fixture, factor: f64, cache: FeatureCache) -> References {
    let weight = |index: usize| factor * fixture.settings["weights"][index].as_f64().unwrap();
    let both = ["ref0", "ref1"].into_iter().enumerate();
    look_at(both.map(|(index, name)| fixture.reference(name, weight(index), cache)).collect())
}

fn look_at(references: Vec<CachedReference>) -> References {
    References::new(references, LookBack::Nothing)
}

#[test]
fn interleaved_guidance_with_two_references() {
    let fixture = Fixture::open();
    let lambdas = fixture.noise.uniform(Purpose::Guidance, 0, fixture.number("steps") as usize).unwrap();
    let towards_reference = lambdas.iter().filter(|&&lambda| lambda <= fixture.number("probability")).count();
    assert!(towards_reference > 0 && towards_reference < lambdas.len(), "only one branch occurs");
    let latent = fixture.run(fixture.interleaved(), &mut both(&fixture, 1.0, KEEP));
    assert_close("final latent", &latent, &fixture.expected["latent"], TOLERANCE);
}

#[test]
fn classifier_free_guidance_with_two_references() {
    let fixture = Fixture::open();
    let guidance = Guidance::ClassifierFree { scale: fixture.number("text_scale") };
    let latent = fixture.run(guidance, &mut both(&fixture, 1.0, KEEP));
    assert_close("final latent", &latent, &fixture.expected["cfg.latent"], TOLERANCE);
}

#[test]
fn the_references_matter() {
    let fixture = Fixture::open();
    let with = &fixture.expected["latent"];
    let without = fixture.run(fixture.interleaved(), &mut look_at(vec![]));
    assert!(relative_error(&without, with) > 10.0 * TOLERANCE, "the fixture's references change nothing");
}

#[test]
fn kept_spilled_and_recomputed_features_give_the_same_bytes() {
    let fixture = Fixture::open();
    let bytes = |cache| -> Vec<f32> {
        let latent = fixture.run(fixture.interleaved(), &mut both(&fixture, 1.0, cache));
        latent.flatten_all().unwrap().to_vec1().unwrap()
    };
    let kept = bytes(KEEP);
    assert_eq!(kept, bytes(FeatureCache::Recompute), "kept and recomputed features differ");
    assert_eq!(kept, bytes(FeatureCache::Keep { bytes: 100_000 }), "spilled features differ");
    // The second use of a store reads what the first put there.
    let mut references = both(&fixture, 1.0, FeatureCache::Keep { bytes: 0 });
    let _ = fixture.run(fixture.interleaved(), &mut references);
    let again: Vec<f32> =
        fixture.run(fixture.interleaved(), &mut references).flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(kept, again, "features read back from the temporary file differ");
}

#[test]
fn weight_zero_equals_no_reference() {
    let fixture = Fixture::open();
    let values = |latent: Tensor| -> Vec<f32> { latent.flatten_all().unwrap().to_vec1().unwrap() };
    let none = values(fixture.run(fixture.interleaved(), &mut look_at(vec![])));
    let zero = values(fixture.run(fixture.interleaved(), &mut both(&fixture, 0.0, KEEP)));
    assert_eq!(none, zero);
}

#[test]
fn a_shallow_pass_with_its_own_deep_features_is_a_whole_pass() {
    let fixture = Fixture::open();
    let networks = fixture.networks();
    let steps = Sampler::Ddim.steps(&fixture.schedule, 1).unwrap();
    let (latent, time) = (&fixture.inputs["ref0.latent"], steps[0].timestep);
    let reference =
        fixture.reference("ref1", 10.0, KEEP).pass(&networks, &steps[0], (0, ReferenceNoise::Same), time);
    let reference = reference.unwrap().unwrap();
    let pictures = [PassPicture { references: vec![reference.as_ref()], ..PassPicture::default() }];
    let text = fixture.text("context");
    let control = networks.control(latent, &steps[0], time, &text, &fixture.embedded("control")).unwrap();
    let context = || {
        let mut context = text.context();
        (context.pictures, context.captured) = (&pictures, Some(BTreeMap::new()));
        context
    };
    let (mut all, mut some) = (context(), context());
    let (whole, deep) = networks.unet(latent, time, &mut all, control.as_ref(), None).unwrap();
    let (shallow, _) = networks.unet(latent, time, &mut some, control.as_ref(), Some(&deep)).unwrap();
    assert_eq!(relative_error(&whole, &shallow), 0.0);
    let (all, some) = (all.captured.unwrap(), some.captured.unwrap());
    assert!(!some.is_empty() && some.len() < all.len(), "{} of {} layers", some.len(), all.len());
    for (layer, features) in some {
        assert_eq!(relative_error(&features.features, &all[&layer].features), 0.0, "layer {layer}");
    }
}

#[test]
fn deep_features_of_the_step_before_are_nearly_right() {
    let fixture = Fixture::open();
    let run = |every| {
        fixture.run_with_deep_features_of(every, fixture.interleaved(), &mut both(&fixture, 1.0, KEEP))
    };
    let error = relative_error(&run(2), &run(1));
    assert!((10.0 * TOLERANCE..0.2).contains(&error), "{error}");
}

/// Latents of up to 32 x 32 go through the U-Net together, larger ones one after the other: Eq. 4 either way.
#[test]
fn passes_made_together_and_apart_follow_the_equation() {
    let fixture = Fixture::open();
    let networks = fixture.networks();
    let steps = fixture.number("steps") as usize;
    let step = Sampler::Ddim.steps(&fixture.schedule, steps).unwrap()[1];
    let factor = fixture.inputs["control"].dim(3).unwrap() / fixture.inputs["ref0.latent"].dim(3).unwrap();
    let (scale, less_noise) = (3.0, 20.0);
    let guidance = Guidance::Interleaved {
        reference_probability: 1.0,
        reference_scale: scale,
        text_scale: 1.0,
        less_noise,
        more_noise: 0.0,
    };
    for side in [16, 40] {
        let latent = normal(1, &[1, 4, side, side]);
        let image = normal(2, &[1, 3, side * factor, side * factor]);
        let controls = [Some(fixture.controls[0].network.embed(&image).unwrap())];
        let reference = || fixture.reference("ref1", 10.0, KEEP);
        let mut references = look_at(vec![reference()]);
        let plan = fixture.plan(steps, guidance);
        let found = fixture.with_denoiser(1, &plan, &mut references, &controls, |denoiser| {
            denoiser.predict(&latent, &step).unwrap().noise
        });

        let time = step.timestep - less_noise;
        let seen = reference().pass(&networks, &step, (0, ReferenceNoise::Less), time).unwrap().unwrap();
        let text = fixture.text("context");
        let control = networks.control(&latent, &step, step.timestep, &text, &controls).unwrap();
        let alone = |references: Vec<&ReferencePass>| {
            let pictures = [PassPicture { references, ..PassPicture::default() }];
            let mut context = text.context();
            context.pictures = &pictures;
            networks.unet(&latent, step.timestep, &mut context, control.as_ref(), None).unwrap().0
        };
        let (with, without) = (alone(vec![seen.as_ref()]), alone(vec![]));
        assert!(relative_error(&with, &without) > 1e-3, "the reference changes nothing");
        let wanted = ((with * scale).unwrap() + (without * (1.0 - scale)).unwrap()).unwrap();
        assert_close(&format!("side {side}"), &found, &wanted, 1e-5);
    }
}

/// A still that begins from a picture is what diffusers' image-to-image pipeline makes of it.
#[test]
fn beginning_from_a_picture_is_image_to_image() {
    let weights = WeightFiles { model: Some(fixtures().join("sd1")), ..WeightFiles::default() };
    let device = DeviceSettings::cpu();
    let pipeline = weights.open().unwrap().load(&device, &mut |_| {}).unwrap();
    let model = &pipeline.model;
    let latent = tensors("method/inputs.safetensors")["ref0.latent"].to_dtype(DType::F32).unwrap();
    let (_, _, height, width) = latent.dims4().unwrap();
    let path = fixtures().join("img2img/expected.safetensors");
    let (_, header) = safetensors::SafeTensors::read_metadata(&std::fs::read(&path).unwrap()).unwrap();
    let texts = header.metadata().clone().unwrap();
    let defaults = ModelDefaults::default();
    let settings = RenderSettings {
        prompt: texts["prompt"].clone(),
        negative_prompt: texts["negative_prompt"].clone(),
        width: width * model.factor(),
        height: height * model.factor(),
        steps: 10,
        guidance: Guidance::ClassifierFree { scale: 3.0 },
        beta: 0.0,
        reference_weight: 0.0,
        previous_weight: 0.0,
        ..RenderSettings::square(&defaults, 0)
    };
    let expected = tensors("img2img/expected.safetensors");
    assert_eq!(expected.len(), 3);
    for (strength, expected) in &expected {
        let inputs = ClipInputs {
            reference: EncodedReference {
                latent: latent.clone(),
                subject: None,
                mask: None,
                controls: vec![],
            },
            prompts: PromptEmbeddings::encode(model, &settings).unwrap(),
            noise: NoiseSource::from_file(fixtures().join("method/noise.safetensors")).unwrap(),
            init: Some(InitialLatent { latent: latent.clone(), strength: strength.parse().unwrap() }),
        };
        let (cache, interrupt) = (FeatureCache::Recompute, Interrupt::default());
        let mut animator = Animator::new(&pipeline, inputs, settings.clone(), cache, interrupt).unwrap();
        let rendered = animator.render(FrameInputs::new(&[]), &mut |_| {}).unwrap();
        assert_close(strength, &rendered.latent, expected, 1e-4);
    }
}
