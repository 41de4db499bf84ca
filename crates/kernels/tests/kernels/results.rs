//! The kernels against the same sums in 64 bits, over random shapes; that threads change nothing; that gradients pass.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{Conv2dConfig, VarBuilder};
use dreamtuner_kernels::{Convolution, GroupNorm, LayerNorm, Linear, Passes, feed_forward, gated_gelu};
use dreamtuner_kernels::{Segment, weighted_attention};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::HashMap;

/// Values in [-2, 2].
fn random(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| (f64::from(rng.next_u32()) / f64::from(u32::MAX) * 4.0 - 2.0) as f32).collect()
}

fn tensor(seed: u64, shape: &[usize]) -> Tensor {
    Tensor::from_vec(random(seed, shape.iter().product()), shape, &Device::Cpu).unwrap()
}

fn weights(named: &[(&str, &Tensor)], dtype: DType) -> VarBuilder<'static> {
    let tensors: HashMap<String, Tensor> =
        named.iter().map(|(name, tensor)| ((*name).to_string(), (*tensor).clone())).collect();
    VarBuilder::from_tensors(tensors, dtype, &Device::Cpu)
}

/// The types that weights are kept in.
fn kept() -> impl Strategy<Value = DType> {
    prop_oneof![Just(DType::F32), Just(DType::F16), Just(DType::BF16)]
}

/// What is left of values that are kept in `dtype`.
fn rounded(tensor: &Tensor, dtype: DType) -> Tensor {
    tensor.to_dtype(dtype).unwrap().to_dtype(DType::F32).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// A sum in 64 bits, and the sum of its terms' squares: what errors are measured by.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    squares: f64,
}

impl Sum {
    fn of(term: f64) -> Self {
        Self { value: term, squares: term * term }
    }

    fn add(&mut self, term: f64) {
        self.value += term;
        self.squares += term * term;
    }
}

/// The root of the mean squared error, relative to the terms'.
fn relative_error(wanted: &[Sum], found: &[f32]) -> f64 {
    assert_eq!(wanted.len(), found.len());
    let error: f64 =
        wanted.iter().zip(found).map(|(sum, &value)| (sum.value - f64::from(value)).powi(2)).sum();
    let scale: f64 = wanted.iter().map(|sum| sum.squares).sum();
    (error / scale.max(1e-30)).sqrt()
}

#[derive(Debug, Clone)]
struct Maps {
    batch: usize,
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
    side: usize,
    stride: usize,
    padding: usize,
    passes: Passes,
    dtype: DType,
}

impl Maps {
    fn new(inputs: usize, outputs: usize, side: usize, stride: usize) -> Self {
        Self {
            batch: 1,
            inputs,
            outputs,
            height: side,
            width: side,
            side: 3,
            stride,
            padding: 1,
            passes: Passes::Many,
            dtype: DType::F32,
        }
    }
}

fn maps() -> impl Strategy<Value = Maps> {
    let kernel = prop_oneof![
        Just((3usize, 1usize, 1usize)),
        Just((3, 2, 1)),
        Just((3, 2, 0)),
        Just((1, 1, 0)),
        Just((5, 3, 2))
    ];
    let passes = prop_oneof![Just(Passes::Many), Just(Passes::Few)];
    (1..3usize, 1..140usize, 1..40usize, 5..40usize, 5..40usize, kernel, passes, kept()).prop_map(
        |(batch, inputs, outputs, height, width, (side, stride, padding), passes, dtype)| Maps {
            batch,
            inputs,
            outputs,
            height,
            width,
            side,
            stride,
            padding,
            passes,
            dtype,
        },
    )
}

fn convolution(maps: &Maps) -> (Convolution, Tensor, Tensor, Tensor) {
    let Maps { batch, inputs, outputs, height, width, side, stride, padding, passes, dtype } = *maps;
    let input = tensor(1, &[batch, inputs, height, width]);
    let (weight, bias) = (tensor(2, &[outputs, inputs, side, side]), tensor(3, &[outputs]));
    let config = Conv2dConfig { stride, padding, ..Default::default() };
    let vb = weights(&[("weight", &weight), ("bias", &bias)], dtype);
    let convolution = Convolution::new(inputs, outputs, side, config, passes, vb).unwrap();
    (convolution, input, rounded(&weight, dtype), rounded(&bias, dtype))
}

