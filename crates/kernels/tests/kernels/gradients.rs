//! Gradients through the kernels against those of candle's own operations, and against differences.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{Conv2dConfig, VarBuilder};
use dreamtuner_kernels::{Convolution, GroupNorm, LayerNorm, Linear, Passes, gated_gelu};
use dreamtuner_kernels::{Segment, weighted_attention};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use std::collections::HashMap;

/// Values in [-2, 2], the same in every run of a test.
fn random(shape: &[usize]) -> Tensor {
    thread_local! {
        static GENERATOR: RefCell<ChaCha8Rng> = RefCell::new(ChaCha8Rng::seed_from_u64(1));
    }
    let value = |generator: &mut ChaCha8Rng| (generator.next_u32() >> 8) as f32 / (1 << 22) as f32 - 2.0;
    let count = shape.iter().product();
    let values = GENERATOR.with_borrow_mut(|generator| (0..count).map(|_| value(generator)).collect());
    Tensor::from_vec::<_, f32>(values, shape, &Device::Cpu).unwrap()
}

fn weights(named: &[(&str, Tensor)]) -> VarBuilder<'static> {
    let tensors: HashMap<String, Tensor> =
        named.iter().map(|(name, tensor)| ((*name).to_string(), tensor.clone())).collect();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// The gradient of a sum of the results, each weighted by chance, with respect to `input`.
fn gradient(
    input: &Tensor,
    weighted_by: &Tensor,
    layer: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let variable = Var::from_tensor(input)?;
    let sum = (layer(variable.as_tensor())? * weighted_by)?.sum_all()?;
    Ok(sum.backward()?.get(&variable).expect("a gradient").clone())
}

/// Both layers' gradients are the same, to `tolerance` of their root mean square.
fn assert_same_gradient(
    input: &Tensor,
    ours: impl Fn(&Tensor) -> Result<Tensor>,
    plain: impl Fn(&Tensor) -> Result<Tensor>,
    tolerance: f64,
) -> Result<()> {
    let weighted_by = random(plain(input)?.dims());
    let wanted = gradient(input, &weighted_by, plain)?;
    let found = gradient(input, &weighted_by, ours)?;
    let mean = |tensor: &Tensor| tensor.sqr()?.mean_all()?.to_scalar::<f32>();
    let error = f64::from(mean(&(found - &wanted)?)? / mean(&wanted)?).sqrt();
    assert!(error <= tolerance, "{error:e} off for {input:?}");
    Ok(())
}

#[test]
fn convolutions_pass_gradients() -> Result<()> {
    for (inputs, outputs, side, stride, padding, height, width) in [
        (20, 30, 3, 1, 1, 24, 20),
        (260, 260, 3, 1, 1, 13, 9),
        (7, 5, 3, 2, 1, 15, 15),
        (7, 5, 3, 2, 0, 16, 16),
        (9, 4, 1, 1, 0, 6, 11),
        (3, 8, 5, 3, 2, 17, 17),
    ] {
        let config = Conv2dConfig { stride, padding, ..Default::default() };
        let vb = weights(&[("weight", random(&[outputs, inputs, side, side])), ("bias", random(&[outputs]))]);
        let ours = Convolution::new(inputs, outputs, side, config, Passes::Many, vb.clone())?;
        let plain = candle_nn::conv2d(inputs, outputs, side, config, vb)?;
        let input = random(&[2, inputs, height, width]);
        assert_same_gradient(&input, |input| ours.forward(input), |input| plain.forward(input), 1e-5)?;
    }
    Ok(())
}

/// Where candle's own gradient fails: the stride leaves out a column, but no row. The layer is linear, so that differences are
/// exact.
#[test]
fn uneven_maps_pass_gradients_through_strides() -> Result<()> {
    for (stride, padding) in [(2, 1), (2, 0), (3, 1)] {
        let config = Conv2dConfig { stride, padding, ..Default::default() };
        let vb = weights(&[("weight", random(&[5, 7, 3, 3])), ("bias", random(&[5]))]);
        let layer = Convolution::new(7, 5, 3, config, Passes::Many, vb)?;
        let (input, change) = (random(&[2, 7, 15, 16]), random(&[2, 7, 15, 16]));
        let before = layer.forward(&input)?;
        let weighted_by = random(before.dims());
        let difference = (layer.forward(&(&input + &change)?)? - before)?;
        let wanted = (difference * &weighted_by)?.sum_all()?.to_scalar::<f32>()?;
        let gradient = gradient(&input, &weighted_by, |input| layer.forward(input))?;
        let found = (gradient * change)?.sum_all()?.to_scalar::<f32>()?;
        assert!((found - wanted).abs() <= 1e-2 * wanted.abs().max(1.0), "{found} instead of {wanted}");
    }
    Ok(())
}

