//! Training: gradients of whole networks against differences, and training steps against PyTorch
//! (see tests/fixtures/training.py and subject.py).

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use dreamtuner::diffusion::{NoiseLevel, PredictionType, Schedule, ScheduleConfig};
use dreamtuner::model::config::{TextConfig, UNetConfig};
use dreamtuner::model::image_encoder::ImageEncoder;
use dreamtuner::model::subject_encoder::SubjectEncoder;
use dreamtuner::model::text::TextEncoder;
use dreamtuner::model::transformer::{AttentionContext, KeysValues};
use dreamtuner::model::unet::UNet;
use dreamtuner::model::weights::{
    NetworkFiles, Part, PartFiles, Preprocessor, SubjectEncoderFiles, Trained, Variables,
};
use dreamtuner::puppet::Random;
use dreamtuner::train::adamw::{AdamW, AdamWSettings, Parameter};
use dreamtuner::train::gradients::Gradients;
use dreamtuner::train::loss;

use crate::common::{assert_close, fixtures, normal, relative_error, tensors};

/// Largest relative error of losses, gradients and trained weights.
const TOLERANCE: f64 = 1e-3;
/// Values of each tensor that a fixture keeps, at most.
const SAMPLES: usize = 32;

fn files(part: Part) -> PartFiles {
    PartFiles::open(&fixtures().join("sd1"), part).unwrap()
}

fn unet(trained: Trained) -> (UNet, Variables) {
    let files = files(Part::Unet);
    let config = UNetConfig::from_json(&files.config_json).unwrap();
    files.build_trained(&Device::Cpu, trained, |vb| UNet::new(&config, vb)).unwrap()
}

fn frozen_unet() -> UNet {
    let files = files(Part::Unet);
    let config = UNetConfig::from_json(&files.config_json).unwrap();
    files.build(DType::F32, &Device::Cpu, &[], |vb| UNet::new(&config, vb)).unwrap().0
}

/// The batch that fixtures are made from.
struct Batch {
    stored: HashMap<String, Tensor>,
    timesteps: Vec<f64>,
    levels: Vec<NoiseLevel>,
}

impl Batch {
    fn new() -> Self {
        let stored = tensors("training/expected.safetensors");
        let config =
            ScheduleConfig::from_file(fixtures().join("sd1/scheduler/scheduler_config.json")).unwrap();
        let schedule = Schedule::new(config).unwrap();
        let timesteps: Vec<f64> = stored["timesteps"].to_dtype(DType::F64).unwrap().to_vec1().unwrap();
        let levels = timesteps.iter().map(|&timestep| schedule.level(timestep)).collect();
        Self { stored, timesteps, levels }
    }

    fn loss(&self, unet: &UNet, context: &Tensor) -> dreamtuner::Result<Tensor> {
        let (clean, noise) = (&self.stored["latent"], &self.stored["noise"]);
        let noisy = loss::noisy(clean, noise, &self.levels)?;
        let text = unet.keys_values(context)?;
        let output = unet.forward(&noisy, &self.timesteps, &mut AttentionContext::new(&text), None)?;
        let target = loss::target(PredictionType::Epsilon, clean, noise, &self.levels)?;
        Ok(loss::errors(&output, &target)?.mean_all()?)
    }

    fn unet_loss(&self, unet: &UNet) -> dreamtuner::Result<Tensor> {
        self.loss(unet, &self.stored["context"])
    }
}

fn number(tensor: &Tensor) -> f64 {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()[0]
}

/// The values of a tensor that fixtures keep.
fn samples(tensor: &Tensor) -> Tensor {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    let step = (values.len() / SAMPLES).max(1);
    let some: Vec<f32> = values.into_iter().step_by(step).take(SAMPLES).collect();
    Tensor::new(some, &Device::Cpu).unwrap()
}

fn parameters(variables: &Variables, learning_rate: f64) -> Vec<Parameter> {
    let parameter = |(name, variable): (&String, &Var)| Parameter {
        name: name.clone(),
        variable: variable.clone(),
        learning_rate,
    };
    variables.iter().map(parameter).collect()
}

fn norm(tensor: &Tensor) -> f64 {
    number(&tensor.sqr().unwrap().sum_all().unwrap()).sqrt()
}

