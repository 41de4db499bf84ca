//! Every kernel at shapes of Stable Diffusion 1.5 at 512×512, beside candle's own operations.

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{Conv2dConfig, VarBuilder};
use criterion::{Criterion, criterion_group, criterion_main};
use dreamtuner_kernels::{Convolution, GroupNorm, LayerNorm, Linear, Passes, feed_forward, gated_gelu};
use dreamtuner_kernels::{Segment, weighted_attention};
use std::collections::HashMap;

fn chance(shape: &[usize]) -> Result<Tensor> {
    Tensor::randn(0f32, 1.0, shape, &Device::Cpu)
}

fn weights(shape: &[usize]) -> Result<VarBuilder<'static>> {
    let tensors = HashMap::from([
        ("weight".to_string(), (chance(shape)? * 0.02)?),
        ("bias".to_string(), chance(&shape[..1])?),
    ]);
    Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}

/// Times `ours` and `candle` on `input`.
fn pair(
    criterion: &mut Criterion,
    name: &str,
    input: &Tensor,
    ours: impl Fn(&Tensor) -> Result<Tensor> + Sync,
    candle: impl Fn(&Tensor) -> Result<Tensor>,
) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    // As in a render, ours begins on one of the pool's threads.
    group.bench_function("dreamtuner", |bencher| {
        bencher.iter(|| dreamtuner_kernels::in_pool(|| ours(input)).expect("shapes fit"));
    });
    group.bench_function("candle", |bencher| bencher.iter(|| candle(input).expect("shapes fit")));
    group.finish();
}

fn convolutions(criterion: &mut Criterion) -> Result<()> {
    for (channels, side, kernel, stride) in [
        (320, 64, 3, 1),
        (640, 32, 3, 1),
        (1280, 16, 3, 1),
        (1280, 8, 3, 1),
        (320, 64, 3, 2),
        (320, 64, 1, 1),
    ] {
        let config = Conv2dConfig { stride, padding: kernel / 2, ..Default::default() };
        let vb = weights(&[channels, channels, kernel, kernel])?;
        let ours = Convolution::new(channels, channels, kernel, config, Passes::Many, vb.clone())?;
        let candle = candle_nn::conv2d(channels, channels, kernel, config, vb)?;
        let name = format!("convolution {kernel}x{kernel} stride {stride}, {channels} at {side}x{side}");
        let input = chance(&[1, channels, side, side])?;
        pair(criterion, &name, &input, |input| ours.forward(input), |input| candle.forward(input));
    }
    Ok(())
}

fn linear_layers(criterion: &mut Criterion) -> Result<()> {
    for (tokens, inputs, outputs) in
        [(4096, 320, 320), (4096, 320, 2560), (4096, 1280, 320), (1024, 640, 5120), (256, 1280, 1280)]
    {
        let vb = weights(&[outputs, inputs])?;
        let ours = Linear::new(inputs, outputs, vb.clone())?;
        let candle = candle_nn::linear(inputs, outputs, vb)?;
        let name = format!("linear {inputs} to {outputs}, {tokens} tokens");
        let input = chance(&[1, tokens, inputs])?;
        pair(criterion, &name, &input, |input| ours.forward(input), |input| candle.forward(input));
    }
    Ok(())
}

fn feed_forward_layers(criterion: &mut Criterion) -> Result<()> {
    for (tokens, channels) in [(4096, 320), (1024, 640), (256, 1280)] {
        let (gated_vb, out_vb) = (weights(&[8 * channels, channels])?, weights(&[channels, 4 * channels])?);
        let gated = Linear::new(channels, 8 * channels, gated_vb.clone())?;
        let out = Linear::new(4 * channels, channels, out_vb.clone())?;
        let plain_gated = candle_nn::linear(channels, 8 * channels, gated_vb)?;
        let plain_out = candle_nn::linear(4 * channels, channels, out_vb)?;
        let plain = |input: &Tensor| {
            let halves = plain_gated.forward(input)?.chunk(2, 2)?;
            input + plain_out.forward(&(&halves[0] * halves[1].gelu_erf()?)?)?
        };
        let name = format!("feed-forward, {tokens} tokens of {channels}");
        let input = chance(&[1, tokens, channels])?;
        pair(criterion, &name, &input, |input| feed_forward(input, input, &gated, &out), plain);
    }
    Ok(())
}

/// A frame's tokens attend to themselves, a reference and the previous frame.
fn attention(criterion: &mut Criterion) -> Result<()> {
    for (tokens, width) in [(4096, 40), (1024, 80), (256, 160)] {
        let queries = chance(&[1, 8, tokens, width])?;
        let weighted = Some(Tensor::full(10f32.ln(), tokens, &Device::Cpu)?);
        let segment = |log_weights| Segment { keys: queries.clone(), values: queries.clone(), log_weights };
        let segments = [segment(None), segment(weighted), segment(None)];
        let all = Tensor::cat(&[&queries, &queries, &queries], 2)?;
        let keys = (all.t()?.contiguous()? / (width as f64).sqrt())?;
        let plain =
            |queries: &Tensor| candle_nn::ops::softmax_last_dim(&queries.matmul(&keys)?)?.matmul(&all);
        let name = format!("attention, 8 heads of {width}, {tokens} tokens to three times as many");
        pair(criterion, &name, &queries, |queries| weighted_attention(queries, &segments), plain);
    }
    Ok(())
}

fn elementwise(criterion: &mut Criterion) -> Result<()> {
    let vb = weights(&[320])?;
    let ours = GroupNorm::new(32, 320, 1e-5, vb.clone())?;
    let candle = candle_nn::group_norm(32, 320, 1e-5, vb.clone())?;
    let input = chance(&[1, 320, 64, 64])?;
    let plain = |input: &Tensor| candle.forward(input)?.silu();
    pair(criterion, "group norm and SiLU, 320 at 64x64", &input, |input| ours.forward_silu(input), plain);

    let ours = LayerNorm::new(320, 1e-5, vb.clone())?;
    let candle = candle_nn::layer_norm(320, 1e-5, vb)?;
    let input = chance(&[1, 4096, 320])?;
    let plain = |input: &Tensor| candle.forward(input);
    pair(criterion, "layer norm, 4096 tokens of 320", &input, |input| ours.forward(input), plain);

    let input = chance(&[1, 4096, 2560])?;
    let plain = |input: &Tensor| {
        let halves = input.chunk(2, 2)?;
        &halves[0] * halves[1].gelu_erf()?
    };
    pair(criterion, "GEGLU, 4096 tokens of 1280", &input, gated_gelu, plain);
    Ok(())
}

fn run(criterion: &mut Criterion) {
    // SAFETY: nothing has started a thread yet.
    unsafe { dreamtuner_kernels::tell_candle() };
    for part in [convolutions, linear_layers, feed_forward_layers, attention, elementwise] {
        part(criterion).expect("shapes fit");
    }
}

criterion_group!(benches, run);
criterion_main!(benches);
