//! Self-subject-attention against a dense softmax in 64 bits (Eq. 3), over random shapes, masks and weights.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use dreamtuner::model::attention::{Attention, ReferenceTokens};
use dreamtuner_kernels::{Segment, weighted_attention};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Largest difference allowed, with values of order one.
const TOLERANCE: f64 = 1e-5;

#[derive(Debug, Clone)]
struct Case {
    batch: usize,
    heads: usize,
    width: usize,
    queries: usize,
    own: usize,
    /// For each reference: its tokens' masks, and its weight.
    references: Vec<(Vec<f64>, f64)>,
    seed: u64,
}

fn mask_value() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.01..1.0f64]
}

fn reference() -> impl Strategy<Value = (Vec<f64>, f64)> {
    (prop::collection::vec(mask_value(), 1..24), prop_oneof![Just(0.0), Just(1.0), Just(10.0)])
}

fn case() -> impl Strategy<Value = Case> {
    (
        1..3usize,
        1..4usize,
        1..20usize,
        1..20usize,
        1..20usize,
        prop::collection::vec(reference(), 1..4),
        any::<u64>(),
    )
        .prop_map(|(batch, heads, width, queries, own, references, seed)| Case {
            batch,
            heads,
            width,
            queries,
            own,
            references,
            seed,
        })
}

fn random(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| (rng.next_u32() as f64 / f64::from(u32::MAX) * 4.0 - 2.0) as f32).collect()
}

fn tensor(values: &[f32], shape: (usize, usize, usize, usize)) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

/// Keys, values and `m` of one segment, dense.
struct Dense {
    tokens: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
    mask: Vec<f64>,
}

fn dense_attention(case: &Case, queries: &[f32], segments: &[Dense]) -> Vec<f64> {
    let (heads, width) = (case.heads, case.width);
    let mut result = Vec::new();
    for row in 0..case.batch * heads {
        for query in 0..case.queries {
            let q = &queries[(row * case.queries + query) * width..][..width];
            let mut scored = Vec::new();
            for segment in segments {
                for token in 0..segment.tokens {
                    let at = (row * segment.tokens + token) * width;
                    let dot: f64 = q
                        .iter()
                        .zip(&segment.keys[at..at + width])
                        .map(|(a, b)| f64::from(*a) * f64::from(*b))
                        .sum();
                    let score = dot / (width as f64).sqrt() + segment.mask[token].ln();
                    scored.push((score, &segment.values[at..at + width]));
                }
            }
            let largest = scored.iter().map(|(score, _)| *score).fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scored.iter().map(|(score, _)| (score - largest).exp()).sum();
            for channel in 0..width {
                result.push(
                    scored
                        .iter()
                        .map(|(score, value)| (score - largest).exp() / total * f64::from(value[channel]))
                        .sum(),
                );
            }
        }
    }
    result
}

/// The tokens that a mask keeps, as the renderer hands them to the layer.
fn kept(case: &Case, segment: &Dense) -> Option<Segment> {
    let tokens: Vec<u32> =
        (0..segment.tokens as u32).filter(|&token| segment.mask[token as usize] > 0.0).collect();
    if tokens.is_empty() {
        return None;
    }
    let index = Tensor::new(tokens.as_slice(), &Device::Cpu).unwrap();
    let shape = (case.batch, case.heads, segment.tokens, case.width);
    let select = |values: &[f32]| tensor(values, shape).index_select(&index, 2).unwrap();
    let logs: Vec<f32> = tokens.iter().map(|&token| segment.mask[token as usize].ln() as f32).collect();
    Some(Segment {
        keys: select(&segment.keys),
        values: select(&segment.values),
        log_weights: Some(Tensor::new(logs, &Device::Cpu).unwrap()),
    })
}

proptest! {
    #[test]
    fn equals_a_dense_softmax(case in case()) {
        let mut rng = ChaCha8Rng::seed_from_u64(case.seed);
        let rows = case.batch * case.heads;
        let queries = random(&mut rng, rows * case.queries * case.width);
        let mut dense = Vec::new();
        let masks = case.references.iter().map(|(mask, weight)| mask.iter().map(|m| m * weight).collect());
        for mask in std::iter::once(vec![1.0; case.own]).chain(masks) {
            let count = rows * mask.len() * case.width;
            dense.push(Dense { tokens: mask.len(), keys: random(&mut rng, count), values: random(&mut rng, count), mask });
        }
        let expected = dense_attention(&case, &queries, &dense);
        let segments: Vec<Segment> = dense.iter().filter_map(|segment| kept(&case, segment)).collect();
        let q = tensor(&queries, (case.batch, case.heads, case.queries, case.width));
        let ours: Vec<f32> = weighted_attention(&q, &segments).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        prop_assert_eq!(ours.len(), expected.len());
        for (ours, expected) in ours.iter().zip(&expected) {
            prop_assert!((f64::from(*ours) - expected).abs() <= TOLERANCE, "{} instead of {}", ours, expected);
        }
    }
}