/// Takes two steps, and compares losses, gradients and what came of the weights with the fixture's.
fn check_steps(
    case: &str,
    batch: &Batch,
    parameters: Vec<Parameter>,
    loss: impl Fn() -> dreamtuner::Result<Tensor>,
) {
    let stored = |name: String| batch.stored.get(&name).unwrap_or_else(|| panic!("no {name}"));
    let before: Vec<Tensor> = parameters.iter().map(|p| p.variable.as_tensor().copy().unwrap()).collect();
    let mut optimizer = AdamW::new(parameters, AdamWSettings::default()).unwrap();
    // Biases before a norm over one channel have no gradient but rounding errors, which AdamW turns into whole steps.
    let nothing = 1e-5 * number(stored(format!("{case}.clipped.0")));
    let counts = |name: &str| number(stored(format!("{case}.norm/{name}"))) > nothing;
    for step in 0..2 {
        let loss = loss().unwrap();
        assert_close("loss", &loss.reshape(()).unwrap(), stored(format!("{case}.loss.{step}")), TOLERANCE);
        let store = loss.backward().unwrap();
        let mut gradients = Gradients::default();
        gradients.add(&store, optimizer.parameters()).unwrap();
        if step == 0 {
            let mut largest = 0.0f64;
            for Parameter { name, variable, .. } in optimizer.parameters() {
                let gradient = store.get(variable.as_tensor()).unwrap();
                let wanted = number(stored(format!("{case}.norm/{name}")));
                if !counts(name) {
                    assert!(norm(gradient) <= nothing, "{name}: {}", norm(gradient));
                    continue;
                }
                let error = norm(&(samples(gradient) - stored(format!("{case}.gradient/{name}"))).unwrap());
                largest = largest.max(error / wanted).max((norm(gradient) / wanted - 1.0).abs());
                assert!(error <= TOLERANCE * wanted, "{name}: {error:e} of {wanted:e}");
                assert!((norm(gradient) / wanted - 1.0).abs() <= TOLERANCE, "{name}: {}", norm(gradient));
            }
            println!("{case}: largest error of a gradient {largest:.1e}");
        }
        let (gradients, norm) = gradients.clipped(optimizer.parameters(), 1.0).unwrap();
        let wanted = number(stored(format!("{case}.clipped.{step}")));
        assert!((norm / wanted - 1.0).abs() <= TOLERANCE, "norm {norm}, {wanted} expected");
        optimizer.step(&gradients, 1.0).unwrap();
    }
    let (mut differences, mut changes) = (0.0, 0.0);
    let trained = optimizer.parameters().iter().zip(&before);
    for (Parameter { name, variable, .. }, before) in trained.filter(|(parameter, _)| counts(&parameter.name))
    {
        let (after, wanted) = (samples(variable.as_tensor()), stored(format!("{case}.after/{name}")));
        differences += norm(&(&after - wanted).unwrap()).powi(2);
        changes += norm(&(wanted - samples(before)).unwrap()).powi(2);
    }
    let error = (differences / changes).sqrt();
    println!("{case}: {error:.1e} of the change");
    assert!(error <= TOLERANCE, "{case}: trained weights are {error:e} of their change off");
}

#[test]
fn a_whole_unet_trains_as_in_pytorch() {
    let batch = Batch::new();
    let (unet, variables) = unet(Trained::Everything);
    check_steps("full", &batch, parameters(&variables, 1e-3), || batch.unet_loss(&unet));
}

#[test]
fn low_rank_changes_train_as_in_pytorch() -> Result<()> {
    let batch = Batch::new();
    let (unet, variables) = unet(Trained::LowRank { rank: 4, seed: 0 });
    for (name, variable) in &variables {
        let pace = if name.contains("lora_A") { 0.7 } else { 1.3 };
        let values = (0..variable.elem_count()).map(|index| (0.1 * (pace * index as f64).cos()) as f32);
        variable.set(&Tensor::from_iter(values, &Device::Cpu)?.reshape(variable.shape())?)?;
    }
    check_steps("lora", &batch, parameters(&variables, 1e-3), || batch.unet_loss(&unet));
    Ok(())
}

#[test]
fn a_new_word_trains_as_in_pytorch() -> Result<()> {
    const WORD: u32 = 5;
    let batch = Batch::new();
    let files = files(Part::TextEncoder);
    let config = TextConfig::from_json(&files.config_json).unwrap();
    let words = files.tensor("embeddings.token_embedding.weight").unwrap().to_dtype(DType::F32)?;
    let word = Var::from_tensor(&words.narrow(0, WORD as usize, 1)?)?;
    let encoder = |vb: VarBuilder| TextEncoder::new(&config, Some(word.as_tensor()), vb);
    let (encoder, _) = files.build(DType::F32, &Device::Cpu, &[], encoder).unwrap();
    let ids: Vec<u32> = batch.stored["ids"].to_dtype(DType::U32)?.flatten_all()?.to_vec1()?;
    let ids: Vec<u32> =
        ids.into_iter().map(|id| if id == WORD { config.vocab_size as u32 } else { id }).collect();
    let ids = Tensor::from_vec(ids, batch.stored["ids"].shape(), &Device::Cpu)?;
    let unet = frozen_unet();
    let parameter = Parameter { name: "word".into(), variable: word.clone(), learning_rate: 5e-3 };
    check_steps("word", &batch, vec![parameter], || batch.loss(&unet, &encoder.forward(&ids, 1)?));
    Ok(())
}

