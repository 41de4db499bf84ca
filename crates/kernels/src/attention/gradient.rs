//! Attention through which gradients flow. Scores are formed again for the gradient, some queries at a time, so that no layer
//! keeps them (Dao et al., "FlashAttention", 2022, appendix B).

use super::Segment;
use super::kernel::{Heads, Keys, View, attend_values};
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

/// Scores that are formed at once: bounds their memory to 64 MB.
const SCORES_AT_ONCE: usize = 1 << 24;

/// [`weighted_attention`](super::weighted_attention) of tensors of 32 bits on the CPU, with gradients for queries, keys and
/// values.
pub(super) fn attend(queries: &Tensor, segments: &[Segment]) -> Result<Tensor> {
    if let [Segment { keys, values, log_weights: None }] = segments {
        return attend_joined(queries, keys, values, None);
    }
    let joined =
        |part: fn(&Segment) -> &Tensor| Tensor::cat(&segments.iter().map(part).collect::<Vec<_>>(), 2);
    let mut log_weights = Vec::new();
    for segment in segments {
        log_weights.extend(match segment.log_weights()? {
            Some(log) => log,
            None => vec![0.0; segment.keys.dim(2)?],
        });
    }
    let (keys, values) = (joined(|segment| &segment.keys)?, joined(|segment| &segment.values)?);
    attend_joined(queries, &keys, &values, Some(log_weights))
}

/// `log_weights` has `log m` of each key; `None` where every key counts once.
fn attend_joined(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    log_weights: Option<Vec<f32>>,
) -> Result<Tensor> {
    let attend = Attend { log_weights };
    queries.contiguous()?.apply_op3(&keys.contiguous()?, &values.contiguous()?, attend)?.transpose(1, 2)
}

/// To `(batch, tokens, heads, width)`.
struct Attend {
    log_weights: Option<Vec<f32>>,
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        queries_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, heads, tokens, width) = queries_layout.shape().dims4()?;
        let keys_shape = keys_layout.shape();
        let (_, _, count, _) = keys_shape.dims4()?;
        if keys_shape.dims() != [batch, heads, count, width] || values_layout.shape() != keys_shape {
            bail!(
                "keys {keys_shape:?} and values {:?} for queries {:?}",
                values_layout.shape(),
                queries_layout.shape()
            );
        }
        let log_weights = self.log_weights.as_deref();
        if log_weights.is_some_and(|log_weights| log_weights.len() != count) {
            bail!("{:?} weights for {count} keys", log_weights.map(<[f32]>::len));
        }
        let keys = Keys {
            keys: view(keys, keys_layout)?,
            values: view(values, values_layout)?,
            tokens: count,
            log_weights,
        };
        let mut output = vec![0.0; batch * heads * tokens * width];
        let sizes = Heads { batch, tokens, heads, width };
        attend_values(sizes, view(queries, queries_layout)?, &[keys], &mut output);
        Ok((CpuStorage::F32(output), Shape::from((batch, tokens, heads, width))))
    }

    fn bwd(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [queries, keys, values] = [queries, keys, values].map(|tensor| tensor.detach());
        let [result, gradient] = [result, gradient].map(|tensor| tensor.detach().transpose(1, 2));
        let bias = self.log_weights.as_ref().map(|log| Tensor::new(log.as_slice(), queries.device()));
        let bias = bias.transpose()?;
        let [queries, keys, values] =
            backward([&queries, &keys, &values], bias.as_ref(), &result?, &gradient?)?;
        Ok((Some(queries), Some(keys), Some(values)))
    }
}

fn view<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<View<'a>> {
    match storage {
        CpuStorage::F32(values) => Ok(View::new(&values[layout.start_offset()..], layout.stride())),
        _ => bail!("attention was not given 32 bits"),
    }
}

/// Gradients with respect to queries, keys and values, all `(batch, heads, tokens, width)`.
fn backward(
    [queries, keys, values]: [&Tensor; 3],
    bias: Option<&Tensor>,
    result: &Tensor,
    gradient: &Tensor,
) -> Result<[Tensor; 3]> {
    let (batch, heads, tokens, width) = queries.dims4()?;
    let scale = 1.0 / (width as f64).sqrt();
    let keys_transposed = keys.transpose(2, 3)?.contiguous()?;
    let values_transposed = values.transpose(2, 3)?.contiguous()?;
    let rows = (SCORES_AT_ONCE / (batch * heads * keys.dim(2)?).max(1)).clamp(1, tokens.max(1));
    let (mut of_queries, mut of_keys, mut of_values) = (Vec::new(), keys.zeros_like()?, values.zeros_like()?);
    for start in (0..tokens).step_by(rows) {
        let some = |tensor: &Tensor| tensor.narrow(2, start, rows.min(tokens - start))?.contiguous();
        let [queries, result, gradient] = [some(queries)?, some(result)?, some(gradient)?];
        let scores = (queries.matmul(&keys_transposed)? * scale)?;
        let scores = bias.map_or(Ok(scores.clone()), |bias| scores.broadcast_add(bias))?;
        let weights = candle_nn::ops::softmax_last_dim(&scores)?;
        of_values = (of_values + weights.transpose(2, 3)?.matmul(&gradient)?)?;
        let mean = (&gradient * result)?.sum_keepdim(D::Minus1)?;
        let of_weights = gradient.matmul(&values_transposed)?.broadcast_sub(&mean)?;
        let of_scores = ((weights * of_weights)? * scale)?;
        of_queries.push(of_scores.matmul(keys)?);
        of_keys = (of_keys + of_scores.transpose(2, 3)?.matmul(&queries)?)?;
    }
    Ok([Tensor::cat(&of_queries, 2)?, of_keys, of_values])
}
