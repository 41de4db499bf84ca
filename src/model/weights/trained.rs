//! Networks some of whose weights train.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::build::Source;
use super::part::PartFiles;
use crate::error::Result;
use dreamtuner_random::Random;

/// Which weights of a network train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trained {
    /// All that the network has but S-E-A.
    Everything,
    /// Low-rank changes of the linear layers of attention, but for S-E-A, and of feed-forward networks; they change nothing at
    /// first.
    LowRank {
        /// Rank of the changes, at least 1.
        rank: usize,
        /// Seed of the first values.
        seed: u64,
    },
    /// Subject-encoder-attention: the network's own, or a copy of cross-attention whose output is zero at first.
    SubjectAttention,
}

/// The weights that train, 32 bits, by canonical name.
pub type Variables = BTreeMap<String, Var>;

/// Layers that have a low-rank change: U-Net, then text encoder.
const LOW_RANK_LAYERS: [&str; 12] = [
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "ff.net.0.proj",
    "ff.net.2",
    "q_proj",
    "k_proj",
    "v_proj",
    "out_proj",
    "mlp.fc1",
    "mlp.fc2",
];
const DOWN: &str = ".lora_A.weight";
const UP: &str = ".lora_B.weight";

impl PartFiles {
    /// Builds a network as [`Self::build`], in 32 bits, of which some weights are variables.
    ///
    /// # Errors
    /// Those of [`Self::build`].
    pub fn build_trained<T>(
        &self,
        device: &Device,
        trained: Trained,
        make: impl FnOnce(VarBuilder) -> candle_core::Result<T>,
    ) -> Result<(T, Variables)> {
        let variables = Mutex::new(Variables::new());
        let (made, _) = self.build_from(&[], |source| {
            let source = TrainedSource { source, part: self, trained, variables: &variables };
            make(VarBuilder::from_backend(Box::new(source), DType::F32, device.clone()))
        })?;
        Ok((made, variables.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Builds a network that has not been trained yet: weights uniform in ±1/√inputs, norms that change nothing, no bias.
pub fn build_new<T>(
    seed: u64,
    device: &Device,
    make: impl FnOnce(VarBuilder) -> candle_core::Result<T>,
) -> Result<(T, Variables)> {
    let variables = Mutex::new(Variables::new());
    let source = NewSource { seed, variables: &variables };
    let made = make(VarBuilder::from_backend(Box::new(source), DType::F32, device.clone()))?;
    Ok((made, variables.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// First weights of a new network.
struct NewSource<'a> {
    seed: u64,
    variables: &'a Mutex<Variables>,
}

impl SimpleBackend for NewSource<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let value = match (shape.rank(), name.ends_with("bias")) {
            (_, true) => Tensor::zeros(shape, dtype, device)?,
            (1, false) => Tensor::ones(shape, dtype, device)?,
            _ => {
                let inputs: usize = shape.dims().iter().skip(1).product();
                let bound = 1.0 / (inputs as f32).sqrt();
                let mut random = Random::named(self.seed, name);
                let values = (0..shape.elem_count()).map(|_| random.range(-bound, bound));
                Tensor::from_iter(values, device)?.reshape(shape)?.to_dtype(dtype)?
            }
        };
        let variable = Var::from_tensor(&value)?;
        let tensor = variable.as_tensor().clone();
        self.variables.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), variable);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("{name}: a new network has no weights of its own")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}

/// Weights of which some are made variables on their way to the network.
struct TrainedSource<'a> {
    source: Source<'a>,
    part: &'a PartFiles,
    trained: Trained,
    variables: &'a Mutex<Variables>,
}

impl TrainedSource<'_> {
    fn variable(&self, name: &str, value: &Tensor) -> candle_core::Result<Tensor> {
        let variable = Var::from_tensor(value)?;
        let tensor = variable.as_tensor().clone();
        self.variables.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), variable);
        Ok(tensor)
    }

    /// Shape of the weights that a low-rank change called `name` belongs to.
    fn changed(&self, name: &str) -> Option<(usize, usize)> {
        let layer = name.strip_suffix(DOWN).or_else(|| name.strip_suffix(UP))?;
        let known = !is_subject_attention(name)
            && LOW_RANK_LAYERS.iter().any(|end| layer.ends_with(&format!(".{end}")));
        match (known, self.part.shape(&format!("{layer}.weight"))) {
            (true, Some(&[outputs, inputs])) => Some((outputs, inputs)),
            _ => None,
        }
    }

    /// The first values of a low-rank change (PEFT's): up is zero, down uniform in ±1/√inputs.
    fn first_change(
        &self,
        name: &str,
        rank: usize,
        seed: u64,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let Some((outputs, inputs)) = self.changed(name) else {
            candle_core::bail!("{name}: there is no layer that this could change")
        };
        if name.ends_with(UP) {
            return Tensor::zeros((outputs, rank), DType::F32, device);
        }
        let mut random = Random::named(seed, name);
        let bound = 1.0 / (inputs as f32).sqrt();
        let values = (0..rank * inputs).map(|_| random.range(-bound, bound)).collect();
        Tensor::from_vec(values, (rank, inputs), device)
    }
}

impl SimpleBackend for TrainedSource<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let read = |shape: Shape, name: &str| self.source.get(shape, name, init, dtype, device);
        match self.trained {
            Trained::Everything if !is_subject_attention(name) => self.variable(name, &read(shape, name)?),
            Trained::SubjectAttention if is_subject_attention(name) => {
                let value = match subject_attention_source(name) {
                    _ if self.source.contains_tensor(name) => read(shape, name)?,
                    Some(source) => read(shape, &source)?,
                    None => Tensor::zeros(shape, dtype, device)?,
                };
                self.variable(name, &value)
            }
            _ => read(shape, name),
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        match self.trained {
            Trained::LowRank { rank, seed } if self.changed(name).is_some() => {
                self.variable(name, &self.first_change(name, rank, seed, device)?)
            }
            _ => self.source.get_unchecked(name, dtype, device),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let made = match self.trained {
            Trained::Everything => false,
            Trained::LowRank { .. } => self.changed(name).is_some(),
            Trained::SubjectAttention => is_subject_attention(name) && !name.contains(".lora_"),
        };
        made || self.source.contains_tensor(name)
    }
}

fn is_subject_attention(name: &str) -> bool {
    name.contains(".attn_subject.") || name.contains(".norm_subject.")
}

/// The weight of cross-attention that one of S-E-A starts from; the output starts from zero.
fn subject_attention_source(name: &str) -> Option<String> {
    let is_output = name.contains(".attn_subject.to_out.");
    (!is_output).then(|| name.replace("attn_subject", "attn2").replace("norm_subject", "norm2"))
}
