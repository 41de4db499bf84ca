//! Schedules, samplers and noise, against diffusers (see `fixtures/schedulers/make.py`) and by their properties.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{D, DType, Device, Tensor};
use dreamtuner::diffusion::{
    BetaSchedule, Denoiser, NoiseLevel, NoiseSource, Prediction, PredictionType, Purpose, Sampler, Schedule,
    ScheduleConfig, Step, TimestepSpacing, sample, sample_from,
};
use dreamtuner::error::{Error, Result};
use proptest::prelude::*;

use crate::common::normal;

struct Fixture {
    tensors: HashMap<String, Tensor>,
    configs: HashMap<String, String>,
}

impl Fixture {
    fn load() -> Self {
        let folder = std::env::var_os("DREAMTUNER_FIXTURES")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from);
        let bytes = std::fs::read(folder.join("schedulers/schedulers.safetensors")).unwrap();
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        Self {
            tensors: candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap(),
            configs: metadata.metadata().clone().unwrap(),
        }
    }

    /// The configurations whose name starts with `kind`, each with the parts of its name.
    fn configs(&self, kind: &str) -> Vec<(&str, Vec<&str>, ScheduleConfig)> {
        let named = self.configs.iter().map(|(name, json)| {
            (name.as_str(), name.split('/').collect::<Vec<_>>(), serde_json::from_str(json).unwrap())
        });
        named.filter(|(_, parts, _)| parts[0] == kind).collect()
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.tensors[name].to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// `noise` as the user would give it: a file with one tensor for each step.
    fn noise_source(&self, folder: &tempfile::TempDir) -> NoiseSource {
        let noise = &self.tensors["noise"];
        let steps = (0..noise.dim(0).unwrap()).map(|i| (format!("step.{i}"), noise.get(i).unwrap()));
        let path = folder.path().join("noise.safetensors");
        candle_core::safetensors::save(&steps.collect::<HashMap<_, _>>(), &path).unwrap();
        NoiseSource::from_file(path).unwrap()
    }
}

/// The network of `make.py`; keeps the latents it was shown.
struct Toy {
    prediction_type: PredictionType,
    seen: Vec<Tensor>,
}

impl Toy {
    fn new(prediction_type: PredictionType) -> Self {
        Self { prediction_type, seen: Vec::new() }
    }
}

impl Denoiser for Toy {
    fn predict(&mut self, latent: &Tensor, step: &Step) -> Result<Prediction> {
        let gain = 0.7 + 0.5 * (step.timestep / 300.0).cos();
        let shift = 0.3 * (step.timestep / 200.0).sin();
        let share = 0.95 * (step.timestep / 1000.0).sqrt();
        let output = ((latent.affine(gain, shift)?.tanh()? * 0.4)? + (latent * share)?)?;
        self.seen.push(latent.clone());
        self.prediction_type.interpret(&output, latent, step)
    }
}

/// Largest difference over largest expected magnitude.
fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    found.iter().zip(expected).fold(0.0f64, |most, (a, b)| most.max((a - b).abs())) / largest
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn stable_diffusion() -> Schedule {
    Schedule::new(ScheduleConfig::stable_diffusion(PredictionType::Epsilon)).unwrap()
}

fn setting_problem<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(error @ Error::Setting { .. }) => error.to_string(),
        other => panic!("expected a setting error, found {other:?}"),
    }
}

fn input_problem<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(error @ Error::Input { .. }) => error.to_string(),
        other => panic!("expected an input error, found {other:?}"),
    }
}

#[test]
fn samplers_equal_diffusers() {
    let fixture = Fixture::load();
    let folder = tempfile::tempdir().unwrap();
    let noise = fixture.noise_source(&folder);
    let mut worst = HashMap::<&str, f64>::new();
    let runs = fixture.configs("run");
    assert!(runs.len() > 300);
    for (name, parts, config) in &runs {
        let sampler: Sampler = parts[1].parse().unwrap();
        let timesteps = fixture.values(&format!("{name}/timesteps"));
        let schedule = Schedule::new(config.clone()).unwrap();
        let steps = sampler.steps(&schedule, timesteps.len()).unwrap();
        assert_eq!(
            steps.iter().map(|step| step.timestep).collect::<Vec<_>>(),
            timesteps,
            "{name}: {config:?}"
        );
        let mut toy = Toy::new(config.prediction_type);
        let latent = sample(sampler, &schedule, &steps, &fixture.tensors["start"], &noise, &mut toy).unwrap();
        let error = relative_error(&values(&latent), &fixture.values(&format!("{name}/latent")));
        // diffusers' single precision loses more where noise is 20,000 times the picture.
        let allowed = if config.beta_schedule == BetaSchedule::SquaredCosine { 1e-3 } else { 1e-4 };
        assert!(error <= allowed, "{name}: relative error {error:e} with {config:?}");
        let most = worst.entry(sampler.name()).or_default();
        *most = most.max(error);
    }
    println!("largest relative error of each sampler: {worst:?}");
    assert_eq!(worst.len(), Sampler::ALL.len());
}

