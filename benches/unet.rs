//! One pass of a U-Net of Stable Diffusion 1.5's size, with weights by chance, 32 bits on the CPU.
//!
//! `cargo bench --bench unet` prints medians; `benches/pytorch_ratio.py` asks for single passes instead, by `--ask`, so that
//! both programs take turns.

mod asked;

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::init::Init;
use candle_nn::var_builder::SimpleBackend;
use dreamtuner::model::config::UNetConfig;
use dreamtuner::model::transformer::{AttentionContext, KeysValues};
use dreamtuner::model::unet::UNet;
use dreamtuner_kernels::in_pool;
use std::time::Instant;

const SIDES: [usize; 2] = [256, 512];
const RUNS: usize = 5;

/// Weights by chance, as large as an untrained network's; norms of weight one.
struct Chance;

impl SimpleBackend for Chance {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let inputs: usize = shape.dims().iter().skip(1).product();
        if name.contains("norm") && name.ends_with("weight") {
            return Tensor::ones(shape, dtype, device);
        }
        let bound = 1.0 / (inputs as f32).sqrt();
        Tensor::rand(-bound, bound, shape, device)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("the shape of {name} is not known")
    }

    /// Nothing but what every U-Net has.
    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}

struct Bench {
    unet: UNet,
    text: KeysValues,
}

impl Bench {
    fn new() -> dreamtuner::Result<Self> {
        let config = UNetConfig::from_json(&serde_json::json!({
            "block_out_channels": [320, 640, 1280, 1280],
            "down_block_types":
                ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            "cross_attention_dim": 768,
            "attention_head_dim": 8,
        }))?;
        let weights = VarBuilder::from_backend(Box::new(Chance), DType::F32, Device::Cpu);
        let text = Tensor::randn(0f32, 1.0, (1, 77, 768), &Device::Cpu)?;
        let unet = UNet::new(&config, weights)?;
        Ok(Self { text: unet.keys_values(&text)?, unet })
    }

    /// Seconds of one pass at `side` × `side` pixels.
    fn pass(&self, side: usize) -> Result<f64> {
        let latent = Tensor::randn(0f32, 1.0, (1, 4, side / 8, side / 8), &Device::Cpu)?;
        let begin = Instant::now();
        // As in a render, on one of the pool's threads.
        in_pool(|| self.unet.forward(&latent, &[481.0], &mut AttentionContext::new(&self.text), None))?;
        Ok(begin.elapsed().as_secs_f64())
    }

    fn print_medians(&self) -> Result<()> {
        for side in SIDES {
            self.pass(side)?;
            let mut seconds = (0..RUNS).map(|_| self.pass(side)).collect::<Result<Vec<_>>>()?;
            seconds.sort_by(f64::total_cmp);
            let (least, median, most) = (seconds[0], seconds[RUNS / 2], seconds[RUNS - 1]);
            println!("U-Net, {side}x{side}: {median:.3} s ({least:.3} to {most:.3}, {RUNS} runs)");
        }
        Ok(())
    }
}

fn main() -> dreamtuner::Result<()> {
    // SAFETY: nothing has started a thread yet.
    unsafe { dreamtuner_kernels::tell_candle() };
    dreamtuner::threads::set_threads(None)?;
    let bench = Bench::new()?;
    if asked::is_asked() {
        return asked::answer(|side| Ok(bench.pass(side.parse().expect("a side in pixels"))?));
    }
    Ok(bench.print_medians()?)
}