fn convolution_in_64_bits(maps: &Maps, input: &Tensor, weight: &Tensor, bias: &Tensor) -> Vec<Sum> {
    let Maps { batch, inputs, outputs, height, width, side, stride, padding, .. } = *maps;
    let (input, weight, bias) = (values(input), values(weight), values(bias));
    let (down, across) =
        ((height + 2 * padding - side) / stride + 1, (width + 2 * padding - side) / stride + 1);
    let mut sums = vec![Sum::default(); batch * outputs * down * across];
    for (index, sum) in sums.iter_mut().enumerate() {
        let (x, y, output) = (index % across, index / across % down, index / across / down % outputs);
        let picture = index / across / down / outputs;
        sum.add(f64::from(bias[output]));
        for tap in 0..inputs * side * side {
            let (channel, row, column) =
                (tap / side / side, y * stride + tap / side % side, x * stride + tap % side);
            let inside =
                (padding..padding + height).contains(&row) && (padding..padding + width).contains(&column);
            if inside {
                let pixel =
                    ((picture * inputs + channel) * height + row - padding) * width + column - padding;
                sum.add(f64::from(input[pixel]) * f64::from(weight[output * inputs * side * side + tap]));
            }
        }
    }
    sums
}

fn linear(tokens: usize, inputs: usize, outputs: usize, dtype: DType) -> (Linear, Tensor, Tensor, Tensor) {
    let (input, weight, bias) =
        (tensor(1, &[2, tokens, inputs]), tensor(2, &[outputs, inputs]), tensor(3, &[outputs]));
    let vb = weights(&[("weight", &weight), ("bias", &bias)], dtype);
    (Linear::new(inputs, outputs, vb).unwrap(), input, rounded(&weight, dtype), rounded(&bias, dtype))
}

/// The two layers of a feed-forward layer.
fn gated(channels: usize, inner: usize) -> Linear {
    linear(1, channels, 2 * inner, DType::F32).0
}

fn out(inner: usize, channels: usize) -> Linear {
    linear(1, inner, channels, DType::F32).0
}