#[test]
fn timesteps_equal_diffusers() {
    let fixture = Fixture::load();
    let configs = fixture.configs("timesteps");
    assert!(configs.len() > 100);
    for (name, parts, config) in configs {
        let sampler: Sampler = parts[1].parse().unwrap();
        let steps = sampler.steps(&Schedule::new(config).unwrap(), parts[2].parse().unwrap()).unwrap();
        let timesteps: Vec<_> = steps.iter().map(|step| step.timestep).collect();
        assert_eq!(timesteps, fixture.values(name), "{name}");
    }
}

#[test]
fn noise_levels_equal_diffusers() {
    let fixture = Fixture::load();
    let configs = fixture.configs("alphas");
    assert_eq!(configs.len(), 6);
    for (name, _, config) in configs {
        let schedule = Schedule::new(config.clone()).unwrap();
        let expected = fixture.values(name);
        // The single precision of diffusers' running product is what differs.
        for (timestep, (found, expected)) in schedule.alphas_cumprod().iter().zip(&expected).enumerate() {
            let allowed = 1e-7 + 2e-4 * expected;
            assert!((found - expected).abs() <= allowed, "{config:?} {timestep}: {found} {expected}");
            let level = schedule.level(timestep as f64);
            assert!((level.alpha.powi(2) + level.sigma.powi(2) - 1.0).abs() < 1e-12);
            assert_eq!(
                (level.alpha, level.sigma),
                (schedule.alpha(timestep as f64), schedule.sigma(timestep as f64))
            );
        }
        assert!(relative_error(schedule.alphas_cumprod(), &expected) < 1e-5);
        assert_eq!(*schedule.alphas_cumprod().last().unwrap() == 0.0, config.rescale_betas_zero_snr);
    }
}

#[test]
fn a_run_can_start_in_the_middle() {
    let fixture = Fixture::load();
    let schedule = stable_diffusion();
    let noise = NoiseSource::new(3);
    for sampler in [Sampler::Ddim, Sampler::Euler, Sampler::EulerAncestral, Sampler::Lcm] {
        let steps = sampler.steps(&schedule, 12).unwrap();
        let mut toy = Toy::new(PredictionType::Velocity);
        let whole = sample(sampler, &schedule, &steps, &fixture.tensors["start"], &noise, &mut toy).unwrap();
        assert_eq!(toy.seen.len(), 12);
        let middle = toy.seen[5].clone();
        let rest = sample_from(sampler, &schedule, &steps[5..], &middle, &noise, &mut toy).unwrap();
        assert_eq!(values(&whole), values(&rest), "{sampler}");
        let none = sample_from(sampler, &schedule, &[], &middle, &noise, &mut toy);
        assert!(setting_problem(none).contains("allowed 1 or more"));
    }
}

/// A network that knows the clean latent.
struct Oracle(Tensor);

impl Denoiser for Oracle {
    fn predict(&mut self, latent: &Tensor, step: &Step) -> Result<Prediction> {
        PredictionType::Sample.interpret(&self.0, latent, step)
    }
}

#[test]
fn every_sampler_finds_what_the_network_knows() {
    let clean = normal(1, &[2, 4, 3, 5]);
    let config = ScheduleConfig {
        set_alpha_to_one: true,
        ..ScheduleConfig::stable_diffusion(PredictionType::Epsilon)
    };
    let schedule = Schedule::new(config).unwrap();
    let noise = NoiseSource::new(1);
    for (sampler, dtype) in Sampler::ALL.into_iter().flat_map(|s| [(s, DType::F32), (s, DType::BF16)]) {
        let steps = sampler.steps(&schedule, 9).unwrap();
        let clean = clean.to_dtype(dtype).unwrap();
        let start = noise.normal(Purpose::Latent, 0, clean.shape(), dtype, &Device::Cpu).unwrap();
        let found = sample(sampler, &schedule, &steps, &start, &noise, &mut Oracle(clean.clone())).unwrap();
        assert_eq!(found.dtype(), dtype);
        let allowed = if dtype == DType::F32 { 1e-5 } else { 2e-2 };
        assert!(relative_error(&values(&found), &values(&clean)) < allowed, "{sampler} {dtype:?}");
    }
}