fn normals(random: &mut Random, shape: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(random.normals(shape.iter().product()), shape, &Device::Cpu)
}

/// Along random directions through all weights at once, the loss changes as the gradient says.
#[test]
fn gradients_are_differences() -> Result<()> {
    let batch = Batch::new();
    let mut random = Random::new(7, 0);
    for trained in [Trained::Everything, Trained::LowRank { rank: 2, seed: 1 }, Trained::SubjectAttention] {
        let (unet, variables) = unet(trained);
        // What begins as zero hides the gradient of what it is multiplied by.
        for variable in variables.values() {
            let little = (normals(&mut random, variable.dims())? * 0.05)?;
            variable.set(&(variable.as_detached_tensor() + little)?)?;
        }
        let subject = normals(&mut random, &[2, 5, 32])?;
        let loss = || -> dreamtuner::Result<Tensor> {
            if trained != Trained::SubjectAttention {
                return batch.unet_loss(&unet);
            }
            let (clean, noise) = (&batch.stored["latent"], &batch.stored["noise"]);
            let (text, subject) =
                (unet.keys_values(&batch.stored["context"])?, unet.subject_keys_values(&subject)?);
            let mut context = AttentionContext::new(&text);
            context.subject = Some((&subject, 1.0));
            let noisy = loss::noisy(clean, noise, &batch.levels)?;
            let output = unet.forward(&noisy, &batch.timesteps, &mut context, None)?;
            Ok(loss::errors(&output, noise)?.mean_all()?)
        };
        let store = loss().unwrap().backward()?;
        for (name, variable) in &variables {
            let gradient = store.get(variable.as_tensor()).unwrap_or_else(|| panic!("{name}: no gradient"));
            let norm = norm(gradient);
            assert!(norm.is_finite() && norm > 0.0, "{name}: gradient of norm {norm}");
        }
        for _ in 0..4 {
            let mut slope = 0.0;
            let mut directions = Vec::new();
            for variable in variables.values() {
                // About as long in every tensor, and more along the gradient than across.
                let gradient = store.get(variable.as_tensor()).unwrap();
                let along = (gradient / norm(gradient))?;
                let across = normals(&mut random, variable.dims())?;
                let direction = (along + (&across / norm(&across))?)?;
                slope += number(&(gradient * &direction)?.sum_all()?);
                directions.push(direction);
            }
            let shift = |step: f64| -> Result<f64> {
                for (variable, direction) in variables.values().zip(&directions) {
                    variable.set(&(variable.as_detached_tensor() + (direction * step)?)?)?;
                }
                Ok(number(&loss().unwrap()))
            };
            let difference = |step: f64| -> Result<f64> {
                let (after, before) = (shift(step)?, shift(-2.0 * step)?);
                shift(step)?;
                Ok((after - before) / (2.0 * step))
            };
            // The loss is known to 10⁻⁷; the step makes it change by 10⁻³. What bends the loss goes with the step's square, and
            // out by half the step (Richardson's extrapolation).
            let step = 1e-3 * number(&loss().unwrap()) / slope;
            let found = (4.0 * difference(step / 2.0)? - difference(step)?) / 3.0;
            let error = found / slope - 1.0;
            println!("{trained:?}: {error:.1e}");
            assert!(error.abs() <= 1e-3, "{trained:?}: slope {slope}, off by {error:e} of it");
        }
    }
    Ok(())
}