fn linear_in_64_bits(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Vec<Sum> {
    let inputs = weight.dim(1).unwrap();
    let (input, weight, bias) = (values(input), values(weight), values(bias));
    let mut sums = Vec::new();
    for token in input.chunks_exact(inputs) {
        for (row, bias) in weight.chunks_exact(inputs).zip(&bias) {
            let mut sum = Sum::default();
            sum.add(f64::from(*bias));
            token.iter().zip(row).for_each(|(a, b)| sum.add(f64::from(*a) * f64::from(*b)));
            sums.push(sum);
        }
    }
    sums
}

/// Groups of values with mean zero and variance one.
fn normalized_in_64_bits(values: &[f32], size: usize, epsilon: f64) -> Vec<f64> {
    let mut normalized = Vec::new();
    for group in values.chunks_exact(size) {
        let mean = group.iter().map(|&value| f64::from(value)).sum::<f64>() / size as f64;
        let variance =
            group.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / size as f64;
        normalized.extend(group.iter().map(|&value| (f64::from(value) - mean) / (variance + epsilon).sqrt()));
    }
    normalized
}

fn assert_close(wanted: impl Iterator<Item = f64>, found: &[f32], tolerance: f64) {
    let mut count = 0;
    for (wanted, &found) in wanted.zip(found) {
        let error = (wanted - f64::from(found)).abs();
        assert!(error <= tolerance * wanted.abs().max(1.0), "{found} instead of {wanted}");
        count += 1;
    }
    assert_eq!(count, found.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_are_accurate(maps in maps()) {
        let (convolution, input, weight, bias) = convolution(&maps);
        let found = convolution.forward(&input).unwrap();
        let wanted = convolution_in_64_bits(&maps, &input, &weight, &bias);
        prop_assert!(relative_error(&wanted, &values(&found)) <= 4e-6);
    }

    // Errors are measured by their mean square: that of few results is a matter of chance.
    #[test]
    fn linear_layers_are_accurate(
        tokens in 8..130usize, inputs in 1..700usize, outputs in 1..90usize, dtype in kept(),
    ) {
        let (linear, _, weight, bias) = linear(tokens, inputs, outputs, dtype);
        let pictures = 1024_usize.div_ceil(tokens * outputs).max(2);
        let input = tensor(1, &[pictures, tokens, inputs]);
        let found = linear.forward(&input).unwrap();
        prop_assert_eq!(found.dims(), &[pictures, tokens, outputs]);
        prop_assert!(relative_error(&linear_in_64_bits(&input, &weight, &bias), &values(&found)) <= 4e-7);
    }

    #[test]
    fn norms_are_accurate(
        groups in 1..5usize, each in 1..5usize, pixels in 2..700usize, offset in -30f64..30.0, dtype in kept(),
    ) {
        let channels = groups * each;
        let input = (tensor(1, &[2, channels, pixels]) + offset).unwrap();
        let (weight, bias) = (tensor(2, &[channels]), tensor(3, &[channels]));
        let (scales, shifts) = (values(&rounded(&weight, dtype)), values(&rounded(&bias, dtype)));
        let norm = GroupNorm::new(groups, channels, 1e-5, weights(&[("weight", &weight), ("bias", &bias)], dtype)).unwrap();
        let normalized = normalized_in_64_bits(&values(&input), each * pixels, 1e-5);
        let wanted = |index: usize| {
            let channel = index / pixels % channels;
            normalized[index] * f64::from(scales[channel]) + f64::from(shifts[channel])
        };
        let count = 2 * channels * pixels;
        assert_close((0..count).map(wanted), &values(&norm.forward(&input).unwrap()), 1e-5);
        let silu = (0..count).map(|index| wanted(index) / (1.0 + (-wanted(index)).exp()));
        assert_close(silu, &values(&norm.forward_silu(&input).unwrap()), 1e-5);

        let (weight, bias) = (tensor(4, &[pixels]), tensor(5, &[pixels]));
        let (scales, shifts) = (values(&rounded(&weight, dtype)), values(&rounded(&bias, dtype)));
        let norm = LayerNorm::new(pixels, 1e-5, weights(&[("weight", &weight), ("bias", &bias)], dtype)).unwrap();
        let normalized = normalized_in_64_bits(&values(&input), pixels, 1e-5);
        let wanted = normalized.iter().enumerate().map(|(index, value)| {
            value * f64::from(scales[index % pixels]) + f64::from(shifts[index % pixels])
        });
        assert_close(wanted, &values(&norm.forward(&input).unwrap()), 1e-5);
    }

    #[test]
    fn attention_is_accurate(
        queries in 1..70usize, own in 1..300usize, reference in 1..300usize, width in 1..50usize, dtype in kept(),
        seed in any::<u64>(),
    ) {
        let (batch, heads) = (2, 3);
        // As linear layers leave them: a token's heads side by side, and one reference for the whole batch.
        let laid_out = |seed: u64, batch: usize, tokens: usize| {
            let values = tensor(seed, &[batch, tokens, heads, width]).to_dtype(dtype).unwrap();
            values.transpose(1, 2).unwrap()
        };
        let q = laid_out(seed, batch, queries);
        let shape = (batch, heads, reference, width);
        let log_weights = tensor(seed ^ 5, &[reference]);
        let segments = [
            Segment { keys: laid_out(seed ^ 1, batch, own), values: laid_out(seed ^ 2, batch, own), log_weights: None },
            Segment {
                keys: laid_out(seed ^ 3, 1, reference).broadcast_as(shape).unwrap(),
                values: laid_out(seed ^ 4, 1, reference).broadcast_as(shape).unwrap(),
                log_weights: Some(log_weights.clone()),
            },
        ];
        let found = weighted_attention(&q, &segments).unwrap();
        assert_eq!(found.dtype(), dtype);

        let in_64_bits = |tensor: &Tensor| tensor.contiguous().unwrap().to_dtype(DType::F64).unwrap();
        let joined = |of: fn(&Segment) -> &Tensor| {
            Tensor::cat(&segments.iter().map(|segment| in_64_bits(of(segment))).collect::<Vec<_>>(), 2).unwrap()
        };
        let (keys, all_values) = (joined(|segment| &segment.keys), joined(|segment| &segment.values));
        let bias = Tensor::cat(&[Tensor::zeros(own, DType::F64, &Device::Cpu).unwrap(), in_64_bits(&log_weights)], 0);
        let scores = (in_64_bits(&q).matmul(&keys.t().unwrap()).unwrap() / (width as f64).sqrt()).unwrap();
        let weights = candle_nn::ops::softmax(&scores.broadcast_add(&bias.unwrap()).unwrap(), 3).unwrap();
        let wanted: Vec<f64> = weights.matmul(&all_values).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        // 16 bits round to 11 or 8 binary places.
        let tolerance = match dtype {
            DType::F16 => 2e-3,
            DType::BF16 => 2e-2,
            _ => 5e-6,
        };
        assert_close(wanted.into_iter(), &values(&rounded(&found, DType::F32)), tolerance);
    }
}

/// Many tokens are worked on some at a time, few as by three layers.
#[test]
fn a_feed_forward_layer_equals_its_parts() -> Result<()> {
    for (tokens, channels, inner, dtype) in [
        (900, 70, 352, DType::F32),
        (900, 70, 352, DType::BF16),
        (900, 330, 33, DType::F32),
        (7, 70, 352, DType::F16),
    ] {
        let (gated, input, ..) = linear(tokens, channels, 2 * inner, dtype);
        let out = linear(1, inner, channels, dtype).0;
        let residual = tensor(9, &[2, tokens, channels]);
        let parts = out.forward_onto(&residual, &gated_gelu(&gated.forward(&input)?)?)?;
        let whole = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let whole = whole.install(|| feed_forward(&residual, &input, &gated, &out))?;
        assert!(values(&whole) == values(&parts), "{tokens} tokens of {channels}, {inner} inside, {dtype:?}");
    }
    Ok(())
}

#[test]
fn the_gate_is_accurate() {
    let gates: Vec<f32> =
        (-6000..=6000).map(|step| step as f32 / 500.0).chain([1e4, -1e4, 1e-30, 0.0]).collect();
    let count = gates.len();
    let input: Vec<f32> = vec![1.0; count].into_iter().chain(gates.iter().copied()).collect();
    let found = gated_gelu(&Tensor::from_vec(input, (1, 2 * count), &Device::Cpu).unwrap()).unwrap();
    let wanted = gates.iter().map(|&gate| {
        let gate = f64::from(gate);
        gate * 0.5 * (1.0 + libm::erf(gate / std::f64::consts::SQRT_2))
    });
    assert_close(wanted, &values(&found), 3e-7);
}

/// Every kernel on shapes that are divided among threads.
fn all_kernels() -> Result<Vec<f32>> {
    let mut results = Vec::new();
    for (side, stride, padding, passes) in
        [(3, 1, 1, Passes::Many), (3, 1, 1, Passes::Few), (3, 2, 1, Passes::Many), (1, 1, 0, Passes::Many)]
    {
        let shape = Maps::new(40, 50, 33, stride);
        let maps = Maps { batch: 2, height: 33, width: 31, side, stride, padding, passes, ..shape };
        let (convolution, input, ..) = convolution(&maps);
        results.extend(values(&convolution.forward(&input)?));
    }
    let (linear, input, ..) = linear(300, 400, 200, DType::F32);
    results.extend(values(&linear.forward(&input)?));
    results.extend(values(&gated_gelu(&input)?));
    results.extend(values(&feed_forward(&input, &input, &gated(400, 352), &out(352, 400))?));
    let (weight, bias) = (tensor(4, &[400]), tensor(5, &[400]));
    let vb = weights(&[("weight", &weight), ("bias", &bias)], DType::F32);
    results.extend(values(&LayerNorm::new(400, 1e-5, vb.clone())?.forward(&input)?));
    results.extend(values(&GroupNorm::new(8, 400, 1e-5, vb)?.forward_silu(&input.t()?)?));
    let headed = input.reshape((2, 300, 10, 40))?.transpose(1, 2)?;
    let segment = Segment { keys: headed.clone(), values: headed.clone(), log_weights: None };
    results.extend(values(&weighted_attention(&headed, &[segment])?));
    Ok(results)
}

#[test]
fn results_do_not_depend_on_threads() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(all_kernels).unwrap()
    };
    let alone = with(1);
    assert!(alone.iter().all(|value| value.is_finite()));
    for threads in [2, 3, 7] {
        assert!(with(threads) == alone, "{threads} threads");
    }
}