#[test]
fn every_count_of_steps_works_or_says_why() {
    for spacing in [TimestepSpacing::Leading, TimestepSpacing::Trailing, TimestepSpacing::Linspace] {
        let config = ScheduleConfig {
            timestep_spacing: Some(spacing),
            ..ScheduleConfig::stable_diffusion(PredictionType::Epsilon)
        };
        let schedule = Schedule::new(config).unwrap();
        for (sampler, count) in Sampler::ALL.into_iter().flat_map(|s| (1..=1000).map(move |count| (s, count)))
        {
            let steps = match sampler.steps(&schedule, count) {
                Ok(steps) => steps,
                Err(error) => {
                    let wanted = if sampler == Sampler::Lcm { 50 } else { 998 };
                    assert!(count > wanted, "{sampler} {spacing:?} {count}: {error}");
                    assert!(error.to_string().contains(&count.to_string()));
                    continue;
                }
            };
            assert_eq!(steps.len(), count);
            for (index, step) in steps.iter().enumerate() {
                assert_eq!((step.index, step.count), (index, count));
                assert!((0.0..=999.0).contains(&step.timestep), "{sampler} {spacing:?} {count}: {step:?}");
                assert!(step.alpha > 0.0 && step.sigma > 0.0);
            }
            assert!(steps.is_sorted_by(|a, b| a.alpha < b.alpha && a.sigma > b.sigma));
            assert!(steps.is_sorted_by(|a, b| a.timestep >= b.timestep));
        }
        for sampler in Sampler::ALL {
            assert!(setting_problem(sampler.steps(&schedule, 0)).contains("found 0; allowed 1 to"));
            assert!(setting_problem(sampler.steps(&schedule, 1001)).contains("found 1001; allowed 1 to"));
        }
    }
}

#[test]
fn zero_terminal_snr_needs_more_than_epsilon() {
    let config = |prediction_type| ScheduleConfig {
        rescale_betas_zero_snr: true,
        timestep_spacing: Some(TimestepSpacing::Trailing),
        ..ScheduleConfig::stable_diffusion(prediction_type)
    };
    let epsilon = Schedule::new(config(PredictionType::Epsilon)).unwrap();
    let problem = setting_problem(Sampler::Ddim.steps(&epsilon, 10));
    assert!(problem.contains("alpha = 0") && problem.contains("time step 999"), "{problem}");
    assert!(Sampler::Euler.steps(&epsilon, 10).is_ok());
    let velocity = Schedule::new(config(PredictionType::Velocity)).unwrap();
    let step = Sampler::Ddim.steps(&velocity, 10).unwrap()[0];
    assert_eq!((step.alpha, step.sigma), (0.0, 1.0));
    let latent = normal(2, &[1, 4, 2, 2]);
    assert!(
        setting_problem(PredictionType::Epsilon.interpret(&latent, &latent, &step)).contains("alpha = 0")
    );
    let output = (&latent * 0.5).unwrap();
    let prediction = PredictionType::Velocity.interpret(&output, &latent, &step).unwrap();
    assert_eq!(values(&prediction.clean), values(&(&output * -1.0).unwrap()));
    assert_eq!(values(&prediction.noise), values(&latent));
}

