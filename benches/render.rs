//! One pass of the U-Net, and one whole frame, on the embedded model or, by `BENCH_MODEL=FOLDER` and `BENCH_SIDE=PIXELS`,
//! on another. `benches/diffusers_ratio.py` asks for single runs instead, by `--ask`, and times diffusers by turns.
//!
//! `frame` is a frame in the middle of a clip: 20 DDIM steps of interleaved guidance, ControlNet, the reference's features
//! from the cache, the previous frame noised and passed through the U-Net anew, VAE decode. At the usual p_r of 0.9, two
//! steps of the twenty follow Eq. 5; the seed is chosen so. `frame_trajectory` looks back at the previous frame's own
//! steps instead.

mod asked;

use candle_core::{DType, Device};
use criterion::Criterion;
use dreamtuner::Result;
use dreamtuner::diffusion::{Guidance, GuidanceInterval, NoiseSource, Purpose, Sampler};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::DeviceSettings;
use dreamtuner::model::StableDiffusion;
use dreamtuner::model::transformer::AttentionContext;
use dreamtuner::model::weights::ModelFiles;
use dreamtuner::render::animator::{Animator, ClipInputs, FrameInputs, ReferencePicture};
use dreamtuner::render::feature_store::FeatureCache;
use dreamtuner::render::pipeline::Pipeline;
use dreamtuner::render::settings::{PreviousFeatures, RenderSettings};
use dreamtuner::render::weights::OpenWeights;
use dreamtuner_kernels::in_pool;
use image::RgbImage;
use std::path::Path;
use std::time::Instant;

const STEPS: usize = 20;
const REFERENCE_PROBABILITY: f64 = 0.9;
const PROMPT: &str = "red hair, green eyes, smile";

fn load() -> Result<Pipeline> {
    let files = match std::env::var_os("BENCH_MODEL") {
        Some(folder) => ModelFiles::open(Path::new(&folder))?,
        None => ModelFiles::builtin()?,
    };
    OpenWeights::of_model(files).load(&DeviceSettings::cpu(), &mut |_| {})
}

fn side(model: &StableDiffusion) -> usize {
    let wanted = std::env::var("BENCH_SIDE").ok().and_then(|side| side.parse().ok());
    wanted.unwrap_or(model.native_side)
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

fn settings(side: usize, previous_features: PreviousFeatures) -> Result<RenderSettings> {
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
        guidance_interval: GuidanceInterval::ALL,
        deep_cache: 1,
        prediction: None,
        reference_weight: 10.0,
        previous_weight: 1.0,
        previous_features,
        first_weight: 0.0,
        beta: 0.0,
        vae_tile: None,
        draft: Default::default(),
    })
}

fn picture(side: usize, seed: u32) -> RgbImage {
    RgbImage::from_fn(side as u32, side as u32, |x, y| {
        let value = (x * 7 + y * 13 + seed * 31).wrapping_mul(2_654_435_761) >> 24;
        image::Rgb([value as u8, (value ^ 0x55) as u8, (value ^ 0xaa) as u8])
    })
}

/// What is timed: a name and a run.
type Timed<'a> = (&'static str, Box<dyn FnMut() -> Result<()> + 'a>);

fn timed(pipeline: &Pipeline) -> Result<Vec<Timed<'_>>> {
    let Pipeline { model, controls, .. } = pipeline;
    let (side, factor) = (side(model), model.factor());
    let shape = [1, model.latent_channels, side / factor, side / factor];
    let latent = NoiseSource::new(0).normal(Purpose::Latent, 0, &shape, DType::F32, &Device::Cpu)?;
    let text = model.unet.keys_values(&model.encode_prompt(PROMPT, 1)?.context)?;
    let pass = move || {
        // As in a render, on one of the pool's threads.
        in_pool(|| model.unet.forward(&latent, &[481.0], &mut AttentionContext::new(&text), None))?;
        Ok(())
    };
    let mut all: Vec<Timed> = vec![("unet_step", Box::new(pass))];
    for (name, features) in
        [("frame", PreviousFeatures::Renoise), ("frame_trajectory", PreviousFeatures::Trajectory)]
    {
        let settings = settings(side, features)?;
        let control = vec![Some(picture(side, 1)); controls.len()];
        let reference = ReferencePicture { image: picture(side, 0), mask: None, controls: control.clone() };
        let inputs = ClipInputs::encode(pipeline, reference, &settings)?;
        let cache = FeatureCache::Keep { bytes: 1 << 32 };
        let mut animator = Animator::new(pipeline, inputs, settings, cache, Interrupt::default())?;
        let mut frames = 0;
        all.push((
            name,
            Box::new(move || {
                // The first frame fills the cache and becomes the previous one.
                for _ in 0..if frames == 0 { 2 } else { 1 } {
                    animator.render(FrameInputs::new(&control), &mut |_| {})?;
                    frames += 1;
                }
                Ok(())
            }),
        ));
    }
    Ok(all)
}

/// Seconds of one run. The first run of each does not count.
fn seconds(timed: &mut [Timed], name: &str) -> Result<f64> {
    let (_, run) = timed.iter_mut().find(|(known, _)| *known == name).expect("a known name");
    let begin = Instant::now();
    run()?;
    Ok(begin.elapsed().as_secs_f64())
}

fn main() -> Result<()> {
    // SAFETY: nothing has started a thread yet.
    unsafe { dreamtuner_kernels::tell_candle() };
    dreamtuner::threads::set_threads(None)?;
    let pipeline = load()?;
    let mut timed = timed(&pipeline)?;
    if asked::is_asked() {
        return asked::answer(|name| seconds(&mut timed, name));
    }
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for (name, mut run) in timed {
        criterion.bench_function(name, |bencher| bencher.iter(|| run().expect("the networks run")));
    }
    criterion.final_summary();
    Ok(())
}