#[test]
fn what_is_not_a_number_stays_so() {
    let spoiled = |tensor: &Tensor| {
        let mut values = values(tensor);
        values[7] = f32::NAN;
        Tensor::from_vec(values, tensor.shape(), &Device::Cpu).unwrap()
    };
    let has_nan = |tensor: Tensor| values(&tensor).iter().any(|value| value.is_nan());
    for stride in [1, 2] {
        let (convolution, input, ..) = convolution(&Maps::new(16, 16, 16, stride));
        assert!(has_nan(convolution.forward(&spoiled(&input)).unwrap()));
    }
    let (linear, input, ..) = linear(3, 40, 20, DType::F32);
    let input = spoiled(&input);
    assert!(has_nan(linear.forward(&input).unwrap()));
    let gate = input.narrow(2, 20, 20).unwrap();
    assert!(has_nan(
        gated_gelu(&Tensor::cat(&[&gate, &input.narrow(2, 0, 20).unwrap()], 2).unwrap()).unwrap()
    ));
    let headed = input.unsqueeze(1).unwrap();
    let segment = Segment { keys: headed.clone(), values: headed.clone(), log_weights: None };
    assert!(has_nan(weighted_attention(&headed, &[segment]).unwrap()));
}

/// Weights that are kept transformed alone; candle's own operation, here in 64 bits, is given them back.
#[test]
fn large_convolutions_are_accurate_in_any_type() {
    let maps = Maps::new(260, 270, 13, 1);
    let (convolution, input, weight, bias) = convolution(&maps);
    let wanted = convolution_in_64_bits(&maps, &input, &weight, &bias);
    assert!(relative_error(&wanted, &values(&convolution.forward(&input).unwrap())) <= 4e-6);
    let plain = convolution.forward(&input.to_dtype(DType::F64).unwrap()).unwrap();
    assert!(relative_error(&wanted, &values(&plain.to_dtype(DType::F32).unwrap())) <= 1e-6);
}

