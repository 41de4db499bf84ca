//! One pass of the U-Net, and one whole frame, on the embedded model. `benches/diffusers_ratio.py` then runs diffusers on
//! the same weights and prints the ratio.
//!
//! `frame` is a frame in the middle of a clip: 20 DDIM steps of interleaved guidance, ControlNet, the reference's features
//! from the cache, the previous frame noised and passed through the U-Net anew, VAE decode. At the usual p_r of 0.9, two
//! steps of the twenty follow Eq. 5; the seed is chosen so.

use candle_core::{DType, Device};
use criterion::{Criterion, criterion_group, criterion_main};
use dreamtuner::Result;
use dreamtuner::diffusion::{Guidance, NoiseSource, Purpose, Sampler};
use dreamtuner::model::transformer::AttentionContext;
use dreamtuner::model::weights::ModelFiles;
use dreamtuner::model::{LoadOptions, StableDiffusion};
use dreamtuner::render::animator::{Animator, ReferencePicture};
use dreamtuner::render::feature_store::FeatureCache;
use dreamtuner::render::interrupt::Interrupt;
use dreamtuner::render::networks::ControlUnit;
use dreamtuner::render::settings::{PreviousFeatures, RenderSettings};
use image::RgbImage;

const STEPS: usize = 20;
const REFERENCE_PROBABILITY: f64 = 0.9;
const PROMPT: &str = "red hair, green eyes, smile";

fn load() -> Result<(StableDiffusion, Vec<ControlUnit>)> {
    let files = ModelFiles::builtin()?;
    let options = LoadOptions {
        device: Device::Cpu,
        dtype: DType::F32,
        loras: Vec::new(),
        textual_inversions: Vec::new(),
    };
    let model = StableDiffusion::load(&files, &options, |_, _| {})?;
    let mut units = Vec::new();
    if let Some(controlnet) = &files.controlnet {
        units.push(ControlUnit::new(model.load_controlnet(controlnet)?.0, 1.0));
    }
    Ok((model, units))
}

/// A seed with which two steps follow Eq. 5.
fn usual_seed() -> Result<u64> {
    for seed in 0.. {
        let lambdas = NoiseSource::new(seed).uniform(Purpose::Guidance, 0, STEPS)?;
        if lambdas.iter().filter(|&&lambda| lambda > REFERENCE_PROBABILITY).count() == 2 {
            return Ok(seed);
        }
    }
    unreachable!("some seed has two steps above p_r")
}

fn settings(side: usize) -> Result<RenderSettings> {
    Ok(RenderSettings {
        width: side,
        height: side,
        prompt: PROMPT.into(),
        negative_prompt: String::new(),
        reference_prompt: None,
        clip_skip: 1,
        seed: usual_seed()?,
        steps: STEPS,
        sampler: Sampler::Ddim,
        guidance: Guidance::Interleaved {
            reference_probability: REFERENCE_PROBABILITY,
            reference_scale: 2.0,
            text_scale: 7.5,
            less_noise: 10.0,
            more_noise: 10.0,
        },
        prediction: None,
        reference_weight: 10.0,
        previous_weight: 1.0,
        previous_features: PreviousFeatures::Renoise,
        first_weight: 0.0,
        vae_tile: None,
    })
}

fn picture(side: usize, seed: u32) -> RgbImage {
    RgbImage::from_fn(side as u32, side as u32, |x, y| {
        let value = (x * 7 + y * 13 + seed * 31).wrapping_mul(2_654_435_761) >> 24;
        image::Rgb([value as u8, (value ^ 0x55) as u8, (value ^ 0xaa) as u8])
    })
}

fn benchmark(criterion: &mut Criterion) -> Result<()> {
    // SAFETY: nothing has started a thread yet.
    unsafe { dreamtuner::threads::set_threads(None)? };
    let (model, units) = load()?;
    let (side, factor) = (model.native_side, model.vae.factor());
    let shape = [1, model.latent_channels, side / factor, side / factor];
    let latent = NoiseSource::new(0).normal(Purpose::Latent, 0, &shape, DType::F32, &Device::Cpu)?;
    let text = model.encode_prompt(PROMPT, 1)?;
    criterion.bench_function("unet_step", |bencher| {
        bencher.iter(|| model.unet.forward(&latent, 481.0, &mut AttentionContext::new(&text), None));
    });

    let settings = settings(side)?;
    let control = vec![Some(picture(side, 1))];
    let reference = ReferencePicture { image: picture(side, 0), mask: None, controls: control.clone() };
    let noise = NoiseSource::new(settings.seed);
    let cache = FeatureCache::Keep { bytes: 1 << 32 };
    let mut animator =
        Animator::new(&model, &units, &reference, settings, noise, cache, Interrupt::default())?;
    // The first frame fills the cache and becomes the previous one.
    animator.render(&control, &mut |_| {})?;
    criterion.bench_function("frame", |bencher| bencher.iter(|| animator.render(&control, &mut |_| {})));
    Ok(())
}

fn run(criterion: &mut Criterion) {
    if let Err(error) = benchmark(criterion) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = run
}
criterion_main!(benches);