fn layer(channels: usize, heads: usize) -> Attention {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut weights = std::collections::HashMap::new();
    for name in ["to_q", "to_k", "to_v", "to_out.0"] {
        let values = random(&mut rng, channels * channels);
        let weight = Tensor::from_vec(values, (channels, channels), &Device::Cpu).unwrap();
        weights.insert(format!("{name}.weight"), weight);
    }
    weights.insert(
        "to_out.0.bias".into(),
        Tensor::from_vec(random(&mut rng, channels), channels, &Device::Cpu).unwrap(),
    );
    let vb = VarBuilder::from_tensors(weights, candle_core::DType::F32, &Device::Cpu);
    Attention::new(channels, channels, heads, false, vb).unwrap()
}

#[test]
fn a_layer_without_references_is_plain_self_attention() {
    let layer = layer(8, 2);
    let input =
        Tensor::from_vec(random(&mut ChaCha8Rng::seed_from_u64(1), 2 * 5 * 8), (2, 5, 8), &Device::Cpu)
            .unwrap();
    let context = layer.keys_values(&input).unwrap();
    let plain: Vec<f32> = layer.cross(&input, &context).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let none: Vec<f32> =
        layer.with_references(&input, &[]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(plain, none);
}

#[test]
fn a_reference_equal_to_the_input_with_weight_one_changes_nothing() {
    let layer = layer(8, 2);
    let input =
        Tensor::from_vec(random(&mut ChaCha8Rng::seed_from_u64(1), 5 * 8), (1, 5, 8), &Device::Cpu).unwrap();
    let reference = ReferenceTokens { features: input.clone(), log_weights: None };
    let alone: Vec<f32> =
        layer.with_references(&input, &[]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let twice: Vec<f32> =
        layer.with_references(&input, &[vec![&reference]]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    for (alone, twice) in alone.iter().zip(&twice) {
        assert!((alone - twice).abs() < 1e-5, "{twice} instead of {alone}");
    }
}

/// The weights that are shown are those that attention uses, and of a query and head they add up to 1.
#[test]
fn shown_weights_are_those_of_the_layer() {
    let (channels, heads, width) = (12, 3, 4);
    let layer = layer(channels, heads);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut tokens = |count: usize| {
        Tensor::from_vec(random(&mut rng, count * channels), (1, count, channels), &Device::Cpu).unwrap()
    };
    let (input, other, third) = (tokens(7), tokens(5), tokens(4));
    let logs: Vec<f32> = [10.0, 2.5, 0.1, 1.0, 7.0f32].iter().map(|weight| weight.ln()).collect();
    let references = [
        ReferenceTokens {
            features: other.clone(),
            log_weights: Some(Tensor::new(logs.as_slice(), &Device::Cpu).unwrap()),
        },
        ReferenceTokens { features: third.clone(), log_weights: None },
    ];
    let queries = [6u32, 0, 3];
    let shown = layer.weights(&input, &references.iter().collect::<Vec<_>>(), &queries).unwrap();
    let shown: Vec<Vec<Vec<Vec<f32>>>> = shown.iter().map(|part| part.to_vec3().unwrap()).collect();
    // Queries and keys as the layer's weights make them, in 64 bits.
    let read = |tokens: &Tensor| -> Vec<Vec<f32>> {
        layer
            .keys_values(tokens)
            .unwrap()
            .keys
            .squeeze(0)
            .unwrap()
            .flatten_from(1)
            .unwrap()
            .to_vec2()
            .unwrap()
    };
    let keys = [read(&input), read(&other), read(&third)];
    let as_queries: Vec<Vec<f32>> =
        layer.queries(&input).unwrap().squeeze(0).unwrap().flatten_from(1).unwrap().to_vec2().unwrap();
    for head in 0..heads {
        for (place, &query) in queries.iter().enumerate() {
            let q = &as_queries[head][query as usize * width..][..width];
            let scores: Vec<Vec<f64>> = keys
                .iter()
                .enumerate()
                .map(|(part, keys)| {
                    let score = |(token, key): (usize, &[f32])| {
                        let dot: f64 = q.iter().zip(key).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                        dot / (width as f64).sqrt() + if part == 1 { f64::from(logs[token]) } else { 0.0 }
                    };
                    keys[head].chunks(width).enumerate().map(score).collect()
                })
                .collect();
            let total: f64 = scores.iter().flatten().map(|score| score.exp()).sum();
            let mut sum = 0.0;
            for (part, scores) in scores.iter().enumerate() {
                for (token, score) in scores.iter().enumerate() {
                    let found = f64::from(shown[part][head][place][token]);
                    sum += found;
                    assert!((found - score.exp() / total).abs() <= TOLERANCE, "{found}");
                }
            }
            assert!((sum - 1.0).abs() <= TOLERANCE, "{sum}");
        }
    }
}