#[test]
fn gradients_pass() {
    let (convolution, input, ..) = convolution(&Maps::new(16, 16, 16, 1));
    let (linear, ..) = linear(16, 16, 32, DType::F32);
    let (weight, bias) = (tensor(4, &[16]), tensor(5, &[16]));
    let vb = weights(&[("weight", &weight), ("bias", &bias)], DType::F32);
    let (group, layer) =
        (GroupNorm::new(4, 16, 1e-5, vb.clone()).unwrap(), LayerNorm::new(16, 1e-5, vb).unwrap());
    let forward = |input: &Tensor| -> Result<Tensor> {
        let maps = group.forward_silu(&convolution.forward(input)?)?;
        let tokens = layer.forward(&maps.flatten_from(2)?.t()?.contiguous()?)?;
        let headed = gated_gelu(&linear.forward(&tokens)?)?.unsqueeze(1)?;
        let segment = Segment { keys: headed.clone(), values: headed.clone(), log_weights: None };
        weighted_attention(&headed, &[segment])
    };
    // With and without a gradient the same function.
    let variable = Var::from_tensor(&input).unwrap();
    let tracked = forward(variable.as_tensor()).unwrap();
    let wanted: Vec<Sum> = values(&tracked).into_iter().map(|value| Sum::of(f64::from(value))).collect();
    assert!(relative_error(&wanted, &values(&forward(&input).unwrap())) <= 1e-4);
    let gradients = tracked.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = values(gradients.get(&variable).expect("a gradient"));
    assert!(gradient.iter().all(|value| value.is_finite()) && gradient.iter().any(|&value| value != 0.0));
}

/// The accuracy of the code for processors without vector instructions, in a process of its own.
#[test]
fn processors_without_vectors_are_served() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.env("DREAMTUNER_VECTORS", "none").args(["accura", "not_a_number"]);
    let done = command.output().unwrap();
    let report = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && report.contains("7 passed"), "{report}");
}
