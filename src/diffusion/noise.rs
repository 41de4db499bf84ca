//! All randomness: from a host generator keyed by (seed, purpose, step), or from a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Shape, Tensor};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::{Error, Result};
use crate::files::read;

/// Largest noise file read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Context string of the key derivation; a change changes every picture.
const KEY_CONTEXT: &str = "dreamtuner noise keyed by seed, purpose and step";

/// What random numbers are for; each purpose has its own, independent stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The initial latent (`latent` in a noise file).
    Latent,
    /// The noise on a reference's latent (`reference` in a noise file).
    Reference,
    /// What a sampler adds at one of its steps (`step.<i>` in a noise file).
    Ancestral,
    /// The λ of interleaved guidance, one for each step (`lambda` in a noise file).
    Guidance,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Latent, Self::Reference, Self::Ancestral, Self::Guidance];

    const fn name(self) -> &'static str {
        match self {
            Self::Latent => "latent",
            Self::Reference => "reference",
            Self::Ancestral => "step",
            Self::Guidance => "lambda",
        }
    }

    /// The tensor in a noise file: `step.<i>`, and for the others the bare name for 0, `name.<i>` past it.
    fn tensor_name(self, step: u64) -> String {
        match (self, step) {
            (Self::Latent | Self::Reference | Self::Guidance, 0) => self.name().to_owned(),
            _ => format!("{}.{step}", self.name()),
        }
    }

    /// Whether `name` is one that [`Purpose::tensor_name`] gives.
    fn knows(name: &str) -> bool {
        let step = name.rsplit_once('.').and_then(|(_, step)| step.parse().ok()).unwrap_or(0);
        Self::ALL.into_iter().any(|purpose| purpose.tensor_name(step) == name)
    }
}

/// Where random numbers come from. What is drawn for one (purpose, step) never depends on what was drawn before.
#[derive(Clone, Debug)]
pub struct NoiseSource(Origin);

#[derive(Clone, Debug)]
enum Origin {
    Seed(u64),
    File { path: PathBuf, tensors: HashMap<String, Tensor> },
}

impl NoiseSource {
    /// Numbers generated from `seed`: ChaCha12, keyed by BLAKE3 of (seed, purpose, step); the same on every machine
    /// up to the last bit of its `ln`, `sin` and `cos`.
    pub fn new(seed: u64) -> Self {
        Self(Origin::Seed(seed))
    }

    /// Numbers read from a safetensors file, to compare pictures with other implementations. It may hold `latent`
    /// and `reference` `(batch, channels, height, width)`, and `lambda` `(steps)` with values 0 to 1. For samplers
    /// that add noise at step `i`, from 0, it may hold `step.<i>` (shaped as `latent`). Each tensor is of type
    /// F16, BF16, F32 or F64. What is not in the file cannot be asked for.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read; [`Error::Input`] where it is over 1 GiB, no safetensors file, or
    /// holds an unknown tensor, another type, or a value that is not finite.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = read(path, MAX_FILE_BYTES)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| Error::input(path, format!("not a readable safetensors file: {error}")))?;
        for (name, tensor) in &tensors {
            check_tensor(name, tensor).map_err(|problem| Error::input(path, problem))?;
        }
        Ok(Self(Origin::File { path: path.to_owned(), tensors }))
    }

    /// Standard normal noise of `shape` for (`purpose`, `step`).
    ///
    /// # Errors
    /// [`Error::Input`] where the noise file lacks it or holds another shape.
    pub fn normal(
        &self,
        purpose: Purpose,
        step: u64,
        shape: impl Into<Shape>,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let noise = match &self.0 {
            Origin::Seed(seed) => {
                let values = normals(&mut generator(*seed, purpose, step), shape.elem_count());
                Tensor::from_vec(values, shape, &Device::Cpu)?
            }
            Origin::File { path, tensors } => stored(path, tensors, &purpose.tensor_name(step), &shape)?,
        };
        Ok(noise.to_dtype(dtype)?.to_device(device)?)
    }

    /// `count` numbers spread evenly over 0 (included) to 1 (excluded) for (`purpose`, `step`).
    ///
    /// # Errors
    /// [`Error::Input`] where the noise file lacks them, holds another number of them, or one outside of 0 to 1.
    pub fn uniform(&self, purpose: Purpose, step: u64, count: usize) -> Result<Vec<f64>> {
        match &self.0 {
            Origin::Seed(seed) => {
                let mut generator = generator(*seed, purpose, step);
                Ok((0..count).map(|_| unit(&mut generator)).collect())
            }
            Origin::File { path, tensors } => {
                let name = purpose.tensor_name(step);
                let tensor = stored(path, tensors, &name, &Shape::from(count))?;
                let values = tensor.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                match values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                    None => Ok(values),
                    Some(value) => {
                        Err(Error::input(path, format!("tensor {name:?} holds {value}; allowed 0 to 1")))
                    }
                }
            }
        }
    }
}

fn check_tensor(name: &str, tensor: &Tensor) -> std::result::Result<(), String> {
    if !Purpose::knows(name) {
        return Err(format!(
            "unknown tensor {name:?}; allowed latent, reference, lambda (each also with .<i> from 1) and step.<i>"
        ));
    }
    if !matches!(tensor.dtype(), DType::F16 | DType::BF16 | DType::F32 | DType::F64) {
        return Err(format!("tensor {name:?} is of type {:?}; allowed F16, BF16, F32, F64", tensor.dtype()));
    }
    let values = tensor
        .to_dtype(DType::F64)
        .and_then(|tensor| tensor.flatten_all()?.to_vec1::<f64>())
        .map_err(|error| format!("tensor {name:?}: {error}"))?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("tensor {name:?} holds {value}; allowed finite values")),
        None => Ok(()),
    }
}

fn stored(path: &Path, tensors: &HashMap<String, Tensor>, name: &str, shape: &Shape) -> Result<Tensor> {
    let Some(tensor) = tensors.get(name) else {
        let mut names: Vec<_> = tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        return Err(Error::input(path, format!("no tensor {name:?}; there are: {}", names.join(", "))));
    };
    if tensor.shape() != shape {
        let problem =
            format!("tensor {name:?} has shape {:?}; this render needs {:?}", tensor.dims(), shape.dims());
        return Err(Error::input(path, problem));
    }
    Ok(tensor.clone())
}

fn generator(seed: u64, purpose: Purpose, step: u64) -> ChaCha12Rng {
    let mut key = blake3::Hasher::new_derive_key(KEY_CONTEXT);
    key.update(&seed.to_le_bytes()).update(&step.to_le_bytes()).update(purpose.name().as_bytes());
    ChaCha12Rng::from_seed(*key.finalize().as_bytes())
}

/// 53 random bits as a number from 0 (included) to 1 (excluded).
fn unit(generator: &mut ChaCha12Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Standard normal numbers by the transform of Box & Muller (1958), in pairs.
fn normals(generator: &mut ChaCha12Rng, count: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // 1 − u is above 0, so that its logarithm is finite.
        let radius = (-2.0 * (1.0 - unit(generator)).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * unit(generator)).sin_cos();
        values.extend([radius * cosine, radius * sine]);
    }
    values.truncate(count);
    values
}