#[test]
fn bad_schedules_are_refused() {
    let bad = |json: &str| {
        setting_problem(Schedule::new(serde_json::from_str::<ScheduleConfig>(json).unwrap()).map(|_| ()))
    };
    assert_eq!(bad(r#"{"num_train_timesteps": 0}"#), "num_train_timesteps: found 0; allowed 2 to 100000");
    assert_eq!(bad(r#"{"num_train_timesteps": 1000000000000}"#).split(';').count(), 2);
    assert_eq!(bad(r#"{"beta_start": 0}"#), "beta_start: found 0; allowed above 0 and below 1");
    assert_eq!(bad(r#"{"beta_end": 1.5}"#), "beta_end: found 1.5; allowed above 0 and below 1");
    assert!(bad(r#"{"beta_start": 0.99, "beta_end": 0.99}"#).contains("keep some of the picture"));
    assert!(bad(r#"{"beta_start": 1e-300, "beta_end": 1e-300}"#).contains("must differ in noise"));
    assert!(bad(r#"{"trained_betas": [0.1, 0.2]}"#).contains("found 2 values; allowed 1000"));
    assert!(bad(r#"{"thresholding": true}"#).contains("only false"));
    assert!(bad(r#"{"clip_sample_range": -1}"#).contains("found -1; allowed above 0"));
    assert!(bad(r#"{"steps_offset": 1000}"#).contains("allowed 0 to 999"));
    let lcm = ScheduleConfig { original_inference_steps: 0, ..ScheduleConfig::default() };
    let problem = setting_problem(Sampler::Lcm.steps(&Schedule::new(lcm).unwrap(), 4));
    assert!(problem.contains("original_inference_steps: found 0; allowed 1 to 1000"));
}

#[test]
fn scheduler_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scheduler_config.json");
    std::fs::write(
        &path,
        r#"{"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "skip_prk_steps": true}"#,
    )
    .unwrap();
    let config = ScheduleConfig::from_file(&path).unwrap();
    let expected = ScheduleConfig { class_name: Some("PNDMScheduler".into()), ..ScheduleConfig::default() };
    assert_eq!(config, expected);
    for text in
        ["", "{", "[]", r#"{"prediction_type": "flow"}"#, r#"{"beta_end": NaN}"#, r#"{"beta_end": null}"#]
    {
        std::fs::write(&path, text).unwrap();
        let error = ScheduleConfig::from_file(&path).unwrap_err();
        assert!(matches!(error, Error::Weights { .. }), "{error}");
        assert!(error.to_string().contains("scheduler_config.json"));
    }
    assert!(matches!(ScheduleConfig::from_file(folder.path().join("none")), Err(Error::Io { .. })));
    let mini = concat!(env!("CARGO_MANIFEST_DIR"), "/models/mini/scheduler/scheduler_config.json");
    let mini = ScheduleConfig::from_file(mini).unwrap();
    assert_eq!(mini.beta_schedule, BetaSchedule::ScaledLinear);
    assert_eq!(mini.clip_sample, Some(false));
}

/// DDIM clips only when the file says so, or is one of DDIM's own that says nothing.
#[test]
fn clipping_follows_the_file() {
    let largest = |json: &str| {
        let schedule = Schedule::new(serde_json::from_str(json).unwrap()).unwrap();
        let clean = Tensor::full(3f32, (1, 1, 2, 2), &Device::Cpu).unwrap();
        let steps = Sampler::Ddim.steps(&schedule, 5).unwrap();
        let mut oracle = Oracle(clean.clone());
        let found =
            sample(Sampler::Ddim, &schedule, &steps, &clean, &NoiseSource::new(0), &mut oracle).unwrap();
        values(&found)[0].round()
    };
    assert_eq!(largest("{}"), 1.0);
    assert_eq!(largest(r#"{"_class_name": "DDIMScheduler"}"#), 1.0);
    assert_eq!(largest(r#"{"_class_name": "EulerDiscreteScheduler"}"#), 3.0);
    assert_eq!(largest(r#"{"clip_sample": false}"#), 3.0);
    assert_eq!(
        largest(r#"{"_class_name": "PNDMScheduler", "clip_sample": true, "clip_sample_range": 2}"#),
        2.0
    );
}

#[test]
fn sampler_names_go_both_ways() {
    for sampler in Sampler::ALL {
        assert_eq!(sampler.to_string().parse::<Sampler>().unwrap(), sampler);
        let json = serde_json::to_string(&sampler).unwrap();
        assert_eq!(json, format!("\"{sampler}\""));
        assert_eq!(serde_json::from_str::<Sampler>(&json).unwrap(), sampler);
    }
    let problem = setting_problem("heun".parse::<Sampler>());
    assert!(problem.contains("\"heun\"") && problem.contains("dpm++-2m-karras"), "{problem}");
    assert!(serde_json::from_str::<Sampler>("\"heun\"").is_err());
}

#[test]
fn noise_is_normal_and_uniform() {
    let source = NoiseSource::new(7);
    for step in 0..3 {
        let noise = source.normal(Purpose::Latent, step, (4, 100, 101), DType::F64, &Device::Cpu).unwrap();
        let values = values(&noise);
        let count = values.len() as f64;
        let moment = |power: i32| values.iter().map(|value| value.powi(power)).sum::<f64>() / count;
        for (power, expected, spread) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0f64)] {
            let allowed = 4.0 * (spread / count).sqrt();
            assert!((moment(power) - expected).abs() < allowed, "moment {power}: {}", moment(power));
        }
    }
    let lambdas = source.uniform(Purpose::Guidance, 0, 10_000).unwrap();
    assert!(lambdas.iter().all(|lambda| (0.0..1.0).contains(lambda)));
    let below = lambdas.iter().filter(|lambda| **lambda <= 0.9).count();
    assert!((8_880..=9_120).contains(&below), "{below}");
}

/// A change here changes every picture that users have made with a seed.
#[test]
fn noise_of_a_seed_never_changes() {
    let source = NoiseSource::new(42);
    let noise = source.normal(Purpose::Latent, 0, 3, DType::F64, &Device::Cpu).unwrap();
    let expected = [0.14387693672037685, 0.03172468441735712, 0.33032317071167155];
    assert!(relative_error(&values(&noise), &expected) < 1e-12, "{:?}", values(&noise));
    let lambda = source.uniform(Purpose::Guidance, 2, 1).unwrap();
    assert_eq!(lambda, [0.2675461376497472]);
}

const PURPOSES: [Purpose; 4] = [Purpose::Latent, Purpose::Reference, Purpose::Ancestral, Purpose::Guidance];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_does_not_depend_on_what_was_drawn_before(
        seed: u64,
        draws in prop::collection::vec((0usize..4, 0u64..6, 1usize..40), 1..12),
    ) {
        let draw = |source: &NoiseSource, (purpose, step, count): (usize, u64, usize)| {
            let noise = source.normal(PURPOSES[purpose], step, count, DType::F32, &Device::Cpu).unwrap();
            (values(&noise), source.uniform(PURPOSES[purpose], step, count).unwrap())
        };
        let source = NoiseSource::new(seed);
        let forwards: Vec<_> = draws.iter().map(|&key| draw(&source, key)).collect();
        let mut backwards: Vec<_> = draws.iter().rev().map(|&key| draw(&NoiseSource::new(seed), key)).collect();
        backwards.reverse();
        prop_assert_eq!(&forwards, &backwards);
        for ((a, from_a), (b, from_b)) in draws.iter().zip(&forwards).zip(draws.iter().zip(&forwards).skip(1)) {
            prop_assert_eq!(from_a.0[0] == from_b.0[0], (a.0, a.1) == (b.0, b.1));
        }
        prop_assert_ne!(draw(&NoiseSource::new(seed ^ 1), draws[0]), forwards[0].clone());
    }

    #[test]
    fn noise_levels_fall_with_time(
        train in 2usize..1500,
        low in 1e-5f64..0.01,
        high in 1e-5f64..0.05,
        shape in 0usize..3,
        rescale: bool,
        share in 0.0f64..1.0,
    ) {
        let beta_schedule = [BetaSchedule::Linear, BetaSchedule::ScaledLinear, BetaSchedule::SquaredCosine][shape];
        let schedule = Schedule::new(ScheduleConfig {
            num_train_timesteps: train,
            beta_start: low,
            beta_end: high,
            beta_schedule,
            rescale_betas_zero_snr: rescale,
            ..ScheduleConfig::default()
        }).unwrap();
        prop_assert!(schedule.alphas_cumprod().is_sorted_by(|a, b| a > b));
        let timestep = share * schedule.last_timestep() as f64;
        let levels = [timestep.floor(), timestep, timestep.ceil()].map(|t| schedule.finite_level(t).ratio());
        prop_assert!(levels.is_sorted(), "{levels:?}");
        prop_assert_eq!(schedule.level(-5.0), schedule.level(0.0));
        prop_assert_eq!(schedule.level(1e9), schedule.level(schedule.last_timestep() as f64));
    }

    #[test]
    fn interpretations_agree(alpha_squared in 0.01f64..0.99, seed: u64) {
        let noise_of = |step| {
            NoiseSource::new(seed).normal(Purpose::Latent, step, (1, 4, 2, 3), DType::F64, &Device::Cpu).unwrap()
        };
        let (clean, noise) = (noise_of(0), noise_of(1));
        let NoiseLevel { alpha, sigma } = NoiseLevel::from_alpha_squared(alpha_squared);
        let step = Step { index: 0, count: 1, timestep: 500.0, alpha, sigma };
        let latent = step.level().mix(&clean, &noise).unwrap();
        let velocity = ((&noise * alpha).unwrap() - (&clean * sigma).unwrap()).unwrap();
        for (prediction_type, output) in [
            (PredictionType::Epsilon, &noise),
            (PredictionType::Velocity, &velocity),
            (PredictionType::Sample, &clean),
        ] {
            let found = prediction_type.interpret(output, &latent, &step).unwrap();
            prop_assert!(relative_error(&values(&found.clean), &values(&clean)) < 1e-12);
            prop_assert!(relative_error(&values(&found.noise), &values(&noise)) < 1e-12);
        }
    }
}

#[test]
fn added_noise_is_the_forward_process() {
    let schedule = stable_diffusion();
    let clean = Tensor::full(2f64, (1, 4, 2, 2), &Device::Cpu).unwrap();
    let noise = Tensor::full(-3f64, (1, 4, 2, 2), &Device::Cpu).unwrap();
    for timestep in [0.0, 1.0, 500.0, 999.0] {
        let alpha_squared = schedule.alphas_cumprod()[timestep as usize];
        let expected = 2.0 * alpha_squared.sqrt() - 3.0 * (1.0 - alpha_squared).sqrt();
        let found = schedule.add_noise(&clean, &noise, timestep).unwrap();
        assert!((values(&found)[7] - expected).abs() < 1e-14);
    }
    assert!(schedule.add_noise(&clean, &noise.narrow(D::Minus1, 0, 1).unwrap(), 5.0).is_err());
}

#[test]
fn noise_files_are_used_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.safetensors");
    let write = |tensors: Vec<(&str, Tensor)>| {
        candle_core::safetensors::save(&tensors.into_iter().collect::<HashMap<_, _>>(), &path).unwrap();
        NoiseSource::from_file(&path)
    };
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let source = write(vec![
        ("latent", tensor(&[1.0, 2.0])),
        ("reference", tensor(&[3.0])),
        ("reference.1", tensor(&[4.0])),
        ("lambda", tensor(&[0.25, 1.0])),
        ("step.0", tensor(&[5.0]).to_dtype(DType::F16).unwrap()),
    ])
    .unwrap();
    let normal = |purpose, step, count: usize| source.normal(purpose, step, count, DType::F32, &Device::Cpu);
    assert_eq!(values(&normal(Purpose::Latent, 0, 2).unwrap()), [1.0, 2.0]);
    assert_eq!(values(&normal(Purpose::Reference, 0, 1).unwrap()), [3.0]);
    assert_eq!(values(&normal(Purpose::Reference, 1, 1).unwrap()), [4.0]);
    assert_eq!(values(&normal(Purpose::Ancestral, 0, 1).unwrap()), [5.0]);
    assert_eq!(source.uniform(Purpose::Guidance, 0, 2).unwrap(), [0.25, 1.0]);
    let missing = input_problem(normal(Purpose::Ancestral, 1, 1));
    assert!(missing.contains("no tensor \"step.1\"") && missing.contains("step.0"), "{missing}");
    assert!(input_problem(normal(Purpose::Latent, 0, 3)).contains("shape [2]; this render needs [3]"));
    assert!(input_problem(source.uniform(Purpose::Guidance, 0, 3)).contains("this render needs [3]"));

    let outside = write(vec![("lambda", tensor(&[0.5, 1.5]))]).unwrap();
    assert!(input_problem(outside.uniform(Purpose::Guidance, 0, 2)).contains("holds 1.5; allowed 0 to 1"));
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(
            input_problem(write(vec![("latent", tensor(&[0.0, bad]))])).contains("allowed finite values")
        );
    }
    for name in ["latents", "step", "step.x", "step.01", "latent.0", "step.-1"] {
        assert!(input_problem(write(vec![(name, tensor(&[0.0]))])).contains("unknown tensor"), "{name}");
    }
    let whole = Tensor::new(&[1u32], &Device::Cpu).unwrap();
    assert!(input_problem(write(vec![("latent", whole)])).contains("U32; allowed F16"));

    let good = std::fs::read(&path).unwrap();
    for bytes in [&b""[..], &good[..good.len() - 1], &[0xff; 64], b"not a tensor file at all"] {
        std::fs::write(&path, bytes).unwrap();
        assert!(input_problem(NoiseSource::from_file(&path)).contains("not a readable safetensors file"));
    }
    assert!(matches!(NoiseSource::from_file(folder.path().join("none")), Err(Error::Io { .. })));
}
