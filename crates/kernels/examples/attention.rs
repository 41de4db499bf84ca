//! Times weighted attention beside the same by candle's own operations: `cargo run --release --example attention`.

use std::time::Instant;

use candle_core::{D, Device, Result, Tensor};
use dreamtuner_kernels::{Segment, in_pool, weighted_attention};

const TOKENS: usize = 1024;
const WIDTH: usize = 40;

fn main() -> Result<()> {
    let tokens = || Tensor::randn(0f32, 1.0, (1, 8, TOKENS, WIDTH), &Device::Cpu);
    let (queries, own, reference) = (tokens()?, (tokens()?, tokens()?), (tokens()?, tokens()?));
    // The reference counts ten times: DreamTuner, Eq. 3.
    let log_weights = Tensor::full(10f32.ln(), TOKENS, &Device::Cpu)?;

    let segments = [
        Segment { keys: own.0.clone(), values: own.1.clone(), log_weights: None },
        Segment { keys: reference.0.clone(), values: reference.1.clone(), log_weights: Some(log_weights) },
    ];
    let (ours, seconds) = timed(|| in_pool(|| weighted_attention(&queries, &segments)))?;
    println!("weighted_attention  {seconds:.4} s");

    let (plain, seconds) = timed(|| {
        let keys = Tensor::cat(&[&own.0, &reference.0], 2)?.t()?.contiguous()?;
        let values = Tensor::cat(&[&own.1, &reference.1], 2)?;
        let weights = [
            Tensor::zeros(TOKENS, queries.dtype(), &Device::Cpu)?,
            Tensor::full(10f32.ln(), TOKENS, &Device::Cpu)?,
        ];
        let scores =
            (queries.matmul(&keys)? / (WIDTH as f64).sqrt())?.broadcast_add(&Tensor::cat(&weights, 0)?)?;
        candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&values)
    })?;
    println!("candle's operations {seconds:.4} s");

    let difference = (ours - plain)?.abs()?.max_all()?.to_scalar::<f32>()?;
    println!("largest difference  {difference:.1e}");
    Ok(())
}

/// The result, and the seconds of the quickest of five times.
fn timed(work: impl Fn() -> Result<Tensor>) -> Result<(Tensor, f64)> {
    let mut least = f64::INFINITY;
    let mut result = work()?;
    for _ in 0..5 {
        let start = Instant::now();
        result = work()?;
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok((result, least))
}