/// The whole subject encoder: tokens, the U-Net's answer, and its training.
#[test]
fn a_subject_encoder_answers_and_trains_as_in_pytorch() -> Result<()> {
    let mut batch = Batch::new();
    let expected = tensors("subject/expected.safetensors");
    batch.stored.extend(expected.clone());
    let subject = SubjectEncoderFiles::open(&fixtures().join("subject"), &files(Part::Unet), None).unwrap();
    let make = |vb: VarBuilder| ImageEncoder::new(&subject.image_encoder.config, vb);
    let (eyes, _) = subject.image_encoder.build(DType::F32, &Device::Cpu, &[], make).unwrap();
    let config = subject.trainable().unwrap();
    let features = eyes.hidden_states(&expected["pictures"], &config.layers)?;
    let make = |vb: VarBuilder| SubjectEncoder::new(config, vb);
    let (encoder, variables) =
        subject.encoder.build_trained(&Device::Cpu, Trained::Everything, make).unwrap();
    assert_close("tokens", &encoder.forward(&features)?, &expected["tokens"], 1e-4);

    let files = files(Part::Unet).with(&subject.attention);
    let unet_config = UNetConfig::from_json(&files.config_json).unwrap();
    let make = |vb: VarBuilder| UNet::new(&unet_config, vb);
    let (unet, attention) = files.build_trained(&Device::Cpu, Trained::SubjectAttention, make).unwrap();
    let answer = |beta: f64, latent: &Tensor| -> Result<Tensor> {
        let tokens = encoder.forward(&features)?;
        let (text, subject) =
            (unet.keys_values(&batch.stored["context"])?, unet.subject_keys_values(&tokens)?);
        let mut context = AttentionContext::new(&text);
        context.subject = Some((&subject, beta));
        unet.forward(latent, &batch.timesteps, &mut context, None)
    };
    assert_close("output", &answer(0.7, &batch.stored["latent"])?, &expected["output"], 1e-4);
    let plain = frozen_unet();
    let text = plain.keys_values(&batch.stored["context"])?;
    let latent = &batch.stored["latent"];
    let without = plain.forward(latent, &batch.timesteps, &mut AttentionContext::new(&text), None)?;
    assert_same_bits(&answer(0.0, latent)?, &without);

    let named = |prefix: &str, variables: &Variables| -> Vec<Parameter> {
        let mut parameters = parameters(variables, 1e-3);
        parameters.iter_mut().for_each(|parameter| parameter.name.insert_str(0, prefix));
        parameters
    };
    let parameters = [named("", &variables), named("unet.", &attention)].concat();
    check_steps("subject", &batch, parameters, || {
        let (clean, noise) = (&batch.stored["latent"], &batch.stored["noise"]);
        let output = answer(1.0, &loss::noisy(clean, noise, &batch.levels)?)?;
        Ok(loss::errors(&output, noise)?.mean_all()?)
    });
    Ok(())
}

/// Subject-encoder-attention whose output is zero, as training begins with it, changes nothing.
#[test]
fn zero_subject_attention_changes_no_bit() -> Result<()> {
    let batch = Batch::new();
    let (_, variables) = unet(Trained::SubjectAttention);
    let given = tensors("subject/diffusion_pytorch_model.safetensors");
    let mut stored: HashMap<String, Tensor> =
        given.into_iter().filter(|(name, _)| !name.starts_with("unet.")).collect();
    let new =
        variables.iter().map(|(name, variable)| (format!("unet.{name}"), variable.as_detached_tensor()));
    stored.extend(new);
    let folder = tempfile::tempdir().unwrap();
    candle_core::safetensors::save(&stored, folder.path().join("diffusion_pytorch_model.safetensors"))?;
    let from = fixtures().join("subject");
    std::fs::copy(from.join("config.json"), folder.path().join("config.json")).unwrap();
    let image_encoder = NetworkFiles::open(&from.join("image_encoder"), Part::ImageEncoder).unwrap();
    let own = Some((&image_encoder, &Preprocessor::default()));
    let subject = SubjectEncoderFiles::open(folder.path(), &files(Part::Unet), own).unwrap();

    let files = files(Part::Unet).with(&subject.attention);
    let config = UNetConfig::from_json(&files.config_json).unwrap();
    let (unet, report) = files.build(DType::F32, &Device::Cpu, &[], |vb| UNet::new(&config, vb)).unwrap();
    assert!(report.unused.is_empty(), "{report}");
    let read = unet.subject_keys_values(&normal(1, &[2, 9, 32]))?;
    let answer = |unet: &UNet, subject: Option<&KeysValues>| -> Result<Tensor> {
        let text = unet.keys_values(&batch.stored["context"])?;
        let mut context = AttentionContext::new(&text);
        context.subject = subject.map(|subject| (subject, 1.0));
        unet.forward(&batch.stored["latent"], &batch.timesteps, &mut context, None)
    };
    assert_same_bits(&answer(&unet, Some(&read))?, &answer(&frozen_unet(), None)?);
    Ok(())
}

#[track_caller]
fn assert_same_bits(ours: &Tensor, other: &Tensor) {
    let bits = |tensor: &Tensor| -> Vec<u32> {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    assert!(bits(ours) == bits(other), "outputs differ by {}", relative_error(ours, other));
}