#[test]
fn linear_layers_pass_gradients() -> Result<()> {
    for (tokens, inputs, outputs) in [(1, 1, 1), (50, 70, 33), (130, 350, 400)] {
        let vb = weights(&[("weight", random(&[outputs, inputs])), ("bias", random(&[outputs]))]);
        let ours = Linear::new(inputs, outputs, vb.clone())?;
        let plain = candle_nn::linear(inputs, outputs, vb)?;
        let input = random(&[2, tokens, inputs]);
        assert_same_gradient(&input, |input| ours.forward(input), |input| plain.forward(input), 1e-5)?;
    }
    Ok(())
}

#[test]
fn norms_pass_gradients() -> Result<()> {
    for (groups, channels, height, width) in [(1, 1, 3, 5), (4, 12, 7, 9), (8, 64, 16, 16)] {
        let vb = weights(&[("weight", random(&[channels])), ("bias", random(&[channels]))]);
        let ours = GroupNorm::new(groups, channels, 1e-5, vb.clone())?;
        let plain = candle_nn::group_norm(groups, channels, 1e-5, vb.clone())?;
        let input = (random(&[2, channels, height, width]) * 3.0)?;
        assert_same_gradient(&input, |input| ours.forward(input), |input| plain.forward(input), 1e-4)?;
        let silu = |input: &Tensor| plain.forward(input)?.silu();
        assert_same_gradient(&input, |input| ours.forward_silu(input), silu, 1e-4)?;
    }
    for channels in [3, 64, 100] {
        let (weight, bias) = (random(&[channels]), random(&[channels]));
        let ours =
            LayerNorm::new(channels, 1e-5, weights(&[("weight", weight.clone()), ("bias", bias.clone())]))?;
        let plain = |input: &Tensor| candle_nn::ops::layer_norm_slow(input, &weight, &bias, 1e-5);
        assert_same_gradient(&random(&[2, 70, channels]), |input| ours.forward(input), plain, 1e-4)?;
    }
    Ok(())
}

#[test]
fn the_gate_passes_gradients() -> Result<()> {
    let plain = |input: &Tensor| {
        let halves = input.chunk(2, 2)?;
        &halves[0] * halves[1].gelu_erf()?
    };
    for width in [2, 34, 128] {
        assert_same_gradient(&(random(&[2, 40, width]) * 3.0)?, gated_gelu, plain, 1e-5)?;
    }
    Ok(())
}

/// Queries, keys and values are cut out of one tensor, so that its gradient holds those of all three.
#[test]
fn attention_passes_gradients() -> Result<()> {
    for (tokens, others, width) in [(1, 1, 1), (9, 20, 7), (150, 77, 40)] {
        let parts = |input: &Tensor| -> Result<[Tensor; 3]> {
            let of = |start, length: usize| input.narrow(2, start, length);
            Ok([of(0, tokens)?, of(tokens, others)?, of(tokens + others, others)?])
        };
        let ours = |input: &Tensor| {
            let [queries, keys, values] = parts(input)?;
            weighted_attention(&queries, &[Segment { keys, values, log_weights: None }])
        };
        let plain = |input: &Tensor| {
            let [queries, keys, values] = parts(input)?;
            let scores = (queries.matmul(&keys.t()?)? / (width as f64).sqrt())?;
            candle_nn::ops::softmax(&scores, 3)?.matmul(&values)
        };
        assert_same_gradient(&random(&[2, 3, tokens + 2 * others, width]), ours, plain, 1e-5)?;
    }
    Ok(())
}

/// Attention to a reference of weight 10 whose tokens count differently, as in S-S-A.
#[test]
fn weighted_attention_passes_gradients() -> Result<()> {
    for (tokens, others, width) in [(1, 2, 1), (9, 20, 7), (130, 77, 40)] {
        let parts = |input: &Tensor| -> Result<[Tensor; 5]> {
            let of = |start, length: usize| input.narrow(2, start, length);
            let reference = 3 * tokens;
            Ok([
                of(0, tokens)?,
                of(tokens, tokens)?,
                of(2 * tokens, tokens)?,
                of(reference, others)?,
                of(reference + others, others)?,
            ])
        };
        let mask = (((random(&[others]) + 2.0)? * 0.247)? + 0.01)?;
        let log_weights = (mask * 10.0)?.log()?;
        let ours = |input: &Tensor| {
            let [queries, keys, values, reference_keys, reference_values] = parts(input)?;
            let own = Segment { keys, values, log_weights: None };
            let reference = Segment {
                keys: reference_keys,
                values: reference_values,
                log_weights: Some(log_weights.clone()),
            };
            weighted_attention(&queries, &[own, reference])
        };
        let plain = |input: &Tensor| {
            let [queries, keys, values, reference_keys, reference_values] = parts(input)?;
            let scores =
                |keys: &Tensor| -> Result<Tensor> { queries.matmul(&keys.t()?)? / (width as f64).sqrt() };
            let reference = scores(&reference_keys)?.broadcast_add(&log_weights)?;
            let weights = candle_nn::ops::softmax(&Tensor::cat(&[scores(&keys)?, reference], 3)?, 3)?;
            weights.matmul(&Tensor::cat(&[values, reference_values], 2)?)
        };
        assert_same_gradient(&random(&[2, 3, 3 * tokens + 2 * others, width]), ours, plain, 1e-5)?;
    }
    Ok(())
}
